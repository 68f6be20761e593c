package checks_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// TestProbes: every attempt of the catalogue, every way in which it can end.
func TestProbes(t *testing.T) {
	for _, a := range names.Attempts() {
		for _, end := range []struct {
			attempts []posture.Attempt
			status   report.Status
			observed string
			says     string
		}{
			{nil, report.Unknown, "not tried", "no child could be made: EAGAIN"},
			{[]posture.Attempt{{}}, report.Unknown, "", "could not be told: timed out"},
			{[]posture.Attempt{{Outcome: posture.Succeeded}}, report.Gap, "succeeded", "the process can " + a.Does},
			{[]posture.Attempt{{Outcome: posture.NoObject}}, report.Pass, "nothing to try it on", ""},
			{[]posture.Attempt{{Outcome: posture.Stopped}}, report.Pass, "stopped, by which layer is unknown", "cannot"},
			{[]posture.Attempt{{Outcome: posture.Stopped, By: posture.StoppedByFilter}}, report.Pass, "stopped by filter", ""},
			{[]posture.Attempt{{Outcome: posture.Stopped, By: posture.StoppedByCapability}}, report.Pass, "stopped by capability", ""},
			{[]posture.Attempt{{Outcome: posture.Stopped, By: posture.StoppedByPermission}}, report.Pass, "stopped by permission", ""},
			{[]posture.Attempt{{Outcome: posture.Stopped, By: posture.StoppedByKernel}}, report.Pass, "stopped by kernel", ""},
			{[]posture.Attempt{{Outcome: 99}}, report.Unknown, "", ""},
			{[]posture.Attempt{{Outcome: posture.Stopped}, {Outcome: posture.Succeeded}, {}}, report.Gap, "succeeded", ""},
			{[]posture.Attempt{{Outcome: posture.NoObject}, {}}, report.Unknown, "", ""},
		} {
			p := &posture.Process{NotProbed: "no child could be made: EAGAIN"}
			for _, one := range end.attempts {
				one.Name, one.Detail = a.Name, "timed out"
				one.Evidence = []posture.Evidence{{Source: "call", Value: "answer"}}
				p.Attempts = append(p.Attempts, one)
			}
			pol := &policy.Policy{Probes: policy.Probes{Syscalls: []string{a.Name, a.Name}}}
			f := find(t, checks.Run(p, pol), "probe."+a.Name, "")
			if f.Status != end.status || end.observed != "" && f.Observed != end.observed || !strings.Contains(f.Message, end.says) {
				t.Errorf("%s %+v: %s %q %q", a.Name, end.attempts, f.Status, f.Observed, f.Message)
			}
			if f.Layer.String() != a.Layer || f.Severity.String() != a.Severity || f.Status == report.Gap && f.Remedy != a.Remedy {
				t.Errorf("%s: not as the table says: %+v", a.Name, f)
			}
			if len(end.attempts) > 0 && len(f.Evidence) != 1 {
				t.Errorf("%s: evidence %v", a.Name, f.Evidence)
			}
		}
	}
}

// TestUnknownAttempt: a name that no attempt has is not passed silently.
func TestUnknownAttempt(t *testing.T) {
	pol := &policy.Policy{Probes: policy.Probes{Reescalation: []string{"setuid-rot"}}}
	if f := find(t, checks.Run(confined(1), pol), "probe.setuid-rot", ""); f.Status != report.Unknown {
		t.Errorf("%+v", f)
	}
}

// TestBounds: however much the target has, a finding stays small.
func TestBounds(t *testing.T) {
	const many = 5000
	p := confined(many)
	lead := &p.Classes[0]
	lead.TIDs = lead.TIDs[:1]
	for i := 1; i < many; i++ {
		c := posture.Class{Thread: thread(10+i, status(10+i)), TIDs: []int{10 + i}}
		c.Caps.Permitted = fact(posture.CapSet(i), status(10+i), "CapPrm")
		for g := range uint32(100) {
			c.Groups.Value = append(c.Groups.Value[:len(c.Groups.Value):len(c.Groups.Value)], mapped(g))
		}
		p.Classes = append(p.Classes, c)
	}
	p.Descriptors.Value = nil
	for i := range many {
		p.Descriptors.Value = append(p.Descriptors.Value, posture.Descriptor{
			FD: i, Path: strings.Repeat("\x1b\n\xff", 10000), Directory: fact(true, "fstat(2)", "fd"), OutsideRoot: fact(true, "fstat(2)", "fd"),
		})
	}
	descriptors := 0
	for _, f := range checks.Run(p, everything()) {
		size := len(f.Message) + len(f.Observed)
		for _, e := range f.Evidence {
			size += len(e.Source) + len(e.Value)
		}
		if size > 16000 {
			t.Errorf("%s %s: %d bytes", f.ID, f.Subject, size)
		}
		if i := strings.IndexFunc(f.Message+f.Observed, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }); i >= 0 {
			t.Errorf("%s %s: raw bytes in %q", f.ID, f.Subject, f.Message)
		}
		if f.ID == "fds.directory" {
			descriptors++
		}
		if f.ID == "capabilities.permitted" {
			if n := len(f.Threads); n != many-1 {
				t.Errorf("%d threads", n)
			}
			if last := f.Evidence[len(f.Evidence)-1].Value; last != fmt.Sprintf("… and %d more classes", many-1-8) {
				t.Errorf("evidence ends with %q", last)
			}
		}
	}
	if descriptors != 65 {
		t.Errorf("%d findings for %d descriptors", descriptors, many)
	}
}

func BenchmarkRun(b *testing.B) {
	pol, _ := policy.Builtin("confined")
	for _, threads := range []int{1, 10, 100} {
		p := confined(threads)
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				checks.Run(p, pol)
			}
		})
	}
}
