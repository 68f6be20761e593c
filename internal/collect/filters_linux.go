package collect

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

// filterReader reads the filters of a process's threads, for one audit. They
// are fetched while the thread set is read, and evaluated when all is fetched.
type filterReader struct {
	*collector
	room kernel.FilterRoom
	// got is what was fetched of each thread.
	got map[int]fetchedFilters
	// programs are the different lists of filters, by their digest.
	programs map[string][][]byte
	// refused says why no thread's filters can be read, or no further one's.
	refused error
	// decoded is the stack that denies was asked about last.
	decoded decodedStack
	// patience is how often a refusal may still be waited out.
	patience int
	// leaderAmong are the threads there were when the leader's filters were
	// fetched.
	leaderAmong []int
}

// Of all threads together: how often a refusal is waited out, and how long.
const (
	maxPatience = 20
	accessWait  = 2 * time.Millisecond
)

// fetchedFilters is what was fetched of one thread.
type fetchedFilters struct {
	digest string
	count  int
	err    error
	// id is the thread's: a number is given again when its thread has ended.
	id uint64
}

func newFilterReader(a *collector) *filterReader {
	f := &filterReader{collector: a, got: map[int]fetchedFilters{}, programs: map[string][][]byte{}, patience: maxPatience}
	switch {
	case a.p.Self:
		f.refused = errors.New("a process cannot trace its own threads")
	case f.elsewhere():
		f.refused = &kernel.FilterError{Reason: kernel.FilterUserNamespace}
	}
	return f
}

// elsewhere says whether the auditor is known to be in another user namespace
// than the initial one, which has a fixed inode (PROC_USER_INIT_INO, Linux
// 3.8). The kernel would say so only after the target was stopped.
func (f *filterReader) elsewhere() bool {
	const initial = "user:[4026531837]"
	pid := f.proc.Self()
	link, err := f.proc.Dir().Readlink(strconv.Itoa(pid) + "/ns/user")
	return err == nil && link != initial
}

// mark tells threads of one status and different filters apart.
func (f *filterReader) mark(tid int) string {
	g, there := f.got[tid]
	switch {
	case !there:
		return ""
	case g.err != nil:
		return g.err.Error()
	default:
		return g.digest
	}
}

// settled fetches what is missing, and says whether the threads as they were
// read last agree with what was fetched.
func (f *filterReader) settled() bool {
	f.doubtLeader()
	settled := true
	for i := range f.p.Classes {
		c := &f.p.Classes[i]
		for j, tid := range c.TIDs {
			if !f.settledThread(tid, &c.Thread) || j > 0 && f.mark(tid) != f.mark(c.TIDs[0]) {
				settled = false
			}
		}
	}
	return f.ctx.Err() != nil || settled && !f.set.grown()
}

// doubtLeader forgets what was fetched of the leader where a thread that was
// there then is not there now. A thread that calls execve(2) ends all others
// and goes on under the leader's number, with its own filters: a leader that was
// read before it says nothing of the process that is left.
func (f *filterReader) doubtLeader() {
	var now []int
	for i := range f.p.Classes {
		now = append(now, f.p.Classes[i].TIDs...)
	}
	slices.Sort(now)
	for _, tid := range f.leaderAmong {
		if _, there := slices.BinarySearch(now, tid); !there {
			delete(f.got, f.p.PID)
		}
	}
	if _, there := f.got[f.p.PID]; !there {
		f.leaderAmong = now
	}
}

func (f *filterReader) settledThread(tid int, t *posture.Thread) bool {
	if mode, known := t.SeccompMode.Get(); !known || mode == modeDisabled || mode == modeStrict {
		return true
	}
	g, there := f.got[tid]
	if !there || !g.agrees(t) || g.id != f.identity(tid) {
		g = f.fetch(tid)
		f.got[tid] = g
	}
	return g.agrees(t)
}

// agrees says whether as many filters were fetched as the status shows, Linux
// 5.9. Where they could not be, it is no use to try again, unless the thread
// has ended: then it is not listed the next time.
func (g *fetchedFilters) agrees(t *posture.Thread) bool {
	if g.err != nil {
		return g.err != errThreadEnded
	}
	n, known := t.SeccompFilters.Get()
	return !known || n == g.count
}

// fetch fetches the filters of one thread.
func (f *filterReader) fetch(tid int) fetchedFilters {
	if f.refused != nil {
		return fetchedFilters{err: f.refused, id: f.identity(tid)}
	}
	var id uint64
	confirm := func() error {
		id = f.identity(tid)
		return f.belongs(tid)
	}
	programs, err := f.c.SeccompFilters(f.ctx, tid, &f.room, confirm, f.denies)
	for ; f.mayPass(err); f.patience-- {
		time.Sleep(accessWait)
		programs, err = f.c.SeccompFilters(f.ctx, tid, &f.room, confirm, f.denies)
	}
	if err != nil {
		return fetchedFilters{err: f.explain(tid, err), id: f.identity(tid)}
	}
	digest := digestOf(programs)
	if _, there := f.programs[digest]; !there {
		copied := make([][]byte, len(programs))
		for i, p := range programs {
			copied[i] = slices.Clone(p)
		}
		f.programs[digest] = copied
	}
	return fetchedFilters{digest: digest, count: len(programs), id: id}
}

// mayPass says that a refusal may be over soon: another auditor that reads the
// same thread just now is its only tracer, for less than a millisecond.
func (f *filterReader) mayPass(err error) bool {
	var refused *kernel.FilterError
	return f.patience > 0 && errors.As(err, &refused) && refused.Reason == kernel.FilterAccess && f.ctx.Err() == nil
}

// identity returns the inode of the thread's directory, which no other thread
// has even where clone3(2) gave it the same number, or 0 where there is none. A
// directory that the kernel dropped and made again has another one, and the
// thread is read once more then.
func (f *filterReader) identity(tid int) uint64 {
	name := strconv.Itoa(tid)
	fd, err := f.task.Open(name, kernel.OpenPath)
	if err != nil {
		return 0
	}
	defer kernel.Close(fd)
	st, err := f.c.Stat(fd, f.task.Path()+"/"+name)
	if err != nil {
		return 0
	}
	return st.Ino
}

// belongs verifies that a thread which is held by its number is one of the
// process: the directory held open lists no other process's.
func (f *filterReader) belongs(tid int) error {
	s, err := f.status(tid)
	if err != nil {
		return err
	}
	got, known1 := s.PID.Get()
	group, known2 := s.TGID.Get()
	if !known1 || !known2 || got != tid || group != f.p.PID {
		return errors.New(s.PID.Source + ": does not say that it is about thread " + strconv.Itoa(tid) + " of process " + strconv.Itoa(f.p.PID))
	}
	return nil
}

func (f *filterReader) status(tid int) (*procfs.Status, error) {
	name := strconv.Itoa(tid) + "/status"
	data, err := f.task.Read(name, &f.buf)
	if gone(err) {
		return nil, errThreadEnded
	}
	if err != nil {
		return nil, err
	}
	return procfs.StatusOf(data, f.task.Path()+"/"+name), nil
}

// explain finds the reason behind an error. Where it holds for all threads, no
// other one is asked.
func (f *filterReader) explain(tid int, err error) error {
	var refused *kernel.FilterError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Reason {
	case kernel.FilterEnded:
		return errThreadEnded
	case kernel.FilterOwn, kernel.FilterAdmin, kernel.FilterUserNamespace, kernel.FilterFeature:
		f.refused = err
	case kernel.FilterAccess, kernel.FilterNotStopped:
		s, failed := f.status(tid)
		if failed != nil {
			return failed
		}
		if state, known := s.State.Get(); known && (state == 'Z' || state == 'X' || state == 'x') {
			return errThreadEnded
		}
		tracer, known := s.TracerPID.Get()
		if known && tracer != 0 && refused.Reason == kernel.FilterAccess {
			return errors.New("already traced by process " + strconv.Itoa(tracer) + ": " + refused.Err.Error())
		}
	}
	return err
}

// digestOf is the SHA-256 of the lengths and instructions of filters.
func digestOf(programs [][]byte) string {
	h := sha256.New()
	for _, p := range programs {
		var length [4]byte
		binary.LittleEndian.PutUint32(length[:], uint32(len(p)))
		h.Write(length[:])
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fill makes facts of what was fetched.
func (f *filterReader) fill() {
	f.dropEnded()
	evaluated := map[string]posture.Fact[posture.Filters]{}
	for i := range f.p.Classes {
		c := &f.p.Classes[i]
		if unfiltered(&c.Thread) {
			continue
		}
		digest, why := f.ofClass(c)
		if why != "" {
			c.Filters.Fail(filterSource, filterSource+": "+why)
			continue
		}
		fact, there := evaluated[digest]
		if !there {
			fact = evaluate(f.ctx, f.programs[digest], digest)
			evaluated[digest] = fact
		}
		c.Filters = fact
	}
}

// ofClass returns the digest of the filters that all threads of a class have,
// or why it is not known.
func (f *filterReader) ofClass(c *posture.Class) (digest, why string) {
	for _, tid := range c.TIDs {
		g, there := f.got[tid]
		switch n, known := c.SeccompFilters.Get(); {
		case !there && f.ctx.Err() != nil:
			return "", f.ctx.Err().Error() + " while filters were read"
		case !there, digest != "" && g.err == nil && g.digest != digest:
			return "", "the threads kept changing while their filters were read"
		case g.err != nil:
			return "", g.err.Error()
		case known && n != g.count:
			return "", strconv.Itoa(g.count) + " filters, where " + c.SeccompFilters.Source + " has " + c.SeccompFilters.Raw
		}
		digest = g.digest
	}
	return digest, ""
}

func evaluate(ctx context.Context, programs [][]byte, digest string) (fact posture.Fact[posture.Filters]) {
	if err := ctx.Err(); err != nil {
		fact.Fail(filterSource, filterSource+": "+err.Error()+" before the filters were evaluated")
		return fact
	}
	verdicts, err := Verdicts(programs, seccomp.ABIs(runtime.GOARCH))
	if err != nil {
		fact.Fail(filterSource, filterSource+": "+err.Error())
		return fact
	}
	verdicts.Digest = digest
	return posture.Of(verdicts, filterSource, describeStack(programs))
}

// dropEnded drops threads that have ended since they were read, where the set
// never stood still. One that is still listed stays: something hides it.
func (f *filterReader) dropEnded() {
	var list []int
	for i := range f.p.Classes {
		c := &f.p.Classes[i]
		c.TIDs = slices.DeleteFunc(c.TIDs, func(tid int) bool {
			if f.got[tid].err != errThreadEnded {
				return false
			}
			if list == nil {
				list = f.listed()
			}
			_, listed := slices.BinarySearch(list, tid)
			return list != nil && !listed
		})
		if len(c.TIDs) > 0 && !slices.Contains(c.TIDs, c.TID) {
			c.NSpid.Fail("", "read of thread "+strconv.Itoa(c.TID)+", which has ended")
			c.TID = c.TIDs[0]
		}
	}
	f.p.Classes = slices.DeleteFunc(f.p.Classes, func(c posture.Class) bool { return len(c.TIDs) == 0 })
	if list != nil {
		f.p.Threads.Fail(f.task.Path(), f.task.Path()+": the thread set kept changing while its filters were read")
	}
}

// listed returns the threads listed now, in order, or nil.
func (f *filterReader) listed() []int {
	list, err := f.task.Numbers(&f.buf, nil)
	if err != nil {
		return nil
	}
	slices.Sort(list)
	return list
}
