package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// forged is a status file that looks better than the truth.
const forged = "Name:\tweb\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%[1]d\nPid:\t%[2]d\nTracerPid:\t0\nUid:\t65532\t65532\t65532\t65532\nGid:\t65532\t65532\t65532\t65532\nGroups:\t\nNSpid:\t%[2]d\nThreads:\t1\n" +
	"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"

// coverStatus mounts a forged file over a thread's status.
func coverStatus(path string, pid, tid int) error {
	dir, err := os.MkdirTemp("", "selfaudit")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "status")
	if err := os.WriteFile(file, fmt.Appendf(nil, forged, pid, tid), 0o644); err != nil {
		return err
	}
	if err := mounts.Mount(file, path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", path, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), "65532") {
		return fmt.Errorf("the forgery does not show: %v", err)
	}
	return nil
}

// ways are the means by which a mount over a file is found out.
var ways = map[string]map[string]string{
	"openat2": nil,
	"statx":   {"openat2": "test"},
	"fdinfo":  {"openat2": "test", "statx": "test"},
}

func init() {
	for name, deny := range ways {
		acts["covered-status-"+name] = func() error { return coveredStatus(deny) }
		acts["covered-task-"+name] = func() error { return coveredTask(deny) }
		acts["covered-dir-"+name] = func() error { return coveredProcess(deny) }
	}
	acts["tmpfs-proc"] = func() error {
		must(private())
		must(mounts.Mount("tmpfs", "/proc", "tmpfs", 0, ""))
		return selfDisbelieved("not a procfs")
	}
	acts["no-proc"] = func() error {
		must(private())
		must(mounts.Mount("tmpfs", "/mnt", "tmpfs", 0, ""))
		must(syscall.Chroot("/mnt"))
		must(syscall.Chdir("/"))
		return selfDisbelieved("ENOENT")
	}
	acts["forged-proc"] = func() error {
		must(private())
		must(mounts.Mount("tmpfs", "/mnt", "tmpfs", 0, ""))
		pid := os.Getpid()
		task := fmt.Sprintf("/mnt/%d/task/%d", pid, pid)
		must(os.MkdirAll(task, 0o755))
		must(os.WriteFile(task+"/status", fmt.Appendf(nil, forged, pid, pid), 0o644))
		must(os.Symlink(strconv.Itoa(pid), "/mnt/self"))
		must(mounts.Mount("/mnt", "/proc", "", syscall.MS_BIND, ""))
		return selfDisbelieved("not a procfs")
	}
	acts["part-of-proc"] = func() error {
		must(private())
		must(mounts.Mount("/proc/self/task", "/proc", "", syscall.MS_BIND, ""))
		return selfDisbelieved("not the root of a procfs")
	}
	acts["foreign-proc"] = func() error { return selfDisbelieved("genuine") }
	acts["foreign-proc-same-number"] = func() error {
		if link, err := os.Readlink("/proc/self"); err != nil || link != strconv.Itoa(os.Getpid()) {
			return fmt.Errorf("the two numbers are not the same: self is %q, we are %d, %v", link, os.Getpid(), err)
		}
		if err := selfDisbelieved("parent pid namespace"); err != nil {
			return err
		}
		p, err := self(Options{Deny: map[string]string{"pidfd_open": "test"}})
		if err != nil {
			return err
		}
		return disbelieved(p, "our pid namespace")
	}
}

func selfDisbelieved(because string) error {
	p, err := self(Options{})
	if err != nil {
		return err
	}
	return disbelieved(p, because)
}

// coveredStatus: a file over the status of one thread; no thread's facts may
// come from it, and the kernel's own answers stand.
func coveredStatus(deny map[string]string) error {
	must(private())
	pid := os.Getpid()
	must(coverStatus("/proc/self/status", pid, pid))
	tid := syscall.Gettid()
	must(coverStatus(fmt.Sprintf("/proc/self/task/%d/status", tid), pid, tid))
	p, err := self(Options{Deny: deny})
	if err != nil {
		return err
	}
	c := classOf(p, tid)
	if c == nil || c.UID.State != posture.Unreadable || c.Caps.Effective.State != posture.Unreadable {
		return fmt.Errorf("the covered thread reads %+v", c)
	}
	if !strings.Contains(c.UID.Err, "mounted over") {
		return fmt.Errorf("reason: %s", c.UID.Err)
	}
	for i := range p.Classes {
		if p.Classes[i].UID.Value.Real.Value == 65532 {
			return errors.New("the forgery is believed")
		}
	}
	if p.Kernel[0].UID.Value.Real.Value != 0 || p.Kernel[0].UID.State != posture.Known {
		return fmt.Errorf("the kernel's answer: %+v", p.Kernel[0].UID)
	}
	return nil
}

func coveredTask(deny map[string]string) error {
	must(private())
	must(mounts.Mount("tmpfs", "/proc/self/task", "tmpfs", 0, ""))
	p, err := self(Options{Deny: deny})
	if err != nil {
		return err
	}
	return disbelieved(p, "mounted over")
}

func coveredProcess(deny map[string]string) error {
	must(private())
	must(mounts.Mount("/proc/1", fmt.Sprintf("/proc/%d", os.Getpid()), "", syscall.MS_BIND, ""))
	p, err := self(Options{Deny: deny})
	if err != nil {
		return err
	}
	if p.Threads.State != posture.Unreadable {
		return fmt.Errorf("threads: %+v", p.Threads)
	}
	return nil
}

func TestForgedProc(t *testing.T) {
	needRoot(t)
	for way := range ways {
		for _, what := range []string{"covered-status-", "covered-task-", "covered-dir-"} {
			t.Run(what+way, func(t *testing.T) { runAct(t, privateMounts(command(t, what+way))) })
		}
	}
	for _, act := range []string{"tmpfs-proc", "no-proc", "forged-proc", "part-of-proc"} {
		t.Run(act, func(t *testing.T) { runAct(t, privateMounts(command(t, act))) })
	}
}

// A procfs of the parent's pid namespace is genuine, and counts otherwise.
func TestForeignProc(t *testing.T) {
	needRoot(t)
	t.Run("other number", func(t *testing.T) {
		cmd := command(t, "foreign-proc")
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
		runAct(t, cmd)
	})
	// Two nested pid namespaces, each told to number the next process alike.
	t.Run("same number", func(t *testing.T) {
		if _, err := exec.LookPath("unshare"); err != nil {
			skip(t, "needs unshare(1)")
		}
		const script = `f=$(mktemp -u); mkfifo $f
unshare -fp sh -c 'read x < '$f'; echo 700 > /proc/sys/kernel/ns_last_pid; "$0"; exit $?' "$0" &
child=$!; sleep 0.3; exec 3> $f; echo 700 > /proc/sys/kernel/ns_last_pid; echo go >&3; wait $child; r=$?; rm -f $f; exit $r`
		cmd := command(t, "foreign-proc-same-number", "unshare", "-fpm", "--mount-proc", "sh", "-c", script)
		runAct(t, cmd)
	})
}

// The status of another process that is covered is found out as well.
func TestCoveredStatusOfAnother(t *testing.T) {
	needRoot(t)
	runAct(t, privateMounts(command(t, "covered-other")))
}

func init() {
	acts["covered-other"] = func() error {
		must(private())
		child := exec.Command("sleep", "60")
		must(child.Start())
		defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
		pid := child.Process.Pid
		must(coverStatus(fmt.Sprintf("/proc/%d/task/%d/status", pid, pid), pid, pid))
		for way, deny := range ways {
			p, err := PID(context.Background(), pid, Options{Deny: deny})
			if err != nil {
				return err
			}
			if c := classOf(p, pid); c == nil || c.UID.State != posture.Unreadable || !strings.Contains(c.UID.Err, "mounted over") {
				return fmt.Errorf("%s: %+v", way, c)
			}
		}
		return nil
	}
}

// Each way reads the truth where nothing is mounted.
func TestWays(t *testing.T) {
	for way, deny := range ways {
		p, err := self(Options{Deny: deny})
		if err == nil {
			err = wellRead(p)
		}
		if err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
	deny := map[string]string{"openat2": "test", "statx": "test", "lseek": "test"}
	p, err := self(Options{Deny: deny})
	if err == nil {
		err = disbelieved(p, "cannot tell whether something is mounted over")
	}
	if err != nil {
		t.Error(err)
	}
}
