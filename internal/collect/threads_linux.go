package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// maxRounds bounds how often the thread set is listed. A process that starts
// threads faster than that for so long is left unknown.
const maxRounds = 100

// maxMissing is how often a thread may be listed and not found before that
// is taken for something that hides it.
const maxMissing = 3

// threadSet is the threads of a process as their status files show them.
type threadSet struct {
	c    *kernel.Calls
	task *procfs.Dir
	pid  int

	classes []*class
	// byKey finds a class by the raw lines that make it.
	byKey map[string]int
	// seen are threads that are read, or known to be zombies: those are false.
	seen map[int]bool
	// missing counts how often a listed thread was not found.
	missing map[int]int
	count   posture.Fact[int]

	buf  *procfs.Buffer
	key  []byte
	list []int
}

// class is a group of threads whose status files differ only in numbers of
// the thread itself.
type class struct {
	status procfs.Status
	// tid is the thread whose status it is, tids are all of the class.
	tid  int
	tids []int
}

func newThreadSet(c *kernel.Calls, task *procfs.Dir, pid int, buf *procfs.Buffer) *threadSet {
	return &threadSet{
		c: c, task: task, pid: pid, buf: buf,
		byKey: map[string]int{}, seen: map[int]bool{}, missing: map[int]int{}, key: make([]byte, 0, 512),
	}
}

// read reads the thread set until it stands still: a listing that holds no
// thread that was not read, and as many as the kernel counts.
func (t *threadSet) read(ctx context.Context) error {
	source := t.task.Path()
	for range maxRounds {
		if err := ctx.Err(); err != nil {
			t.count = posture.Failed[int](source, fmt.Sprintf("%s: %v while the thread set was read", source, err))
			return nil
		}
		var err error
		if t.list, err = t.task.Numbers(t.buf, t.list[:0]); err != nil {
			if gone(err) {
				return err
			}
			t.count = posture.Failed[int](source, err.Error())
			return nil
		}
		slices.Sort(t.list)
		if !t.readNew() && t.counted() {
			t.settle()
			return nil
		}
	}
	t.count = posture.Failed[int](source, source+": the thread set kept changing while it was read")
	return nil
}

// readNew reads the listed threads that were not read yet, and says whether
// there were any.
func (t *threadSet) readNew() bool {
	anyNew := false
	// The leader first: a class that it is in takes its status.
	if at, found := slices.BinarySearch(t.list, t.pid); found {
		if _, seen := t.seen[t.pid]; !seen {
			t.readThread(t.list[at])
			anyNew = true
		}
	}
	for _, tid := range t.list {
		if _, seen := t.seen[tid]; !seen && tid != t.pid {
			t.readThread(tid)
			anyNew = true
		}
	}
	return anyNew
}

// counted compares the listing with the number of threads that the kernel
// counts, which the link count of the task directory is, two aside. A listing
// can end early where the thread it has come to just ends.
func (t *threadSet) counted() bool {
	st, err := t.c.Stat(t.task.FD(), t.task.Path())
	return err != nil || st.Nlink < 3 || int(st.Nlink)-2 == len(t.list)
}

// settle drops the threads that have ended since they were read.
func (t *threadSet) settle() {
	for i := range t.classes {
		c := t.classes[i]
		c.tids = slices.DeleteFunc(c.tids, func(tid int) bool {
			_, found := slices.BinarySearch(t.list, tid)
			return !found
		})
	}
	t.classes = slices.DeleteFunc(t.classes, func(c *class) bool { return len(c.tids) == 0 })
	n := 0
	for _, tid := range t.list {
		if t.seen[tid] {
			n++
		}
	}
	t.count = posture.Of(n, t.task.Path(), strconv.Itoa(n)+" threads")
}

// gone says that an error means that a thread or process has ended.
func gone(err error) bool {
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOENT)
}

func (t *threadSet) readThread(tid int) {
	name := strconv.Itoa(tid) + "/status"
	data, err := t.task.Read(name, t.buf)
	switch {
	case err == nil:
		t.add(tid, data)
	case gone(err) && t.missing[tid] < maxMissing:
		t.missing[tid]++ // it will not be in the next listing, if it has ended
	default:
		t.addFailed(tid, err)
	}
}

// add puts a thread into the class of its posture, and parses its status
// only where it is the first of its class.
func (t *threadSet) add(tid int, data []byte) {
	var l procfs.Lines
	l.Scan(data)
	if s, ok := l.State(); ok && (s == 'Z' || s == 'X' || s == 'x') {
		t.seen[tid] = false
		return
	}
	source := t.task.Path() + "/" + strconv.Itoa(tid) + "/status"
	gotTID, gotPID, ok := l.IDs()
	if !ok || gotTID != tid || gotPID != t.pid {
		if _, whole := l.AppendPosture(nil); whole {
			t.addFailed(tid, fmt.Errorf("%s: does not say that it is about thread %d of process %d", source, tid, t.pid))
			return
		}
	}
	t.seen[tid] = true
	var classable bool
	t.key, classable = l.AppendPosture(t.key[:0])
	if classable {
		if i, ok := t.byKey[string(t.key)]; ok {
			t.classes[i].tids = append(t.classes[i].tids, tid)
			return
		}
		t.byKey[string(t.key)] = len(t.classes)
	}
	t.classes = append(t.classes, &class{l.Parse(source), tid, []int{tid}})
}

func (t *threadSet) addFailed(tid int, err error) {
	t.seen[tid] = true
	t.classes = append(t.classes, &class{procfs.Unreadable(err), tid, []int{tid}})
}

// order puts the leader's class first, and then those of lower numbers.
func (t *threadSet) order() {
	for i := range t.classes {
		c := t.classes[i]
		slices.Sort(c.tids)
		if _, there := slices.BinarySearch(c.tids, c.tid); !there {
			// Its thread has ended since; only its own number was its alone.
			c.status.NSpid = posture.Failed[[]int]("", "read of thread "+strconv.Itoa(c.tid)+", which has ended")
			c.tid = c.tids[0]
		}
	}
	// They were read in this order, but for what came late: few are moved.
	for i := range t.classes {
		for j := i; j > 0 && t.before(t.classes[j], t.classes[j-1]); j-- {
			t.classes[j], t.classes[j-1] = t.classes[j-1], t.classes[j]
		}
	}
}

func (t *threadSet) before(a, b *class) bool {
	if b.tid == t.pid {
		return false
	}
	return a.tid == t.pid || a.tids[0] < b.tids[0]
}
