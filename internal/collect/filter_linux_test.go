package collect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"golang.org/x/sys/unix"
)

// filterFor loads a filter on all threads that answers each of the calls with
// action and lets everything else through.
func filterFor(action uint32, calls ...uint32) error {
	const loadWord, jumpEqual, give = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	prog := []unix.SockFilter{{Code: loadWord, K: 0}} // seccomp_data.nr
	for _, nr := range calls {
		prog = append(prog, unix.SockFilter{Code: jumpEqual, Jt: 0, Jf: 1, K: nr}, unix.SockFilter{Code: give, K: action})
	}
	prog = append(prog, unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW})
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// numbers returns the numbers of audit calls.
func numbers(names ...string) []uint32 {
	var out []uint32
	for _, c := range kernel.AuditCalls() {
		if slices.Contains(names, c.Name) {
			out = append(out, uint32(c.NR))
		}
	}
	if len(out) != len(names) {
		panic("unknown call among them")
	}
	return out
}

func init() {
	for name, errno := range map[string]unix.Errno{"enosys": unix.ENOSYS, "eperm": unix.EPERM, "fake": 0} {
		acts["openat2-"+name] = func() error {
			must(filterFor(unix.SECCOMP_RET_ERRNO|uint32(errno), unix.SYS_OPENAT2))
			return allKnown(nil)
		}
	}
	acts["openat2-kills"] = func() error {
		must(filterFor(unix.SECCOMP_RET_KILL_PROCESS, unix.SYS_OPENAT2))
		return allKnown(map[string]string{"openat2": "kills"})
	}
	acts["all-kill"] = func() error {
		deny := map[string]string{}
		var calls []uint32
		for _, c := range kernel.AuditCalls() {
			deny[c.Name] = "the filter kills for it"
			calls = append(calls, uint32(c.NR))
		}
		must(filterFor(unix.SECCOMP_RET_KILL_PROCESS, calls...))
		p, err := self(Options{Deny: deny, Root: ReadRoot, Descriptors: true})
		if err != nil {
			return err
		}
		if p.Threads.State != posture.Unreadable || len(p.Classes) != 1 || p.Classes[0].UID.State != posture.Unreadable || p.Descriptors.State != posture.Unreadable {
			return fmt.Errorf("%+v", p)
		}
		if mode, known := OwnSeccomp(); !known || mode != 2 {
			return fmt.Errorf("own mode: %d %v", mode, known)
		}
		_, _ = Host()
		return nil
	}
	// A filter that answers success without making the call must not turn
	// into empty sets, no groups, or id 0.
	acts["fake-credentials"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ERRNO, numbers("capget", "prctl(PR_CAPBSET_READ)", "getresuid", "getresgid", "getgroups")...))
		p, err := self(Options{})
		if err != nil {
			return err
		}
		k := &p.Kernel[0]
		for name, why := range map[string]string{
			"effective": k.Caps.Effective.Why(), "bounding": k.Caps.Bounding.Why(), "ambient": k.Caps.Ambient.Why(),
			"uid": k.UID.Why(), "gid": k.GID.Why(), "groups": k.Groups.Why(), "no_new_privs": k.NoNewPrivs.Why(),
		} {
			if !strings.Contains(why, "seccomp filter answers success") {
				return fmt.Errorf("%s: %q", name, why)
			}
		}
		return nil
	}
}

// fakes are calls of which a filter answers success without making them, each
// with what an audit cannot know then. The rest is read in other ways.
var fakes = map[string]func(p *posture.Process) string{
	"statx":      nil,
	"lseek":      nil,
	"readlinkat": func(p *posture.Process) string { return p.Exe.Why() },
	"fstatfs":    func(p *posture.Process) string { return p.Threads.Why() },
	"getdents64": func(p *posture.Process) string { return p.Threads.Why() },
}

func init() {
	for name, why := range fakes {
		acts["fake-"+name] = func() error {
			must(filterFor(unix.SECCOMP_RET_ERRNO, numbers(name)...))
			if why == nil {
				return allKnown(nil)
			}
			p, err := self(Options{})
			if err != nil {
				return err
			}
			if got := why(p); !strings.Contains(got, "seccomp filter answers success") {
				return fmt.Errorf("%q", got)
			}
			return nil
		}
	}
}

func allKnown(deny map[string]string) error {
	p, err := self(Options{Deny: deny})
	if err != nil {
		return err
	}
	if err := wellRead(p); err != nil {
		return err
	}
	if mode, _ := p.Classes[0].SeccompMode.Get(); mode != 2 {
		return errors.New("the filter is not seen")
	}
	return nil
}

func TestUnderFilters(t *testing.T) {
	for _, act := range []string{"openat2-enosys", "openat2-eperm", "openat2-fake", "openat2-kills", "all-kill", "fake-credentials"} {
		t.Run(act, func(t *testing.T) { runAct(t, command(t, act)) })
	}
	for name := range fakes {
		t.Run("fake-"+name, func(t *testing.T) { runAct(t, command(t, "fake-"+name)) })
	}
}
