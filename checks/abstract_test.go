package checks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// TestAbstractSockets: those of others are a gap, one's own are none, and what is
// not known passes nothing.
func TestAbstractSockets(t *testing.T) {
	sockets := func(own int, names ...string) posture.Fact[posture.AbstractSockets] {
		v := posture.AbstractSockets{Own: own}
		for i, name := range names {
			v.Others = append(v.Others, posture.AbstractSocket{Name: name, Kind: "stream", Inode: uint64(i)})
		}
		return fact(v, "/proc/10/task/*/net/unix", "names")
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprint("s", i)
	}
	pol := &policy.Policy{Network: policy.Network{NoAbstract: true}}
	for name, c := range map[string]struct {
		fact   posture.Fact[posture.AbstractSockets]
		status report.Status
		says   string
	}{
		"none":          {sockets(0), report.Pass, "no abstract socket of others"},
		"its own":       {sockets(2), report.Pass, "2 of its own"},
		"one of others": {sockets(2, "bus"), report.Gap, `1 abstract socket of others in its network namespace can be reached, unless`},
		"hostile bytes": {sockets(0, "\x1b[2J\n\xff"), report.Gap, `"@\x1b[2J\n\xff" (stream)`},
		"many":          {sockets(0, many...), report.Gap, "… and 992 more"},
		"not asked for": {posture.Fact[posture.AbstractSockets]{}, report.Unknown, "not collected"},
		"not readable":  {posture.Failed[posture.AbstractSockets]("/proc", "no /proc: ENOENT"), report.Unknown, "ENOENT"},
		"not there":     {posture.None[posture.AbstractSockets]("/proc", ""), report.Unknown, "does not have"},
	} {
		p := confined(1)
		p.MakeReach().AbstractSockets = c.fact
		f := find(t, checks.Run(p, pol), "network.abstract", "")
		if f.Status != c.status || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s %q", name, f.Status, f.Message)
		}
		if len(f.Evidence) == 0 || strings.ContainsAny(f.Message+f.Observed, "\x1b\n") || len(f.Message) > 2000 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := find(t, checks.Run(confined(1), &policy.Policy{}), "network.abstract", ""); f.Status != report.Skipped {
		t.Errorf("not asked: %s", f.Status)
	}
}
