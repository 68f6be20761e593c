package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"golang.org/x/sys/unix"
)

// refusedFilters wants a process audited from outside, and its filters unread
// for a reason that says so.
func refusedFilters(pid int, because string) error {
	p, err := PID(context.Background(), pid, Options{Filters: true})
	if err != nil {
		return err
	}
	c := classOf(p, pid)
	if c == nil || c.SeccompMode.Value != 2 {
		return fmt.Errorf("no thread under a filter: %+v", c)
	}
	if c.Filters.State != posture.Unreadable || !strings.Contains(c.Filters.Why(), because) {
		return fmt.Errorf("filters %v %q, want %q", c.Filters.State, c.Filters.Why(), because)
	}
	return nil
}

// target is the process that an act is to audit.
func target() int {
	pid, err := strconv.Atoi(os.Args[1])
	must(err)
	return pid
}

// refusals are callers whom the kernel does not show the filters, or does.
var refusals = map[string]struct {
	prepare func() error
	because string
}{
	"unprivileged": {dropAll, "needs CAP_SYS_ADMIN"},
	"under its own filter": {func() error {
		return filterFor(unix.SECCOMP_RET_ALLOW)
	}, "under a filter itself"},
	"under a filter that refuses prctl": {func() error {
		return filterFor(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM), unix.SYS_PRCTL)
	}, "under a filter itself"},
	"without ptrace access": {func() error {
		// The target has a capability that we then lack.
		if have, err := newCalls().Capget(0); err != nil || have.Permitted&(1<<unix.CAP_SYS_PTRACE) == 0 {
			return err
		}
		must(unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0))
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}, "no ptrace access: ptrace(PTRACE_SEIZE): EPERM"},
}

func init() {
	for name, r := range refusals {
		acts["refused "+name] = func() error {
			must(r.prepare())
			return refusedFilters(target(), r.because)
		}
	}
	// In a user namespace of its own, with every capability there.
	acts["in-user-namespace"] = func() error {
		cmd := exec.Command(os.Args[0], "5")
		cmd.Env = append(os.Environ(), actVariable+"=filtered")
		in, err := cmd.StdinPipe()
		must(err)
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
		out, err := cmd.StdoutPipe()
		must(err)
		must(cmd.Start())
		var ready int
		if _, err := fmt.Fscan(out, &ready); err != nil {
			return err
		}
		if err := refusedFilters(cmd.Process.Pid, "the auditor is in another"); err != nil {
			return err
		}
		// The same, found out by the kernel's answer alone.
		var room kernel.FilterRoom
		if _, err := fetch(context.Background(), cmd.Process.Pid, &room); reasonOf(err) != kernel.FilterUserNamespace || !errors.Is(err, syscall.EACCES) {
			return fmt.Errorf("the kernel: %w", err)
		}
		return nil
	}
	// Stays under a filter.
	acts["in-user-namespace-asked"] = func() error {
		must(loadHere(tagged(3, 0)))
		return stay(1)
	}
	// Traces a process, which goes on running.
	acts["tracer"] = func() error {
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(target()), 0, 0, 0, 0); errno != 0 {
			return errno
		}
		return stay(1)
	}
}

func TestRefusedFilters(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5)
	for name := range refusals {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "refused "+name)
			cmd.Args = append(cmd.Args, strconv.Itoa(pid))
			runAct(t, cmd)
			untouched(t, pid)
		})
	}
	t.Run("own process", func(t *testing.T) {
		p, err := PID(t.Context(), os.Getpid(), Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		if f := &p.Classes[0].Filters; f.State != posture.Known {
			t.Errorf("without filters: %+v", f.Origin)
		}
		runAct(t, command(t, "own-filters-by-number"))
	})
}

func init() {
	acts["own-filters-by-number"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ALLOW))
		return refusedFilters(os.Getpid(), "cannot trace its own threads")
	}
}

// Without root the same is refused, whoever's the process is.
func TestFiltersUnprivileged(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root, TestRefusedFilters does it")
		return
	}
	pid := filtered(t, 5)
	if err := refusedFilters(pid, "needs CAP_SYS_ADMIN"); err != nil {
		t.Error(err)
	}
	untouched(t, pid)
}

func TestTracedAlready(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5)
	cmd := command(t, "tracer")
	cmd.Args = append(cmd.Args, strconv.Itoa(pid))
	tracer, _ := talk(t, cmd, 1)
	if err := refusedFilters(pid, fmt.Sprintf("already traced by process %d", tracer)); err != nil {
		t.Error(err)
	}
	if now := procLine(pid, "TracerPid"); now != strconv.Itoa(tracer) {
		t.Errorf("traced by %s now", now)
	}
}

func TestFiltersAcrossUserNamespaces(t *testing.T) {
	own := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	if os.Getuid() != os.Getgid() {
		skip(t, "needs one number for user and group")
	}
	t.Run("the auditor in one", func(t *testing.T) { runAct(t, userNamespace(t, "in-user-namespace", own)) })
	t.Run("the target in one", func(t *testing.T) {
		needFetch(t)
		pid, _ := talk(t, userNamespace(t, "in-user-namespace-asked", own), 1)
		p, err := PID(t.Context(), pid, Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		if f, known := classOf(p, pid).Filters.Get(); !known || len(f.Programs) != 1 {
			t.Errorf("%+v", classOf(p, pid).Filters.Origin)
		}
		untouched(t, pid)
	})
}

// A thread whose status shows another number of filters than were fetched is
// unknown.
func TestCountsDisagree(t *testing.T) {
	f := &filterReader{collector: &collector{ctx: t.Context(), p: &posture.Process{}}, got: map[int]fetchedFilters{7: {digest: "x", count: 2}, 8: {digest: "y", count: 1}}}
	c := &posture.Class{TIDs: []int{7}}
	c.SeccompMode, c.SeccompFilters = posture.Of(2, "status", "Seccomp: 2"), posture.Of(1, "status", "Seccomp_filters: 1")
	if digest, why := f.ofClass(c); digest != "" || why != "2 filters, where status has Seccomp_filters: 1" {
		t.Errorf("%q %q", digest, why)
	}
	c.SeccompFilters.State = posture.Absent // before Linux 5.9
	if digest, why := f.ofClass(c); digest != "x" || why != "" {
		t.Errorf("%q %q", digest, why)
	}
	c.TIDs = []int{7, 8}
	if digest, why := f.ofClass(c); digest != "" || !strings.Contains(why, "kept changing") {
		t.Errorf("%q %q", digest, why)
	}
	f.got[8] = fetchedFilters{err: errors.New("no")}
	if digest, why := f.ofClass(c); digest != "" || why != "no" {
		t.Errorf("%q %q", digest, why)
	}
	c.TIDs = []int{7, 9}
	if digest, why := f.ofClass(c); digest != "" || why == "" {
		t.Errorf("%q %q", digest, why)
	}
}
