package collect

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Programs fills Process.Mounts and Process.Programs. It takes at most half of
// the time that is left.
func (s *Site) Programs() { s.by.programs() }

// maxWalks is how often the mounts are walked for the same ones to be there
// before and after.
const maxWalks = 3

func (a *collector) programs() {
	for try := 1; ; try++ {
		watch := a.watchMounts()
		a.mounts()
		w := a.walkMounts()
		same := watch.end()
		if w == nil {
			return
		}
		if !same && try < maxWalks && a.ctx.Err() == nil {
			continue
		}
		if !same {
			w.leave("/", "mounts came or went meanwhile")
		}
		a.otherRoots(w)
		a.openPrograms(w)
		f := &a.p.MakeReach().Programs
		f.Value = w.out
		f.Know(w.source, strconv.Itoa(len(w.out.Programs))+" programs among "+strconv.Itoa(w.out.Files)+" files")
		return
	}
}

// walkMounts walks over the mounts that were read. It returns nil, and Programs
// says why, where that could not be.
func (a *collector) walkMounts() *walker {
	f := &a.p.MakeReach().Programs
	if a.p.MakeReach().Mounts.State != posture.Known {
		f.Fail(a.p.MakeReach().Mounts.Source, a.p.MakeReach().Mounts.Err)
		return nil
	}
	root := a.filesRoot()
	if root.err != nil {
		f.Fail(root.source, root.err.Error())
		return nil
	}
	w := &walker{
		c: kernel.New(a.o.Deny), ctx: a.ctx, view: a.views(), root: root.fd, source: root.source,
		room: make([]byte, 64<<10), attr: make([]byte, 4<<10), own: a.self && a.alike(),
	}
	w.out.Counts = a.mountsCount()
	switch {
	case !a.walk(w):
		f.Fail(root.source, root.source+": the walk over its mounts hangs in a file system that does not answer")
	case w.failed != nil:
		f.Fail(root.source, w.failed.Error())
	default:
		return w
	}
	return nil
}

// walk walks, and is false where the walk did not end. In the own process the
// calling thread walks, since another may be under another filter. Of another
// process the mounts are not to be trusted: one that never answers would hold
// the thread until this program ends, which must not be the audit's.
func (a *collector) walk(w *walker) (ended bool) {
	w.mounts, w.progress = a.p.MakeReach().Mounts.Value, a.progress
	var cancel context.CancelFunc = func() {}
	if end, ok := a.ctx.Deadline(); ok {
		w.ctx, cancel = context.WithDeadline(a.ctx, time.Now().Add(time.Until(end)/2))
	}
	defer cancel()
	if a.self {
		w.run()
		return true
	}
	// It has its own copy: one that hangs must share nothing with who goes on.
	w.mounts = append([]posture.Mount(nil), w.mounts...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run()
	}()
	select {
	case <-done:
	case <-w.ctx.Done():
		// A walk that goes on notices by itself, within a directory entry.
		const grace = 500 * time.Millisecond
		select {
		case <-done:
		case <-time.After(grace):
			return false
		}
	}
	a.p.MakeReach().Mounts.Value = w.mounts
	return true
}

// filesRoot opens the root directory that the walk starts from.
func (a *collector) filesRoot() openDirectory {
	if a.self {
		return a.openOwn("/")
	}
	return a.follow(a.filesThread(), "root")
}

// alike says that the calling thread speaks for all in what it may reach.
func (a *collector) alike() bool {
	return a.p.Threads.State == posture.Known && len(a.p.Classes) == 1
}

// otherRoots notes threads whose root directory is another: what they reach was
// not walked.
func (a *collector) otherRoots(w *walker) {
	first := a.filesThread()
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if tid == first {
				continue
			}
			if same, err := a.c.SameFS(first, tid); err == nil && same {
				continue
			}
			if !a.rootIsTop(tid, w) {
				w.leave("/", "thread "+strconv.Itoa(tid)+" has, or may have, another root directory")
			}
		}
	}
}

// rootIsTop says whether a thread's root directory is the one that was walked
// from. One that has ended has none.
func (a *collector) rootIsTop(tid int, w *walker) bool {
	d := a.follow(tid, "root")
	if d.err == errThreadEnded {
		return true
	}
	defer d.close()
	at := a.place(d)
	top := &w.top.FileStat
	return at.State == posture.Known && at.Value.HasMountID && at.Value.MountID == top.MountID && sameDirectory(&at.Value, top)
}

// maxNested is how deep the kernel nests user namespaces, and some.
const maxNested = 40

// mountsCount says whether set-ID bits on the mounts count for the process: its
// user namespace has to be that which owns the mount namespace, or one below.
func (a *collector) mountsCount() (f posture.Fact[bool]) {
	f.Value = true
	if a.self {
		// Whoever joins mounts of a user namespace below its own knows it.
		f.Know("the own mount namespace", "")
		return f
	}
	tid := strconv.Itoa(a.filesThread())
	source := a.task.Path() + "/" + tid + "/ns/mnt"
	err := a.ownedAbove(tid)
	if err != nil {
		f.Fail(source, err.Error())
		return f
	}
	f.Know(source, "")
	return f
}

var errOwnedBelow = errors.New("its mount namespace belongs to a user namespace that is not above its own, where some mounts do not count and nothing tells which")

// ownedAbove returns nil where a thread's mount namespace belongs to its user
// namespace or one above.
func (a *collector) ownedAbove(tid string) error {
	mnt, err := a.task.OpenNamespace(tid + "/ns/mnt")
	if err != nil {
		return err
	}
	defer kernel.Close(mnt)
	owner, err := kernel.NamespaceOwner(mnt, "ns/mnt")
	if errors.Is(err, syscall.EPERM) {
		return nil // above our own, and so above all that we see
	}
	if err != nil {
		return err
	}
	defer kernel.Close(owner)
	want, err := a.c.Stat(owner, "ns/mnt")
	if err != nil {
		return err
	}
	at, err := a.task.OpenNamespace(tid + "/ns/user")
	for range maxNested {
		if err != nil {
			break
		}
		var st kernel.FileStat
		if st, err = a.c.Stat(at, "ns/user"); err == nil && sameDirectory(&st, &want) {
			kernel.Close(at)
			return nil
		}
		above, errUp := kernel.NamespaceOwner(at, "ns/user")
		kernel.Close(at)
		at, err = above, errUp
	}
	if errors.Is(err, syscall.EPERM) {
		return errOwnedBelow // as far up as we see
	}
	if err == nil {
		kernel.Close(at)
		err = errOwnedBelow
	}
	return err
}
