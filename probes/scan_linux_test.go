//go:build linux && (amd64 || arm64)

package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// asScan is the variable that makes the test binary take on a posture, scan in
// it, and print what came of it.
const asScan = "SELFAUDIT_TEST_SCAN"

// scanSpec is a posture to scan in.
type scanSpec struct {
	Nobody bool
	// Own is a filter that the thread has; Load are filters for its children.
	Own  []byte   `json:",omitempty"`
	Load [][]byte `json:",omitempty"`
	// Supervisor says what a supervisor of Own does: "", "answer", "continue",
	// "never".
	Supervisor string   `json:",omitempty"`
	ABIs       []string `json:",omitempty"`
	Numbers    []uint32 `json:",omitempty"`
	// Times is how often to scan, and Timeout for how long in all.
	Timeout time.Duration `json:",omitempty"`
}

// inScan is the other side of scanIn.
func inScan(spec string) error {
	runtime.LockOSThread()
	var s scanSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	if s.Nobody {
		if err := dropAll(); err != nil {
			return err
		}
	}
	if s.Own != nil {
		if err := s.confine(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(s.Timeout, 20*time.Second))
	defer cancel()
	scans, err := Scan(ctx, ScanInput{ABIs: s.ABIs, Filters: s.Load, Filtered: s.Own != nil, Numbers: s.Numbers})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(scans)
}

// confine loads the thread's own filter, with its supervisor.
func (s *scanSpec) confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	flags := uintptr(0)
	if s.Supervisor != "" {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	prog := unix.SockFprog{Len: uint16(len(s.Own) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&s.Own[0]))}
	fd, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	if s.Supervisor != "" {
		go supervise(int(fd), s.Supervisor)
	}
	return nil
}

// supervise answers notifications of the listener: seccomp_unotify(2).
func supervise(fd int, how string) {
	runtime.LockOSThread()
	for how != "never" {
		var req [80]byte
		const recv, send = 0xc0502100, 0xc0182101
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), recv, uintptr(unsafe.Pointer(&req))); e != 0 {
			if e == syscall.EINTR || e == syscall.ENOENT {
				continue
			}
			return
		}
		var resp struct {
			id    [8]byte
			val   int64
			err   int32
			flags uint32
		}
		copy(resp.id[:], req[:8])
		if how == "continue" {
			resp.flags = 1
		} else {
			resp.err = -int32(unix.EPERM)
		}
		syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), send, uintptr(unsafe.Pointer(&resp)))
	}
	select {}
}

// scanIn scans in a posture, in a process of its own.
func scanIn(t *testing.T, s scanSpec) map[string]posture.Scan {
	t.Helper()
	spec, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asScan+"="+string(spec))
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var scans []posture.Scan
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&scans); err != nil {
		t.Fatal(err)
	}
	by := map[string]posture.Scan{}
	for _, s := range scans {
		by[s.ABI] = s
	}
	return by
}

// users are the values of scanSpec.Nobody that this test can take on: only root
// can become nobody.
func users() []bool {
	if os.Geteuid() == 0 {
		return []bool{false, true}
	}
	return []bool{false}
}
