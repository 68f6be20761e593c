package collect

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/procfs"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/syndtr/gocapability/capability"
)

// Second opinions on the same process. They are known to fail open: procfs
// reads a line that is not there as 0, so the comparison is made only where we
// know the value; gocapability is asked by thread and never by 0.
func TestSecondOpinions(t *testing.T) {
	cases := []*exec.Cmd{exec.Command("sleep", "60")}
	if path, err := exec.LookPath("setpriv"); err == nil && os.Geteuid() == 0 {
		cases = append(cases,
			exec.Command(path, "--reuid", "65532", "--regid", "65532", "--groups", "7,8", "--no-new-privs", "sleep", "60"),
			exec.Command(path, "--bounding-set", "-all,+net_bind_service", "--inh-caps", "-all", "sleep", "60"))
	}
	for _, cmd := range cases {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		settled(t, cmd.Process.Pid, "sleep")
		p, err := PID(context.Background(), cmd.Process.Pid, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := wellRead(p); err != nil {
			t.Fatal(err)
		}
		compareProcfs(t, p)
		for i := range p.Classes {
			for _, tid := range p.Classes[i].TIDs {
				compareCapability(t, &p.Classes[i], tid)
			}
		}
	}
	p, err := self(Options{})
	if err != nil {
		t.Fatal(err)
	}
	compareProcfs(t, p)
	for _, tid := range p.Classes[0].TIDs {
		compareCapability(t, &p.Classes[0], tid)
	}
}

func compareProcfs(t *testing.T, p *posture.Process) {
	t.Helper()
	proc, err := procfs.NewProc(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	status, err := proc.NewStatus()
	if err != nil {
		t.Fatal(err)
	}
	leader := &p.Classes[0]
	u, g := leader.UID.Value, leader.GID.Value
	uids := [4]uint64{uint64(u.Real.Outside), uint64(u.Effective.Outside), uint64(u.Saved.Outside), uint64(u.FS.Outside)}
	gids := [4]uint64{uint64(g.Real.Outside), uint64(g.Effective.Outside), uint64(g.Saved.Outside), uint64(g.FS.Outside)}
	if status.UIDs != uids || status.GIDs != gids {
		t.Errorf("ids: %v %v, procfs %v %v", uids, gids, status.UIDs, status.GIDs)
	}
	sets := [5]posture.CapSet{leader.Caps.Inheritable.Value, leader.Caps.Permitted.Value, leader.Caps.Effective.Value, leader.Caps.Bounding.Value, leader.Caps.Ambient.Value}
	theirs := [5]posture.CapSet{posture.CapSet(status.CapInh), posture.CapSet(status.CapPrm), posture.CapSet(status.CapEff), posture.CapSet(status.CapBnd), posture.CapSet(status.CapAmb)}
	if sets != theirs {
		t.Errorf("sets: %x, procfs %x", sets, theirs)
	}
	threads, err := procfs.AllThreads(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	var tids []int
	for _, th := range threads {
		tids = append(tids, th.PID)
	}
	for _, tid := range p.Classes[0].TIDs {
		if !slices.Contains(tids, tid) && !p.Self {
			t.Errorf("thread %d is not among those of procfs: %v", tid, tids)
		}
	}
	stat, err := proc.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.FormatUint(stat.Starttime*10, 10) + " ms after boot"; p.StartTime.Raw != want || p.Comm.Value != stat.Comm {
		t.Errorf("start %q comm %q, procfs %q %q", p.StartTime.Raw, p.Comm.Value, want, stat.Comm)
	}
}

func compareCapability(t *testing.T, c *posture.Class, tid int) {
	t.Helper()
	theirs, err := capability.NewPid2(tid)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Load(); err != nil {
		return // the thread has ended
	}
	for which, set := range map[capability.CapType]posture.Fact[posture.CapSet]{
		capability.EFFECTIVE: c.Caps.Effective, capability.PERMITTED: c.Caps.Permitted, capability.INHERITABLE: c.Caps.Inheritable,
		capability.BOUNDING: c.Caps.Bounding, capability.AMBIENT: c.Caps.Ambient,
	} {
		for _, cap := range capability.List() {
			if cap > capability.CAP_LAST_CAP || set.State != posture.Known {
				continue
			}
			if got := set.Value.Has(int(cap)); got != theirs.Get(which, cap) {
				t.Errorf("thread %d: %v %v: %v, gocapability %v", tid, which, cap, got, !got)
			}
		}
	}
}
