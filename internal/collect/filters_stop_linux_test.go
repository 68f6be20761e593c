package collect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"golang.org/x/sys/unix"
)

// A process that job control has stopped is read, and stays stopped. Its
// parent, which was told once, is not told again.
func TestStoppedStaysStopped(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v %v", status, err)
	}
	var room kernel.FilterRoom
	for range 50 {
		if got, err := fetch(t.Context(), pid, &room); err != nil || len(got) != 1 {
			t.Fatalf("%d filters, %v", len(got), err)
		}
	}
	// On its way from the one stop to the other it does not come to run its
	// program, and shows as running.
	for range 100 {
		if strings.HasPrefix(procLine(pid, "State"), "T ") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		if state := procLine(pid, "State"); !strings.HasPrefix(state, "T ") {
			t.Errorf("state %q", state)
		}
		time.Sleep(time.Millisecond)
	}
	if tracer := procLine(pid, "TracerPid"); tracer != "0" {
		t.Errorf("traced by %s", tracer)
	}
	if got, err := syscall.Wait4(pid, &status, syscall.WUNTRACED|syscall.WNOHANG, nil); got != 0 || err != nil {
		t.Errorf("the parent is told again: %d %v %v", got, status, err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	untouched(t, pid)
}

func init() {
	// Stands in vfork(2) until its child is killed.
	acts["vfork"] = func() error {
		fmt.Println(unix.Getpid())
		must(loadHere(tagged(5, 0)))
		pid := vforked()
		_, err := unix.Wait4(pid, nil, 0, nil)
		return err
	}
}

// vforked makes a child that its parent waits for in vfork(2), and that waits
// itself. It dies with its parent.
//
//go:nosplit
//go:norace
func vforked() int {
	pid, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, syscall.CLONE_VFORK|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 {
		return int(pid)
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	for {
		wait := syscall.Timespec{Sec: 3600}
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, addressOf(&wait), 0, 8, 0)
	}
}

// childOf waits for a process to have a child, and kills that in the end.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)
	for range 200 {
		b, _ := os.ReadFile(path)
		if child, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
			return child
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}

// A thread that does not stop is unknown after a bounded time, and left alone.
func TestDoesNotStop(t *testing.T) {
	needFetch(t)
	pid, _ := talk(t, command(t, "vfork"), 1)
	childOf(t, pid)
	var room kernel.FilterRoom
	began := time.Now()
	_, err := fetch(t.Context(), pid, &room)
	if took := time.Since(began); reasonOf(err) != kernel.FilterNotStopped || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	untouched(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	began = time.Now()
	_, err = fetch(ctx, pid, &room)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 300*time.Millisecond {
		t.Errorf("%v after %v", err, took)
	}
	untouched(t, pid)
	p, err := PID(t.Context(), pid, Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &classOf(p, pid).Filters
	if f.State != posture.Unreadable || !strings.Contains(f.Why(), "did not come to stand still") {
		t.Errorf("%+v", f.Origin)
	}
	untouched(t, pid)
}

func init() {
	// Answers each SIGUSR1 with a byte, under some filters on all threads.
	acts["echo"] = func() error {
		signals := make(chan os.Signal, 16)
		signal.Notify(signals, syscall.SIGUSR1)
		n, err := strconv.Atoi(os.Args[1])
		must(err)
		for i := range n {
			must(filterFor(unix.SECCOMP_RET_ALLOW, uint32(i)))
		}
		fmt.Println(1)
		for range signals {
			if _, err := os.Stdout.Write([]byte("!")); err != nil {
				return nil
			}
		}
		return nil
	}
}

// No signal is lost that arrives while a process is looked at, and none is made.
func TestSignalsArrive(t *testing.T) {
	needFetch(t)
	t.Run("one turn", func(t *testing.T) { signalsArrive(t, 1) })
	t.Run("several turns", func(t *testing.T) { signalsArrive(t, 800) })
}

func signalsArrive(t *testing.T, filters int) {
	cmd := command(t, "echo")
	cmd.Args = append(cmd.Args, strconv.Itoa(filters))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	echo := bufio.NewReader(out)
	if line, err := echo.ReadString('\n'); line != "1\n" {
		t.Fatal(line, err)
	}
	pid := cmd.Process.Pid
	var readings atomic.Int32
	defer whileReading(pid, &readings)()
	alarm := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer alarm.Stop()
	for i := range 2000 {
		if err := syscall.Tgkill(pid, pid, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if _, err := echo.ReadByte(); err != nil {
			t.Fatalf("signal %d was lost: %v", i, err)
		}
	}
	if t.Logf("2000 signals during %d readings", readings.Load()); readings.Load() < 5 {
		t.Error("too few readings")
	}
	// Nothing is left that nobody sent.
	time.Sleep(10 * time.Millisecond)
	_ = cmd.Process.Kill()
	if rest, _ := io.ReadAll(echo); len(rest) != 0 {
		t.Errorf("%d signals too many", len(rest))
	}
}

// whileReading reads a process's filters over and over until it is told to stop.
func whileReading(pid int, readings *atomic.Int32) (stop func()) {
	var over atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		var room kernel.FilterRoom
		for !over.Load() {
			if _, err := fetch(context.Background(), pid, &room); err == nil {
				readings.Add(1)
			}
		}
	}()
	return func() {
		over.Store(true)
		<-done
	}
}

// A target that is killed in the middle is its parent's to wait for, though
// the parent and the tracer are one process here.
func TestKilledInTheMiddle(t *testing.T) {
	needFetch(t)
	var room kernel.FilterRoom
	ended := 0
	for range 60 {
		cmd := command(t, "stacked")
		cmd.Args = append(cmd.Args, "200")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var ready int
		if _, err := fmt.Fscan(out, &ready); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		time.AfterFunc(time.Duration(rand.IntN(1500))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		for began := time.Now(); ; {
			_, err := fetch(t.Context(), pid, &room)
			if err != nil {
				// Zombies answer EPERM.
				if r := reasonOf(err); r != kernel.FilterEnded && r != kernel.FilterAccess {
					t.Errorf("%v", err)
				}
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatal("it does not die")
			}
		}
		err = cmd.Wait()
		_ = in.Close()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the parent is told %v", err)
		}
		ended++
	}
	t.Logf("%d targets killed", ended)
}

func init() {
	// Reads the filters of a process over and over.
	acts["reader"] = func() error {
		pid, err := strconv.Atoi(os.Args[1])
		must(err)
		var room kernel.FilterRoom
		fmt.Println(1)
		for {
			if _, err := fetch(context.Background(), pid, &room); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return err
			}
		}
	}
}

// The auditor is killed in the middle: what it looked at runs on.
func TestAuditorKilled(t *testing.T) {
	needFetch(t)
	cmd := command(t, "stacked")
	cmd.Args = append(cmd.Args, "150")
	pid, _ := talk(t, cmd, 1)
	held := 0
	for range 100 {
		reader := command(t, "reader")
		reader.Args = append(reader.Args, strconv.Itoa(pid))
		out, err := reader.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Start(); err != nil {
			t.Fatal(err)
		}
		var ready int
		if _, err := fmt.Fscan(out, &ready); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if tracer := procLine(pid, "TracerPid"); tracer != "0" {
			held++
		}
		_ = reader.Process.Kill()
		var exit *exec.ExitError
		if err := reader.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the reader ended by itself: %v", err)
		}
		untouched(t, pid)
	}
	if t.Logf("traced when looked at: %d of 100", held); held == 0 {
		t.Error("the auditor was never killed in the middle")
	}
}

func init() {
	// Another part of the program that waits for any child takes the stops.
	acts["reaper"] = func() error {
		cmd := exec.Command(os.Args[0], "5")
		cmd.Env = append(os.Environ(), actVariable+"=filtered")
		in, err := cmd.StdinPipe()
		must(err)
		out, err := cmd.StdoutPipe()
		must(err)
		must(cmd.Start())
		var ready int
		if _, err := fmt.Fscan(out, &ready); err != nil {
			return err
		}
		taken, stop := 0, make(chan bool)
		go func() {
			runtime.LockOSThread()
			for {
				select {
				case <-stop:
					stop <- true
					return
				default:
					var status unix.WaitStatus
					if pid, _ := unix.Wait4(-1, &status, unix.WNOHANG|unix.WALL, nil); pid > 0 {
						taken++
					}
				}
			}
		}()
		var room kernel.FilterRoom
		for range 300 {
			if _, err := fetch(context.Background(), cmd.Process.Pid, &room); err != nil {
				return err
			}
		}
		stop <- true
		<-stop
		_ = in.Close()
		_ = cmd.Wait()
		if taken == 0 {
			return errors.New("no stop was taken")
		}
		return nil
	}
}

func TestStopsTakenBySomebodyElse(t *testing.T) {
	needFetch(t)
	runAct(t, command(t, "reaper"))
}

func init() {
	// Executes itself over and over, from another thread than the leader.
	acts["exec"] = func() error {
		n, err := strconv.Atoi(os.Args[1])
		must(err)
		if n == 0 {
			must(filterFor(unix.SECCOMP_RET_ALLOW))
			fmt.Println(1)
		}
		if n == 150 {
			return stay(2)
		}
		failed := make(chan error)
		go func() {
			runtime.LockOSThread()
			exe, err := os.Executable()
			must(err)
			failed <- syscall.Exec(exe, []string{exe, strconv.Itoa(n + 1)}, os.Environ())
		}()
		return <-failed
	}
}

// A process that executes programs meanwhile is read, or said to have changed.
func TestExecInTheMiddle(t *testing.T) {
	needFetch(t)
	cmd := command(t, "exec")
	cmd.Args = append(cmd.Args, "0")
	pid, _ := talk(t, cmd, 1)
	var room kernel.FilterRoom
	read := 0
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
		got, err := fetch(t.Context(), pid, &room)
		switch r := reasonOf(err); {
		case err == nil && len(got) == 1:
			read++
		case r != kernel.FilterEnded && r != kernel.FilterAccess && r != kernel.FilterNotStopped:
			t.Errorf("%d filters, %v", len(got), err)
		}
	}
	t.Logf("read %d times", read)
	untouched(t, pid)
}

// Freezers: that of cgroup v2 lets a process be traced, that of v1 does not.
func TestFrozen(t *testing.T) {
	needFetch(t)
	for _, c := range []struct{ root, file, freeze, thaw string }{
		{"/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
		{"/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
	} {
		dir := filepath.Join(c.root, "selfaudit-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			defer os.Remove(dir)
			file := filepath.Join(dir, c.file)
			if _, err := os.Stat(file); err != nil {
				t.Log("no freezer here")
				return
			}
			pid := filtered(t, 5)
			write := func(file, text string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(text), 0); err != nil {
					t.Error(err)
				}
			}
			write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
			write(file, c.freeze)
			time.Sleep(50 * time.Millisecond)
			var room kernel.FilterRoom
			began := time.Now()
			got, err := fetch(t.Context(), pid, &room)
			if len(got) != 1 && reasonOf(err) != kernel.FilterNotStopped || time.Since(began) > 3*time.Second {
				t.Errorf("%d filters, %v after %v", len(got), err, time.Since(began))
			}
			t.Logf("%d filters, %v", len(got), err)
			if tracer := procLine(pid, "TracerPid"); tracer != "0" {
				t.Errorf("traced by %s", tracer)
			}
			write(file, c.thaw)
			untouched(t, pid)
			write(filepath.Join(c.root, "cgroup.procs"), strconv.Itoa(pid))
		})
	}
}

// Job control goes on while a process is looked at: its parent is told of each
// stop and each continuation, and of nothing else.
func TestStopsAndContinues(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5, 5)
	reader := command(t, "reader")
	reader.Args = append(reader.Args, strconv.Itoa(pid))
	readerPID, _ := talk(t, reader, 1)
	t.Cleanup(func() { _ = reader.Process.Kill() })
	await := func(want string) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(20 * time.Microsecond) {
			var status syscall.WaitStatus
			got, err := syscall.Wait4(pid, &status, syscall.WUNTRACED|syscall.WCONTINUED|syscall.WNOHANG, nil)
			told := "continued"
			if status.Stopped() {
				told = status.StopSignal().String()
			}
			switch {
			case err != nil:
				t.Fatal(err)
			case got == pid && told == want:
				return
			case got == pid:
				t.Fatalf("told %q (%#x), want %q", told, uint32(status), want)
			case time.Since(began) > 5*time.Second:
				t.Fatalf("not told %q: %v", want, procLine(pid, "State"))
			}
		}
	}
	for range 300 {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		await(syscall.SIGSTOP.String())
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		await("continued")
	}
	if state := procLine(readerPID, "State"); state == "" || state[0] == 'Z' {
		t.Errorf("the reader failed: state %q", state)
	}
	_ = reader.Process.Kill()
	_ = reader.Wait()
	untouched(t, pid)
}

func init() {
	// Executes itself when told to, and has a second thread until then.
	acts["exec-when-told"] = func() error {
		must(loadHere(tagged(5, 0)))
		tid := make(chan int)
		go func() {
			runtime.LockOSThread()
			tid <- unix.Gettid()
			select {}
		}()
		if err := stay(<-tid); err != nil {
			return err
		}
		must(os.Setenv(actVariable, "stay"))
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}

// An execve(2) that hangs keeps everyone from attaching. The attempt is given
// up, and leaves no trace when it comes to an end by itself.
func TestHungExec(t *testing.T) {
	needFetch(t)
	target := command(t, "exec-when-told")
	in, err := target.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := target.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = target.Wait() }()
	var tid int
	if _, err := fmt.Fscan(out, &tid); err != nil {
		t.Fatal(err)
	}
	// What traces a thread and does not wait for it when it has ended keeps
	// the execve(2) waiting.
	tracer := command(t, "tracer")
	tracer.Args = append(tracer.Args, strconv.Itoa(tid))
	talk(t, tracer, 1)
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d/status", target.Process.Pid, tid)); err != nil || strings.HasPrefix(procLine2(target.Process.Pid, tid, "State"), "Z") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	pid := target.Process.Pid
	var room kernel.FilterRoom
	began := time.Now()
	_, err = fetch(t.Context(), pid, &room)
	if took := time.Since(began); reasonOf(err) != kernel.FilterNotAttached || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := fetch(ctx, pid, &room); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	_ = tracer.Process.Kill()
	_ = tracer.Wait()
	var ready int
	if _, err := fmt.Fscan(out, &ready); err != nil || ready != 1 {
		t.Fatalf("the program did not start: %v", err)
	}
	for range 100 {
		if procLine(pid, "TracerPid") == "0" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	untouched(t, pid)
	if got, err := fetch(t.Context(), pid, &room); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %d filters, %v", len(got), err)
	}
}

func init() {
	// Threads that come, load a filter each, and go, until the input ends.
	acts["churn-filters"] = func() error {
		must(loadHere(tagged(5, 0)))
		go func() {
			for i := 0; ; i++ {
				done := make(chan bool)
				go func() {
					runtime.LockOSThread()
					if unix.Gettid() != unix.Getpid() {
						must(loadHere(tagged(4+i%3, uint32(i))))
						time.Sleep(200 * time.Microsecond)
					} else {
						runtime.UnlockOSThread()
					}
					close(done)
				}()
				<-done
			}
		}()
		return stay(1)
	}
}

// Threads that come and go: the audit ends, no thread's filters are taken for
// another's, and what keeps changing is unknown.
func TestFiltersChurn(t *testing.T) {
	needFetch(t)
	pid, _ := talk(t, command(t, "churn-filters"), 1)
	known := 0
	for range 20 {
		began := time.Now()
		p, err := PID(t.Context(), pid, Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		for i := range p.Classes {
			c := &p.Classes[i]
			if c.Filters.State != posture.Known {
				continue
			}
			if c.SeccompFilters.Value != len(c.Filters.Value.Programs) {
				t.Errorf("threads %v: %d filters of %d", c.TIDs, len(c.Filters.Value.Programs), c.SeccompFilters.Value)
			}
		}
		if c := classOf(p, pid); c == nil || c.Filters.State != posture.Known || len(c.Filters.Value.Programs) != 1 {
			t.Errorf("the leader: %+v", c)
		}
		if _, all := p.Threads.Get(); all {
			known++
		}
	}
	t.Logf("the thread set stood still %d times of 20", known)
	untouched(t, pid)
}
