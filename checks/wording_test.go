package checks_test

import (
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// TestAlreadyRoot: who has an id of 0 is not said to become what it is, and the
// success stays one.
func TestAlreadyRoot(t *testing.T) {
	const can, is = "can become root with setuid(0)", "is root already, so that an attempt to become root with setuid(0) succeeds"
	zero := posture.IDs{}
	for name, c := range map[string]struct {
		change func(*posture.Process)
		tids   []int
		says   string
	}{
		"another user":            {func(*posture.Process) {}, nil, "the process " + can},
		"root":                    {func(p *posture.Process) { every(p, zero) }, nil, "the process " + is},
		"only the saved id is 0":  {func(p *posture.Process) { savedRoot(p) }, nil, "the process " + can},
		"ids that are not known":  {func(p *posture.Process) { p.Classes[0].UID.Fail("", "gone") }, nil, "the process " + can},
		"one of two classes is":   {func(p *posture.Process) { p.Classes[1].UID.Value = zero }, nil, "the process " + can},
		"that class of two alone": {func(p *posture.Process) { p.Classes[1].UID.Value = zero }, []int{11}, "thread 11 " + is},
		"two threads":             {func(p *posture.Process) { every(p, zero) }, []int{10, 12}, "threads 10, 12 are root already"},
	} {
		t.Run(name, func(t *testing.T) {
			p := threadsTried(posture.Attempt{Name: "setuid-root", TIDs: c.tids, Outcome: posture.Succeeded, Detail: "id 0 was taken and read back"})
			c.change(p)
			f := find(t, checks.Run(p, &policy.Policy{Probes: policy.Probes{Syscalls: []string{"setuid-root"}}}), "probe.setuid-root", "")
			if f.Status != report.Gap || !strings.HasPrefix(f.Message, c.says) {
				t.Errorf("%s: %s", f.Status, f.Message)
			}
		})
	}
}

func every(p *posture.Process, ids posture.IDs) {
	for i := range p.Classes {
		p.Classes[i].UID.Value = ids
	}
	for i := range p.Kernel {
		p.Kernel[i].UID.Value = ids
	}
}

func savedRoot(p *posture.Process) {
	ids := p.Classes[0].UID.Value
	ids.Saved = posture.ID{}
	every(p, ids)
}

// TestScansOfAbsentABIs: that the filters answer as computed for an ABI that the
// kernel does not have is not told, and that they do not still is.
func TestScansOfAbsentABIs(t *testing.T) {
	for _, answer := range []posture.Answer{posture.AnswerReachable, posture.AnswerDenied} {
		p := confined(1)
		p.ABIs = []posture.ABI{{Name: "x86-64", Present: posture.Of(true, "", "")}, {Name: "x32", Present: posture.Of(false, "", "")}}
		p.Scan.Know("children", "")
		for _, abi := range []string{"x86-64", "x32"} {
			one := posture.Scanned{Number: 1, Answer: answer, Returned: true, Filtered: posture.Of(posture.Way{Action: posture.ActionAllow}, "", "")}
			if abi == "x86-64" {
				one.Answer = posture.AnswerReachable
			}
			p.Scan.Value = append(p.Scan.Value, posture.Scan{ABI: abi, Calls: []posture.Scanned{one}})
		}
		subject := ""
		if answer == posture.AnswerDenied {
			subject = "x32 1073741825"
		}
		all := checks.Run(p, &policy.Policy{})
		if subject == "" {
			f := find(t, all, "contradiction", "")
			if f.Status != report.Pass || !strings.Contains(f.Message, "1 number of x86-64") || strings.Contains(f.Message, "x32") {
				t.Errorf("%s: %s", f.Status, f.Message)
			}
			continue
		}
		for _, f := range all {
			if f.ID == "contradiction" && f.Status == report.Gap && strings.HasPrefix(f.Subject, "x32 ") {
				subject = ""
			}
		}
		if subject != "" {
			t.Error("two sources that disagree on an ABI that is not there are no finding")
		}
	}
}

// TestOneIsSingular: sentences count right.
func TestOneIsSingular(t *testing.T) {
	for threads, says := range map[int]string{1: " of 1 thread;", 3: " of 3 threads;"} {
		f := find(t, checks.Run(confined(threads), &policy.Policy{}), "contradiction", "")
		if message := f.Message + ";"; !strings.Contains(message, says) {
			t.Errorf("%d threads: %s", threads, f.Message)
		}
	}
}

// TestPassesSaySomething: no pass is a bare sentence.
func TestPassesSaySomething(t *testing.T) {
	pol, _ := policy.Builtin("confined")
	for _, f := range checks.Run(confined(1), pol) {
		if f.Status == report.Pass && strings.HasSuffix(f.Message, "what the policy allows") {
			t.Errorf("%s: %s", f.ID, f.Message)
		}
	}
}
