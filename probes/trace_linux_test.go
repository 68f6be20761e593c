//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/names"
)

// snapshot holds everything that a probe could have changed, by name.
type snapshot map[string]string

// sysctls are those that the attempts come near.
var sysctls = []string{
	"kernel/hostname", "kernel/domainname", "kernel/acct", "kernel/dmesg_restrict", "kernel/printk", "kernel/randomize_va_space",
	"kernel/unprivileged_bpf_disabled", "kernel/perf_event_paranoid", "kernel/core_pattern", "kernel/io_uring_disabled",
	"user/max_user_namespaces", "net/ipv4/ip_unprivileged_port_start", "vm/unprivileged_userfaultfd",
}

func takeSnapshot() (snapshot, error) {
	s := snapshot{}
	for _, f := range sysctls {
		s["sysctl "+f] = content("/proc/sys/" + f)
	}
	for _, f := range []string{"/proc/self/mountinfo", "/proc/swaps", "/proc/modules", "/proc/self/limits", "/proc/self/attr/current"} {
		s[f] = content(f)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	s["uname"] = fmt.Sprintf("%s %s", unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:]))
	var tx unix.Timex
	if _, err := unix.Adjtimex(&tx); err != nil {
		return nil, err
	}
	s["adjtimex"] = fmt.Sprintf("offset %d freq %d tick %d status %d", tx.Offset, tx.Freq, tx.Tick, tx.Status)
	links(s, "/proc/self/ns/*")
	links(s, "/proc/self/fd/*")
	s["children"] = children()
	s["keys"] = keys()
	s["threads"] = statuses()
	s["blocked signals"] = line("/proc/thread-self/status", "SigBlk:")
	s["root"] = inode("/") + inode(".")
	ro, err := os.Create(filepath.Join(os.TempDir(), "writable"))
	if err != nil {
		return nil, err // the root was left read-only
	}
	return s, ro.Close()
}

func content(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// line returns the line of a file that begins with a word.
func line(path, word string) string {
	for _, l := range strings.Split(content(path), "\n") {
		if strings.HasPrefix(l, word) {
			return l
		}
	}
	return "no line " + word
}

func links(s snapshot, pattern string) {
	list, _ := filepath.Glob(pattern)
	for _, l := range list {
		to, err := os.Readlink(l)
		if err != nil {
			continue // the descriptor of the listing itself
		}
		s[l] = to
	}
}

func inode(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d ", st.Dev, st.Ino)
}

// children lists every child of every thread, zombies among them.
func children() string {
	list, _ := filepath.Glob("/proc/self/task/*/children")
	var all []string
	for _, f := range list {
		all = append(all, strings.Fields(content(f))...)
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

// keys lists what an attempt could have left in a keyring. Others of the
// machine come and go.
func keys() string {
	var left []string
	for _, line := range strings.Split(content("/proc/keys"), "\n") {
		if strings.Contains(line, "selfaudit") || strings.Contains(line, "_tid") || strings.Contains(line, "_pid") {
			left = append(left, line)
		}
	}
	return strings.Join(left, "\n")
}

// statuses are the credentials of all threads, which are equal here.
func statuses() string {
	want := []string{"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp", "TracerPid:", "Umask:"}
	list, _ := filepath.Glob("/proc/self/task/*/status")
	seen := map[string]bool{}
	for _, f := range list {
		var b strings.Builder
		for _, line := range strings.Split(content(f), "\n") {
			if slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(line, w) }) {
				b.WriteString(line + "\n")
			}
		}
		seen[b.String()] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "--\n")
}

// TestNoTrace makes every attempt as root with everything allowed, in a mount
// and a UTS namespace of its own so that the rest of the machine does not
// interfere, and compares the whole before and after.
func TestNoTrace(t *testing.T) {
	needRoot(t)
	compareTraces(t, "no-trace", syscall.CLONE_NEWNS|syscall.CLONE_NEWUTS, 30)
}

// compareTraces runs the test binary, which takes a snapshot before and after
// it does what mode says, and compares at least so many things.
func compareTraces(t *testing.T, mode string, namespaces uintptr, least int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asPosture+"="+mode, "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var r struct{ Before, After snapshot }
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Before) < least {
		t.Fatalf("only %d things were compared", len(r.Before))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Before)) {
		if r.Before[k] != r.After[k] {
			t.Errorf("%s changed\nbefore: %s\nafter:  %s", k, r.Before[k], r.After[k])
		}
	}
	for k := range r.After {
		if _, ok := r.Before[k]; !ok {
			t.Errorf("%s is new: %s", k, r.After[k])
		}
	}
	t.Logf("%d things compared", len(r.Before))
}

// traceRun is the other side of TestNoTrace.
func traceRun() error {
	runtime.LockOSThread()
	p, err := facts(false)
	if err != nil {
		return err
	}
	all := make([]string, 0, len(names.Attempts()))
	for _, a := range names.Attempts() {
		all = append(all, a.Name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	peer := &Peer{PID: os.Getppid(), Why: "the test"}
	in, beyond := Input{Names: all, Process: p, Peer: peer}, Input{Names: all, Process: p, Beyond: beyondHere(peer, -1)}
	everything := func() error {
		_, err := Run(ctx, in)
		_, errBeyond := Run(ctx, beyond)
		return errors.Join(err, errBeyond)
	}
	// Once before, so that what the runtime opens lazily is there already.
	if err := everything(); err != nil {
		return err
	}
	before, err := takeSnapshot()
	if err != nil {
		return err
	}
	for range 20 {
		if err := everything(); err != nil {
			return err
		}
	}
	after, err := takeSnapshot()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(struct{ Before, After snapshot }{before, after})
}
