package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
	"golang.org/x/sys/unix"
)

func TestSelf(t *testing.T) {
	p, err := self(Options{Root: ReadRoot, Descriptors: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellRead(p); err != nil {
		t.Fatal(err)
	}
	if p.Classes[0].TID != os.Getpid() || len(p.Classes) != 1 {
		t.Errorf("%d classes, the first of %v", len(p.Classes), p.Classes[0].TIDs)
	}
	if exe, _ := os.Executable(); p.Exe.Value != exe || !p.Self || p.PID != os.Getpid() {
		t.Errorf("exe %q, want %q", p.Exe.Value, exe)
	}
	uid := p.Classes[0].UID.Value
	if int(uid.Real.Value) != os.Getuid() || int(uid.Effective.Value) != os.Geteuid() {
		t.Errorf("uid %+v", uid)
	}
	if start, known := p.StartTime.Get(); !known || time.Since(start) < 0 || time.Since(start) > time.Hour {
		t.Errorf("start time %v", p.StartTime)
	}
	if last, known := p.LastCapability.Get(); !known || last < 37 || last > 62 {
		t.Errorf("last capability %v", p.LastCapability)
	}
}

func start(t *testing.T, words ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// settled waits until the process runs the named program.
func settled(t *testing.T, pid int, comm string) {
	t.Helper()
	for range 200 {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if strings.TrimSpace(string(b)) == comm {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d never became %s", pid, comm)
}

func TestPID(t *testing.T) {
	cmd := start(t, "sleep", "60")
	settled(t, cmd.Process.Pid, "sleep")
	p, err := PID(context.Background(), cmd.Process.Pid, Options{Root: ReadRoot, Descriptors: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellRead(p); err != nil {
		t.Fatal(err)
	}
	if p.Self || p.Threads.Value != 1 || p.Comm.Value != "sleep" || len(p.Kernel) != 1 {
		t.Errorf("%+v", p)
	}
	if p.Classes[0].Securebits.State == posture.Known || p.Classes[0].Dumpable.State == posture.Known {
		t.Error("what no one outside can read is known")
	}
	if _, known := p.Descriptors.Get(); !known {
		t.Errorf("descriptors: %s", p.Descriptors.Why())
	}
}

func TestNotAuditable(t *testing.T) {
	zombie := start(t, "true")
	for range 200 {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", zombie.Process.Pid))
		if strings.Contains(string(b), ") Z ") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pid  int
		want error
	}{
		{"zombie", zombie.Process.Pid, ErrZombie},
		{"ended", gone.Process.Pid, ErrNoProcess},
		{"zero", 0, ErrNoProcess},
		{"negative", -1, ErrNoProcess},
		{"huge", 1 << 30, ErrNoProcess},
		{"thread", lockedThreads(t, 1, nil)[0], ErrNoProcess},
		{"kernel thread", 2, ErrKernelThread},
	} {
		for _, deny := range []map[string]string{nil, {"pidfd_open": "test"}} {
			if c.pid == 2 {
				if b, _ := os.ReadFile("/proc/2/comm"); string(b) != "kthreadd\n" {
					skip(t, "process 2 is not a kernel thread in this pid namespace")
				}
			}
			if deny != nil && c.name == "thread" {
				continue // the next test's
			}
			_, err := PID(context.Background(), c.pid, Options{Deny: deny})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), strconv.Itoa(c.pid)) {
				t.Errorf("%s, without %v: %v, want %v", c.name, deny, err, c.want)
			}
		}
	}
}

// held begins an audit of a process and stops where all was read.
func held(pid int, deny map[string]string) (*collector, int, error) {
	a := &collector{ctx: context.Background(), c: kernel.New(deny), tid: kernel.Gettid(), p: &posture.Process{PID: pid}}
	fd, err := a.hold()
	if err != nil {
		return nil, -1, err
	}
	if err := a.open(fd); err != nil {
		return nil, -1, err
	}
	return a, fd, a.otherThreads()
}

func TestEndedDuringAudit(t *testing.T) {
	for _, deny := range []map[string]string{nil, {"pidfd_open": "test"}} {
		cmd := start(t, "sleep", "60")
		a, fd, err := held(cmd.Process.Pid, deny)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.still(fd); err != nil {
			t.Errorf("alive: %v", err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := a.ended(a.otherThreads(), fd); !errors.Is(err, ErrEnded) {
			t.Errorf("threads of an ended process: %v", err)
		}
		if err := a.still(fd); !errors.Is(err, ErrEnded) {
			t.Errorf("%v, want %v", err, ErrEnded)
		}
		kernel.Close(fd)
		a.close()
	}
}

func init() {
	// Another process under the number of one that ended, with and without a
	// pidfd to tell.
	acts["reuse"] = func() error {
		for _, deny := range []map[string]string{nil, {"pidfd_open": "test"}} {
			cmd := exec.Command("sleep", "60")
			must(cmd.Start())
			pid := cmd.Process.Pid
			a, fd, err := held(pid, deny)
			if err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond) // so that the start times differ by ticks
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			next, err := numbered(pid)
			if err != nil {
				return err
			}
			err = a.still(fd)
			if deny == nil && !errors.Is(err, ErrEnded) || deny != nil && !errors.Is(err, ErrReused) {
				return fmt.Errorf("with pidfd %v: %v", deny == nil, err)
			}
			_ = next.Process.Kill()
			_ = next.Wait()
			kernel.Close(fd)
			a.close()
		}
		return nil
	}
}

// numbered starts a process with a certain number, in a pid namespace of our own.
func numbered(pid int) (*exec.Cmd, error) {
	for range 50 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return nil, err
		}
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		if cmd.Process.Pid == pid {
			return cmd, nil
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return nil, fmt.Errorf("no process came to number %d", pid)
}

func TestReusedPID(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("unshare"); err != nil {
		skip(t, "needs unshare(1)")
	}
	runAct(t, command(t, "reuse", "unshare", "-fpm", "--mount-proc"))
}

// lockedThreads starts n threads, none of them the main one, that stay until
// the test ends.
func lockedThreads(t *testing.T, n int, each func(i int)) []int {
	t.Helper()
	out := make([]int, n)
	tids := make(chan bool, n)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	var body func(i int)
	body = func(i int) {
		runtime.LockOSThread()
		if syscall.Gettid() == os.Getpid() {
			// The main thread outlives its goroutine: another, while it is held.
			defer runtime.UnlockOSThread()
			go body(i)
			<-stop
			return
		}
		if each != nil {
			each(i)
		}
		out[i] = syscall.Gettid()
		tids <- true
		<-stop // still locked: the thread ends with the goroutine
	}
	for i := range n {
		go body(i)
	}
	for range n {
		<-tids
	}
	return out
}

func TestThousandThreads(t *testing.T) {
	lockedThreads(t, 1000, nil)
	p, err := self(Options{})
	if err == nil {
		err = wellRead(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	if p.Threads.Value < 1000 || len(p.Classes) != 1 || len(p.Kernel) != p.Threads.Value {
		t.Errorf("%d threads in %d classes, %d asked", p.Threads.Value, len(p.Classes), len(p.Kernel))
	}
}

// One thread that differs is a class of its own, whatever it is that differs.
func TestOneThreadDiffers(t *testing.T) {
	tids := lockedThreads(t, 3, func(i int) {
		switch i {
		case 0:
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				t.Error(err)
			}
		case 1: // drops its effective set, root or not
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capset(&hdr, &data[0]); err != nil {
				t.Error(err)
			}
		}
	})
	p, err := self(Options{})
	if err == nil {
		err = wellRead(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := 3
	if os.Geteuid() != 0 {
		want = 2 // there was nothing to drop
	}
	if len(p.Classes) != want {
		t.Fatalf("%d classes, want %d", len(p.Classes), want)
	}
	c := classOf(p, tids[0])
	if !c.NoNewPrivs.Value || len(c.TIDs) != 1 {
		t.Errorf("the thread with no_new_privs: %+v", c)
	}
	if c := classOf(p, tids[1]); c.Caps.Effective.Value != 0 || c.NoNewPrivs.Value {
		t.Errorf("the thread without capabilities: %+v", c)
	}
	if p.Classes[0].TID != os.Getpid() || classOf(p, os.Getpid()) != &p.Classes[0] {
		t.Errorf("the leader's class is not first: %v", p.Classes[0].TIDs)
	}
}

// Threads that come and go all the time: the audit ends, and either counts
// all that it lists or says that it cannot.
func TestThreadsChurn(t *testing.T) {
	var stop atomic.Bool
	defer stop.Store(true)
	for range 2 {
		go func() {
			for !stop.Load() {
				done := make(chan bool)
				go func() {
					runtime.LockOSThread()
					time.Sleep(100 * time.Microsecond)
					if syscall.Gettid() == os.Getpid() {
						runtime.UnlockOSThread() // the main thread must not end
					}
					close(done)
				}()
				<-done
			}
		}()
	}
	for range 30 {
		began := time.Now()
		p, err := self(Options{})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		seen := 0
		for i := range p.Classes {
			seen += len(p.Classes[i].TIDs)
			if p.Classes[i].UID.State != posture.Known {
				t.Errorf("a thread that ended is left: %s", p.Classes[i].UID.Why())
			}
		}
		if n, known := p.Threads.Get(); known && n != seen || !known && !strings.Contains(p.Threads.Err, "kept changing") {
			t.Errorf("%d threads seen: %+v", seen, p.Threads)
		}
		if classOf(p, os.Getpid()) == nil {
			t.Error("the leader is not among them")
		}
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := Self(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v %v", p, err)
	}
	if p, err := PID(ctx, os.Getpid(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v %v", p, err)
	}
}

func TestOwnSeccompAndHost(t *testing.T) {
	if mode, known := OwnSeccomp(); !known || mode < 0 || mode > 2 {
		t.Errorf("mode %d, known %v", mode, known)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if release, arch := Host(); release != unix.ByteSliceToString(u.Release[:]) || arch != runtime.GOARCH {
		t.Errorf("%q %q", release, arch)
	}
}

// Descriptors that an audit opens are closed by it.
func TestNothingLeftOpen(t *testing.T) {
	count := func() int {
		e, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(e)
	}
	kept, err := procfs.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	cmd := start(t, "sleep", "60")
	before := count()
	for _, deny := range ways {
		for _, o := range []Options{{Root: ReadRoot, Descriptors: true, Deny: deny}, {Kept: kept, Root: ReadRoot, Descriptors: true}} {
			if _, err := self(o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := PID(context.Background(), cmd.Process.Pid, Options{Root: ReadRoot, Descriptors: true, Deny: deny}); err != nil {
			t.Fatal(err)
		}
		_, _ = PID(context.Background(), 2, Options{Deny: deny})
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func init() {
	// Thread numbers that begin again: the leader is not the lowest.
	acts["wrapped"] = func() error {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte("300"), 0); err != nil {
			return err
		}
		first := newThreads(40)
		defer first()
		p, err := self(Options{})
		if err != nil {
			return err
		}
		if err := wellRead(p); err != nil {
			return err
		}
		if c := &p.Classes[0]; c.TID != os.Getpid() || c.TIDs[0] >= os.Getpid() || c.NSpid.Value[0] != os.Getpid() {
			return fmt.Errorf("leader %d: class of %d: %v, NSpid %v", os.Getpid(), c.TID, c.TIDs, c.NSpid)
		}
		return nil
	}
}

func TestLeaderIsNotTheLowest(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("unshare"); err != nil {
		skip(t, "needs unshare(1)")
	}
	const script = `echo 5000 > /proc/sys/kernel/ns_last_pid; "$0"; exit $?`
	runAct(t, command(t, "wrapped", "unshare", "-fpm", "--mount-proc", "sh", "-c", script))
}
