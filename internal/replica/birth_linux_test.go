//go:build amd64 || arm64

package replica_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// asWatcher makes this program, started in namespaces of its own, the process
// that is stood in for, and one that watches who is born beside it.
const asWatcher = "SELFAUDIT_TEST_WATCHER"

// watch gives its privileges up, and then reads the sets of every other process
// of its pid namespace, over and over, until its standard input ends.
func watch() error {
	const private = syscall.MS_REC | syscall.MS_PRIVATE
	for _, err := range []error{
		mounts.Mount("none", "/", "", private, ""), mounts.Mount("proc", "/proc", "proc", 0, ""),
		syscall.Setgroups(nil), syscall.Setgid(65532), syscall.Setuid(65532),
	} {
		if err != nil {
			return err
		}
	}
	fmt.Println("ready")
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	seen, most := map[int]bool{}, uint64(0)
	for next := 2; ; {
		select {
		case <-over:
			fmt.Printf("%d %x\n", len(seen), most)
			return nil
		default:
		}
		for pid := next; pid < next+32; pid++ {
			text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
			_, set, found := strings.Cut(string(text), "CapPrm:\t")
			if err != nil || !found || !strings.Contains(string(text), "Tgid:\t"+strconv.Itoa(pid)+"\n") {
				continue
			}
			permitted, err := strconv.ParseUint(set[:16], 16, 64)
			if err != nil {
				return err
			}
			seen[pid] = true
			most |= permitted
			next = max(next, pid-16)
		}
	}
}

// TestBirth: no child of a replica has a capability at any moment at which the
// processes of the pid namespace that it is born in can see it.
func TestBirth(t *testing.T) {
	launch.NeedRoot(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asWatcher+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	const rounds = 30
	for range rounds {
		for _, r := range try(t, cmd.Process.Pid, []string{"setuid-root"}, nil) {
			if r.err != nil {
				t.Fatal(r.err)
			}
		}
	}
	in.Close()
	var seen int
	var most uint64
	if _, err := fmt.Fscanf(lines, "%d %x\n", &seen, &most); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d children were seen", seen, rounds)
	if seen < rounds/3 || most != 0 {
		t.Errorf("%d children were seen, with capabilities %x", seen, most)
	}
}
