//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// scanComm is the name of the thread that scans, by which its children's lines
// in the kernel's log are known.
const scanComm = "scan-no-trace"

// TestScanLeavesNoTrace makes every system call of every ABI as root with
// everything allowed, several times, and compares the whole before and after.
func TestScanLeavesNoTrace(t *testing.T) {
	needRoot(t)
	compareTraces(t, "no-trace-scan", syscall.CLONE_NEWNS|syscall.CLONE_NEWUTS|syscall.CLONE_NEWIPC|syscall.CLONE_NEWNET, 500)
}

// scanTraceRun is the other side of TestScanLeavesNoTrace.
func scanTraceRun() error {
	runtime.LockOSThread()
	if err := makeTraceable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all := rule{nil, false, 0}.program()
	some := rule{[]string{"mount", "acct", "sethostname"}, false, errnoAction(unix.EPERM)}.program()
	scan := func() error {
		for _, in := range []ScanInput{{}, {Filtered: true}, {Filters: [][]byte{all, some}}} {
			scans, err := Scan(ctx, in)
			if err != nil {
				return err
			}
			if len(scans) == 0 || len(scans[0].Calls) < 400 {
				return fmt.Errorf("scanned too little: %d ABIs", len(scans))
			}
		}
		return nil
	}
	// One call before, so that what the runtime opens lazily is there already,
	// and nothing that the others leave.
	if _, err := Scan(ctx, ScanInput{Numbers: []uint32{unix.SYS_GETPID}, Filters: [][]byte{all}}); err != nil {
		return err
	}
	before, err := takeScanSnapshot()
	if err != nil {
		return err
	}
	for range 3 {
		if err := scan(); err != nil {
			return err
		}
	}
	after, err := takeScanSnapshot()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(struct{ Before, After snapshot }{before, after})
}

// makeTraceable gives the thread a name, and the mount namespace file systems
// that show what is not seen elsewhere.
func makeTraceable() error {
	name, err := unix.BytePtrFromString(scanComm)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0); err != nil {
		return err
	}
	if err := mounts.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, kind := range []string{"mqueue", "tmpfs"} {
		dir := filepath.Join(os.TempDir(), kind)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := mounts.Mount(kind, dir, kind, 0, ""); err != nil {
			return err
		}
	}
	return os.Chdir(filepath.Join(os.TempDir(), "tmpfs"))
}

// volatileSysctls change by themselves.
var volatileSysctls = []string{
	"/random/", "dentry-state", "inode-nr", "inode-state", "file-nr", "ns_last_pid", "aio-nr", "/pty/nr", "perf_event_max_sample_rate", "netfilter/nf_conntrack_count",
	"stat_refresh", "vm/drop_caches", "vm/compact_memory", "cpu_capacity", "perf_cpu_time", "loadavg", "/binfmt_misc/", "nlm_", "base_reachable_time", "retrans_time", "sched_domain", "/route/flush", "numa_stat", "overcommit_kbytes", "tracing",
}

// takeScanSnapshot is takeSnapshot with everything else that any system call
// could have changed and that a file or a call shows.
func takeScanSnapshot() (snapshot, error) {
	s, err := takeSnapshot()
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir("/proc/sys", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.ContainsFunc(volatileSysctls, func(v string) bool { return strings.Contains(path, v) }) {
			return nil
		}
		s[path] = content(path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range []string{
		"/proc/sysvipc/msg", "/proc/sysvipc/sem", "/proc/sysvipc/shm", "/proc/self/timers", "/proc/thread-self/personality", "/proc/self/oom_score_adj",
		"/proc/self/coredump_filter", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups", "/proc/self/cgroup", "/proc/self/loginuid", "/proc/self/sessionid",
		"/proc/self/timerslack_ns", "/proc/net/tcp", "/proc/net/udp", "/proc/net/raw", "/proc/net/unix", "/proc/net/packet", "/proc/net/netlink", "/proc/net/route",
		"/proc/net/if_inet6", "/proc/net/igmp", "/proc/mdstat", "/proc/filesystems", "/proc/cmdline", "/proc/self/task/1/children",
	} {
		s[f] = content(f)
	}
	for _, word := range []string{"SigBlk:", "SigIgn:", "SigCgt:", "ShdPnd:", "SigPnd:", "Cpus_allowed:", "Mems_allowed:", "CoreDumping:", "THP_enabled:", "VmLck:", "VmPin:"} {
		s["status "+word] = line("/proc/thread-self/status", word)
	}
	s["files"] = files(os.TempDir())
	s["ids"] = fmt.Sprint(syscall.Getpid(), syscall.Getppid(), syscall.Getpgrp(), syscall.Getuid(), syscall.Geteuid())
	sid, _ := unix.Getsid(0)
	s["session"] = fmt.Sprint(sid)
	s["priorities"] = priorities()
	s["clock"] = fmt.Sprint(clockOffset().Round(50 * time.Millisecond))
	s["zombies"] = zombies()
	s["kernel log"] = kernelLog()
	return s, nil
}

// files lists a directory and all that is in it, with modes and times.
func files(dir string) string {
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintln(&b, path, err)
			return nil
		}
		if info, err := d.Info(); err == nil && d.Name() != "writable" && path != dir {
			fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}

// priorities are what setpriority(2), ioprio_set(2), sched_setattr(2), the
// interval timers and set_mempolicy(2) set.
func priorities() string {
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	io, _, _ := syscall.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
	attr, _ := unix.SchedGetAttr(0, 0)
	var timers [3]unix.Itimerval
	for k := range timers {
		timers[k], _ = unix.Getitimer(unix.ItimerWhich(k))
	}
	var mode int32
	syscall.RawSyscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), 0, 0, 0, 0, 0)
	return fmt.Sprint(nice, io, attr, timers, mode)
}

// clockOffset is how far the clock of the day is ahead of that since boot.
func clockOffset() time.Duration {
	var day, boot unix.Timespec
	unix.ClockGettime(unix.CLOCK_REALTIME, &day)
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &boot)
	return time.Duration(day.Nano() - boot.Nano())
}

// zombies are processes of this thread's name anywhere: children that nobody
// waited for, and those that outlived their parent.
func zombies() string {
	list, _ := filepath.Glob("/proc/[0-9]*/comm")
	own := fmt.Sprintf("/proc/%d/comm", os.Getpid())
	seen := map[string]bool{}
	for _, f := range list {
		if f != own && strings.TrimSpace(content(f)) == scanComm {
			seen[f] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

// kernelLog are the lines of the kernel's log that name this thread or one of
// its children. Reading the log changes nothing: syslog(2).
func kernelLog() string {
	const readAll = 3
	buf := make([]byte, 1<<20)
	n, err := unix.Klogctl(readAll, buf)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, l := range strings.Split(string(buf[:n]), "\n") {
		if strings.Contains(l, scanComm) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}
