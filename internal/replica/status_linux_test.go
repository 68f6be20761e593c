//go:build amd64 || arm64

package replica_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/replica"
)

// alike are the lines of a status file that a replica has as its process has.
var alike = []string{"Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"}

// places are the links of a process that a replica has too.
var places = []string{"ns/mnt", "ns/net", "ns/ipc", "ns/uts", "ns/cgroup", "ns/time", "ns/pid", "ns/user", "root", "cwd"}

// TestStatusLines reads both with nothing of this program's own parsers.
func TestStatusLines(t *testing.T) {
	launch.NeedRoot(t)
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			what := fixture.Clean()
			s.set(&what)
			sameLines(t, launch.Wait(t, nil, what))
		})
	}
	for _, s := range sandboxes {
		t.Run(s.name, func(t *testing.T) { sameLines(t, s.start(t)) })
	}
}

func sameLines(t *testing.T, pid int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	target, err := replica.Open(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := collect.PID(t.Context(), pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	po, _, err := target.Posture(&p.Classes[0])
	if err != nil {
		t.Fatal(err)
	}
	asked, admit := 0, po.Admit
	po.Admit = func(c child.Candidate) string {
		asked++
		theirs, its := launch.Status(pid), launch.Status(c.PID)
		for _, line := range alike {
			if theirs[line] != its[line] {
				t.Errorf("%s: %q, of the replica %q", line, theirs[line], its[line])
			}
		}
		at := func(pid int, name string) string {
			link, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/" + name)
			if err != nil {
				t.Error(err)
			}
			return link
		}
		for _, name := range places {
			if a, b := at(pid, name), at(c.PID, name); a != b {
				t.Errorf("%s: %s, of the replica %s", name, a, b)
			}
		}
		if open, err := os.ReadDir("/proc/" + strconv.Itoa(c.PID) + "/fd"); err != nil || len(open) != 0 {
			t.Errorf("open descriptors: %v, %v", open, err)
		}
		return admit(c)
	}
	prog, err := child.NewReplica(po)
	if err != nil {
		t.Fatal(err)
	}
	prog.Enter(false)
	prog.Call(0xffffff, 0)
	err = prog.Run(t.Context(), child.Options{})
	if says := target.Differs(prog.Replica(), &p.Classes[0]); err != nil || says != "" || asked != 1 {
		t.Errorf("%v, %q, asked %d times", err, says, asked)
	}
	if err := prog.Close(); err != nil {
		t.Error(err)
	}
}
