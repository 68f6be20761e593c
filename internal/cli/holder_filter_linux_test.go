package cli

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/names"
)

// Return values of linux/seccomp.h, and instructions of linux/bpf_common.h.
const (
	retAllow = 0x7fff0000
	retErrno = 0x00050000
	retKill  = 0x80000000
	retLog   = 0x7ffc0000

	bpfLoad = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	bpfJEQ  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfJGE  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	bpfJSET = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	bpfRet  = unix.BPF_RET | unix.BPF_K
)

func does(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// unless goes on where the comparison holds, else over n instructions.
func unless(code uint16, k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: code, Jf: n, K: k}
}

func nativeABI() names.ABI { return names.ABIs(runtime.GOARCH)[0] }

func numberOf(name string) uint32 {
	nr, ok := names.Syscall(nativeABI().Arch, name)
	if !ok {
		panic("no number of " + name)
	}
	return nr
}

// denies is a filter that kills for other ABIs, answers EPERM to the named
// calls and to clone(2) with CLONE_NEWUSER, and lets the rest through.
func denies(calls ...string) []unix.SockFilter {
	return answers(retErrno|uint32(unix.EPERM), calls...)
}

// answers is denies with another answer to the named calls.
func answers(ret uint32, calls ...string) []unix.SockFilter {
	p := []unix.SockFilter{
		does(bpfLoad, 4),
		{Code: bpfJEQ, Jt: 1, K: nativeABI().Audit},
		does(bpfRet, retKill),
		does(bpfLoad, 0),
		unless(bpfJGE, 1<<30, 1),
		does(bpfRet, retKill),
	}
	for _, call := range calls {
		p = append(p, unless(bpfJEQ, numberOf(call), 1), does(bpfRet, ret))
	}
	return append(p,
		unless(bpfJEQ, numberOf("clone"), 3),
		does(bpfLoad, 16),
		unless(bpfJSET, unix.CLONE_NEWUSER, 1),
		does(bpfRet, retErrno|uint32(unix.EPERM)),
		does(bpfRet, retAllow),
	)
}

// logs is a filter that looks at nothing but the number: it logs one call and
// lets the rest through.
func logs(call string) []unix.SockFilter {
	return []unix.SockFilter{
		does(bpfLoad, 0),
		unless(bpfJEQ, numberOf(call), 1),
		does(bpfRet, retLog),
		does(bpfRet, retAllow),
	}
}

// loadFilter loads a filter on the calling thread, or on all.
func loadFilter(p []unix.SockFilter, all bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	flags := uintptr(0)
	if all {
		flags = unix.SECCOMP_FILTER_FLAG_TSYNC
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return fmt.Errorf("seccomp(SECCOMP_SET_MODE_FILTER): %w", errno)
	}
	return nil
}

// onThread runs f on a thread of its own, which then stays as it is.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
		select {}
	}()
	return <-done
}

// strictThread puts a thread into strict mode, in which it waits in read(2) for
// ever: any other call than four would kill it.
func strictThread() error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], 0); err != nil {
		return err
	}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		var b byte
		close(ready)
		// The Go runtime's signals are not to find it in Go code.
		unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_STRICT, 0)
		for {
			unix.RawSyscall(unix.SYS_READ, uintptr(fds[0]), uintptr(unsafe.Pointer(&b)), 1)
		}
	}()
	<-ready
	return nil
}

// under POSTURE COMMAND... executes a command under the filters of a posture.
func under() {
	err := takeFilter(os.Args[1])
	path := ""
	if err == nil {
		path, err = exec.LookPath(os.Args[2])
	}
	if err == nil {
		err = syscall.Exec(path, os.Args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "under:", err)
	os.Exit(125)
}

// takeFilter gives the process the filters of a posture.
func takeFilter(posture string) error {
	switch posture {
	case "filter":
		return loadFilter(denies("execve", "ptrace"), true)
	case "wider":
		return loadFilter(denies("ptrace"), true)
	case "kills":
		return loadFilter(answers(retKill, "ptrace", "personality"), true)
	case "stacked":
		if err := loadFilter(denies("execve", "ptrace"), true); err != nil {
			return err
		}
		return loadFilter(denies("mount"), true)
	case "logs":
		return loadFilter(logs("ptrace"), true)
	case "threads":
		if err := loadFilter(denies("execve", "ptrace"), true); err != nil {
			return err
		}
		return onThread(func() error { return loadFilter(denies("mount"), false) })
	case "partly":
		return onThread(func() error { return loadFilter(denies("mount"), false) })
	case "strict":
		return strictThread()
	default:
		return fmt.Errorf("unknown posture %q", posture)
	}
}
