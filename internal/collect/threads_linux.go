package collect

import (
	"context"
	"errors"
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
	byKey map[string]*class
	// seen are the threads that were read, in ascending order.
	seen []seenThread
	// missing counts how often a listed thread was not found.
	missing map[int]int
	count   posture.Fact[int]
	// mark tells more of a thread than its status does, or is nil.
	mark func(tid int) string

	buf   *procfs.Buffer
	lines procfs.Lines
	key   []byte
	list  []int
}

// seenThread is a thread that was read, and whether it lives: a zombie does not.
type seenThread struct {
	tid   int
	lives bool
}

// class is a group of threads whose status files differ only in numbers of
// the thread itself.
type class struct {
	status *procfs.Status
	// tid is the thread whose status it is, tids are all of the class.
	tid  int
	tids []int
}

func newThreadSet(c *kernel.Calls, task *procfs.Dir, pid int, buf *procfs.Buffer) *threadSet {
	return &threadSet{
		c: c, task: task, pid: pid, buf: buf,
		byKey: map[string]*class{}, missing: map[int]int{}, key: make([]byte, 0, 512),
		seen: make([]seenThread, 0, 16), list: make([]int, 0, 16),
	}
}

// find returns where a thread is among those seen, or would be.
func (t *threadSet) find(tid int) (at int, found bool) {
	low, high := 0, len(t.seen)
	for low < high {
		if middle := (low + high) / 2; t.seen[middle].tid < tid {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(t.seen) && t.seen[low].tid == tid
}

// see marks a thread, which was not seen yet, as seen.
func (t *threadSet) see(tid int, lives bool) {
	at, _ := t.find(tid)
	t.seen = append(t.seen, seenThread{})
	copy(t.seen[at+1:], t.seen[at:])
	t.seen[at] = seenThread{tid, lives}
}

// read reads the thread set until it stands still: a listing that holds no
// thread that was not read, and as many as the kernel counts.
func (t *threadSet) read(ctx context.Context) error {
	source := t.task.Path()
	for range maxRounds {
		if err := ctx.Err(); err != nil {
			t.count.Fail(source, source+": "+err.Error()+" while the thread set was read")
			return nil
		}
		var err error
		if t.list, err = t.task.Numbers(t.buf, t.list[:0]); err != nil {
			if gone(err) {
				return err
			}
			t.count.Fail(source, err.Error())
			return nil
		}
		slices.Sort(t.list)
		if !t.readNew() && t.counted() {
			t.readLeaderAgain()
			t.settle()
			return nil
		}
	}
	t.count.Fail(source, source+": the thread set kept changing while it was read")
	return nil
}

// readLeaderAgain reads the leader's status once more where a thread has ended
// since it was read. A thread that calls execve(2) ends all others and goes on
// under the leader's number with its own credentials and filters: what was read
// of the leader before says nothing of the process that is left.
func (t *threadSet) readLeaderAgain() {
	at, read := t.find(t.pid)
	_, listed := slices.BinarySearch(t.list, t.pid)
	// All that are listed were read, so those that were read and ended are more.
	if !read || !listed || len(t.seen) == len(t.list) {
		return
	}
	t.seen = append(t.seen[:at], t.seen[at+1:]...)
	for _, c := range t.classes {
		for i, tid := range c.tids {
			if tid == t.pid {
				c.tids = append(c.tids[:i], c.tids[i+1:]...)
				break
			}
		}
	}
	if t.readThread(t.pid); !t.readBefore(t.pid) {
		t.addFailed(t.pid, errThreadEnded) // neither read nor out of the list
	}
}

func (t *threadSet) readBefore(tid int) bool {
	_, found := t.find(tid)
	return found
}

// readNew reads the listed threads that were not read yet, and says whether
// there were any.
func (t *threadSet) readNew() bool {
	anyNew := false
	// The leader first: a class that it is in takes its status.
	if _, listed := slices.BinarySearch(t.list, t.pid); listed {
		anyNew = t.readOnce(t.pid)
	}
	for _, tid := range t.list {
		if t.readOnce(tid) {
			anyNew = true
		}
	}
	return anyNew
}

func (t *threadSet) readOnce(tid int) bool {
	if t.readBefore(tid) {
		return false
	}
	t.readThread(tid)
	return true
}

// counted compares the listing with the number of threads that the kernel
// counts, which the link count of the task directory is, two aside. A listing
// can end early where the thread it has come to just ends.
func (t *threadSet) counted() bool {
	st, err := t.c.Stat(t.task.FD(), t.task.Path())
	return err != nil || st.Nlink < 3 || int(st.Nlink)-2 == len(t.list)
}

// grown lists the threads again, and says whether there is one that was not
// read.
func (t *threadSet) grown() bool {
	list, err := t.task.Numbers(t.buf, nil)
	return err == nil && slices.ContainsFunc(list, func(tid int) bool {
		_, found := t.find(tid)
		return !found
	})
}

// settle drops the threads that have ended since they were read.
func (t *threadSet) settle() {
	classes := t.classes[:0]
	for _, c := range t.classes {
		tids := c.tids[:0]
		for _, tid := range c.tids {
			if _, listed := slices.BinarySearch(t.list, tid); listed {
				tids = append(tids, tid)
			}
		}
		if c.tids = tids; len(tids) > 0 {
			classes = append(classes, c)
		}
	}
	t.classes = classes
	n := 0
	for _, tid := range t.list {
		if at, found := t.find(tid); found && t.seen[at].lives {
			n++
		}
	}
	t.count.Value = n
	t.count.Know(t.task.Path(), strconv.Itoa(n)+" threads")
}

// gone says that an error means that a thread or process has ended.
func gone(err error) bool {
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOENT)
}

func (t *threadSet) readThread(tid int) {
	var room [32]byte
	name := string(append(strconv.AppendInt(room[:0], int64(tid), 10), "/status"...))
	data, err := t.task.Read(name, t.buf)
	switch {
	case err == nil:
		t.add(tid, data, name)
	case gone(err) && t.missing[tid] < maxMissing:
		t.missing[tid]++ // it will not be in the next listing, if it has ended
	default:
		t.addFailed(tid, err)
	}
}

// add puts a thread into the class of its posture, and parses its status
// only where it is the first of its class. name is that of the status file.
func (t *threadSet) add(tid int, data []byte, name string) {
	l := &t.lines
	l.Scan(data)
	if s, ok := l.State(); ok && (s == 'Z' || s == 'X' || s == 'x') {
		t.see(tid, false)
		return
	}
	key, classable := l.AppendPosture(t.key[:0])
	if t.mark != nil {
		key = append(key, t.mark(tid)...)
	}
	t.key = key
	gotTID, gotPID, ok := l.IDs()
	if classable && (!ok || gotTID != tid || gotPID != t.pid) {
		t.addFailed(tid, errors.New(t.task.Path()+"/"+name+": does not say that it is about thread "+strconv.Itoa(tid)+" of process "+strconv.Itoa(t.pid)))
		return
	}
	if c := t.byKey[string(key)]; classable && c != nil {
		t.see(tid, true)
		c.tids = append(c.tids, tid)
		return
	}
	c := t.addClass(tid, l.Parse(t.task.Path()+"/"+name))
	if classable {
		t.byKey[string(key)] = c
	}
}

func (t *threadSet) addFailed(tid int, err error) { t.addClass(tid, procfs.Unreadable(err)) }

func (t *threadSet) addClass(tid int, status *procfs.Status) *class {
	t.see(tid, true)
	c := &class{status, tid, append(make([]int, 0, 8), tid)}
	t.classes = append(t.classes, c)
	return c
}

// order puts the leader's class first, and then those of lower numbers.
func (t *threadSet) order() {
	for i := range t.classes {
		c := t.classes[i]
		slices.Sort(c.tids)
		if _, there := slices.BinarySearch(c.tids, c.tid); !there {
			// Its thread has ended since; only its own number was its alone.
			c.status.NSpid.Fail("", "read of thread "+strconv.Itoa(c.tid)+", which has ended")
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
