package collect

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
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
