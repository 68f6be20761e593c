//go:build amd64 || arm64

package replica_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/replica"
)

// asProfiles is the variable that names the profiles of testdata, compiled.
// Whoever starts a kernel with AppArmor sets it.
const asProfiles = "SELFAUDIT_APPARMOR"

var loaded sync.Once

// appArmor loads the profiles. Without AppArmor there are none, and it says so.
func appArmor(t *testing.T) bool {
	t.Helper()
	const load = "/sys/kernel/security/apparmor/.replace"
	file := os.Getenv(asProfiles)
	_, err := os.Stat(load)
	switch {
	case err != nil && file != "":
		t.Fatalf("%s is set, and there is no AppArmor: %v", asProfiles, err)
	case err != nil:
		return false
	case file == "":
		launch.Skip(t, "needs "+asProfiles+", as the kernel has AppArmor")
	}
	loaded.Do(func() {
		profiles, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(load, profiles, 0); err != nil {
			t.Fatal(err)
		}
	})
	return true
}

// inProfile starts a process that sleeps, under a profile.
func inProfile(t *testing.T, profile, command string) int {
	t.Helper()
	pid := sandbox{command: []string{"sh", "-c", "echo changeprofile " + profile + " >/proc/self/attr/apparmor/current && exec " + command}}.start(t)
	if is := label(t, pid); is != profile+" (enforce)" {
		t.Fatalf("it has the label %q", is)
	}
	return pid
}

func label(t *testing.T, pid int) string {
	t.Helper()
	return get(t, "/proc/"+strconv.Itoa(pid)+"/attr/apparmor/current")
}

// TestLabel: a replica has the label of its process, as it is read from outside,
// and what the profile denies is denied to it though it has the capability.
func TestLabel(t *testing.T) {
	launch.NeedRoot(t)
	if !appArmor(t) {
		withoutLabels(t)
		return
	}
	names := []string{"mount", "raw-socket", "sethostname"}
	for _, c := range []struct {
		profile, command string
		want             []posture.Outcome
	}{
		{"", "sleep 300", []posture.Outcome{yes, yes, yes}},
		{"selfaudit-no-mount", "sleep 300", []posture.Outcome{no, yes, yes}},
		{"selfaudit-no-raw", "sleep 300", []posture.Outcome{yes, no, yes}},
		{"selfaudit-no-mount", "unshare -pf sleep 300", []posture.Outcome{no, yes, yes}},
		{"selfaudit-no-raw", "unshare -nuipf sleep 300", []posture.Outcome{yes, no, yes}},
		{"selfaudit-no-mount", "setpriv --no-new-privs sleep 300", []posture.Outcome{no, yes, yes}},
		// Nothing but its own end ends this one.
		{"selfaudit-alone", "sleep 10", []posture.Outcome{yes, yes, yes}},
	} {
		t.Run(strings.TrimPrefix(c.profile+", "+c.command, ", "), func(t *testing.T) {
			var pid int
			if c.profile == "" {
				pid = sandbox{command: []string{"sh", "-c", "exec " + c.command}}.start(t)
			} else {
				pid = inProfile(t, c.profile, c.command)
			}
			before := traces(t, pid)
			j, err := join(t, pid, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := labelOf(t, j); got != label(t, pid) {
				t.Errorf("the child has the label %q, and the process %q", got, label(t, pid))
			}
			for k, a := range run(t, j, names...) {
				if a.Outcome != c.want[k] || a.Outcome == no && a.By != posture.StoppedByPermission {
					t.Errorf("%s: %v by %v: %s %v", a.Name, a.Outcome, a.By, a.Detail, a.Evidence)
				}
			}
			if err := j.Still(); err != nil {
				t.Error(err)
			}
			untouched(t, pid, before)
		})
	}
}

// labelOf makes a replica that does nothing and returns its label.
func labelOf(t *testing.T, j *joiner) (seen string) {
	t.Helper()
	po := j.po
	admit := po.Admit
	po.Admit = func(c child.Candidate) string {
		seen = label(t, c.PID)
		return admit(c)
	}
	prog, err := child.NewReplica(po)
	if err != nil {
		t.Fatal(err)
	}
	prog.Enter(false)
	prog.Call(0xffffff, 0)
	err = prog.Run(t.Context(), child.Options{})
	if says := j.Differs(prog.Replica(), j.class()); err != nil || says != "" {
		t.Errorf("%v, %q", err, says)
	}
	if err := prog.Close(); err != nil {
		t.Error(err)
	}
	return seen
}

// withoutLabels is what there is to see on a kernel that has none.
func withoutLabels(t *testing.T) {
	t.Helper()
	j, err := join(t, sandbox{command: []string{"sh", "-c", "exec sleep 300"}}.start(t), false)
	if err != nil || j.po.Label != nil {
		t.Errorf("%v, %+v", err, j.po.Label)
	}
}

// TestLabelRefused: where the kernel does not let a child take the label on, no
// attempt is made, and the step and its errno are named. So for an auditor whose
// own profile it cannot leave.
func TestLabelRefused(t *testing.T) {
	launch.NeedRoot(t)
	if !appArmor(t) {
		withoutLabels(t)
		return
	}
	pid := inProfile(t, "selfaudit-no-mount", "sleep 300")
	prepared := auditor(t, pid, 1, 0)
	cmd := exec.Command("sh", "-c", "echo changeprofile selfaudit-stays >/proc/self/attr/apparmor/current && exec "+prepared.Path)
	cmd.Env = prepared.Env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "write(self/attr/apparmor/current): permission denied") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestLabelChanged: a process that took another profile meanwhile is not the one
// that the attempts stand for.
func TestLabelChanged(t *testing.T) {
	launch.NeedRoot(t)
	if !appArmor(t) {
		withoutLabels(t)
		return
	}
	script := "trap 'echo changeprofile selfaudit-no-raw >/proc/self/attr/apparmor/current' USR1; echo changeprofile selfaudit-no-mount >/proc/self/attr/apparmor/current; while :; do sleep 1; done"
	cmd := exec.Command("sh", "-c", script)
	launch.Start(t, cmd)
	is := func(want string) bool { return label(t, cmd.Process.Pid) == want+" (enforce)" }
	eventually(t, func() bool { return is("selfaudit-no-mount") })
	j, err := join(t, cmd.Process.Pid, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Still(); err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("kill", "-USR1", strconv.Itoa(cmd.Process.Pid)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, func() bool { return is("selfaudit-no-raw") })
	if err := j.Still(); !errors.Is(err, replica.ErrChanged) || !strings.Contains(err.Error(), "LSM label") {
		t.Error(err)
	}
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not come")
}
