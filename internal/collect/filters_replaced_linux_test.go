package collect

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"golang.org/x/sys/unix"
)

func init() {
	// Has one filter on its leader and another on a second thread, which
	// executes a program as soon as the leader was stopped: it goes on under the
	// leader's number.
	acts["replaced"] = func() error {
		if len(os.Args) > 1 {
			return stay(1)
		}
		var stopped atomic.Bool
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			must(loadHere(tagged(5, 1)))
			exe, err := os.Executable()
			must(err)
			ready <- true
			for !stopped.Load() {
			}
			must(syscall.Exec(exe, []string{exe, "after"}, os.Environ()))
		}()
		<-ready
		must(loadHere(tagged(5, 0)))
		fd, err := unix.EpollCreate1(0)
		must(err)
		fmt.Println(unix.Getpid())
		events := make([]unix.EpollEvent, 1)
		// epoll_wait(2) is not made again after a stop.
		_, _ = unix.EpollWait(fd, events, -1)
		stopped.Store(true)
		select {}
	}
}

func init() {
	// Has a leader of another user id than its other threads, one of which
	// executes a program when it is told to: the leader is root from then on.
	acts["promoted"] = func() error {
		if len(os.Args) > 1 {
			return stay(1)
		}
		told := make(chan os.Signal, 1)
		signal.Notify(told, unix.SIGUSR1)
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			exe, err := os.Executable()
			must(err)
			ready <- true
			<-told
			must(syscall.Exec(exe, []string{exe, "after"}, os.Environ()))
		}()
		<-ready
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			return errno
		}
		fmt.Println(unix.Getpid())
		select {}
	}
}

// What was read of a leader is not kept where another thread has taken its
// number since.
func TestLeaderPromoted(t *testing.T) {
	needRoot(t)
	pid, _ := talk(t, command(t, "promoted"), 1)
	a := &collector{ctx: t.Context(), c: kernel.New(nil), tid: kernel.Gettid(), p: &posture.Process{PID: pid}}
	held, err := a.hold()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close(held)
	defer a.close()
	if err := a.open(held); err != nil {
		t.Fatal(err)
	}
	set := newThreadSet(a.c, a.task, pid, &a.buf)
	if set.list, err = a.task.Numbers(&a.buf, nil); err != nil {
		t.Fatal(err)
	}
	slices.Sort(set.list)
	set.readNew()
	if uid := set.classes[0].status.UID.Value.Real.Value; uid != 65534 {
		t.Fatalf("the leader has user id %d", uid)
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if procLine(pid, "Uid") == "0\t0\t0\t0" {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if err := set.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	set.order()
	if c := set.classes[0]; c.tid != pid || c.status.UID.Value.Real.Value != 0 {
		t.Errorf("thread %d of process %d has user id %d", c.tid, pid, c.status.UID.Value.Real.Value)
	}
}

// A thread that executes a program takes the leader's number, and keeps its own
// filters. Those of the leader before are not taken for them.
func TestLeaderReplaced(t *testing.T) {
	needFetch(t)
	other := encoded(tagged(5, 1))
	for range 5 {
		pid, _ := talk(t, command(t, "replaced"), 1)
		time.Sleep(20 * time.Millisecond)
		p, err := PID(t.Context(), pid, Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for i := range p.Classes {
			f := &p.Classes[i].Filters
			found = found || f.State == posture.Known && len(f.Value.Programs) == 1 && bytes.Equal(f.Value.Programs[0], other)
		}
		if _, all := p.Threads.Get(); all && !found {
			t.Errorf("the filter of the thread that went on is not there, in %d classes", len(p.Classes))
		}
	}
}

// A thread's number that is given again is not the thread that was read.
func TestFilterIdentity(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5)
	a := &collector{ctx: t.Context(), c: kernel.New(nil), tid: kernel.Gettid()}
	a.p = &posture.Process{PID: pid}
	held, err := a.hold()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close(held)
	defer a.close()
	if err := a.open(held); err != nil {
		t.Fatal(err)
	}
	f := newFilterReader(a)
	if _, err := a.readThreads(); err != nil {
		t.Fatal(err)
	}
	id := f.identity(pid)
	if id == 0 || id != f.identity(pid) || f.identity(1<<30) != 0 {
		t.Fatalf("identities %d, %d, %d", id, f.identity(pid), f.identity(1<<30))
	}
	f.got[pid] = fetchedFilters{digest: "of another", count: 1, id: id + 1}
	if err := a.otherThreads(); err != nil {
		t.Fatal(err)
	}
	f.settled()
	if got := f.got[pid]; got.digest != digestOf([][]byte{encoded(tagged(5, 0))}) || got.id != id {
		t.Errorf("the filters of another thread are kept: %+v", got)
	}
}

// Auditors that read one process at the same time wait for each other: a thread
// has one tracer.
func TestAuditorsTogether(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5, 4096, 4096)
	const auditors, audits = 4, 15
	why := make(chan string, auditors*audits)
	var done sync.WaitGroup
	for range auditors {
		done.Go(func() {
			for range audits {
				p, err := PID(t.Context(), pid, Options{Filters: true})
				if err != nil {
					why <- err.Error()
				} else if c := classOf(p, pid); c.Filters.State != posture.Known {
					why <- c.Filters.Why()
				}
			}
		})
	}
	done.Wait()
	close(why)
	for w := range why {
		t.Error(w)
	}
	untouched(t, pid)
}
