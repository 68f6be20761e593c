package cli

import (
	"fmt"
	"slices"

	"github.com/selfaudit/selfaudit/audit/policyfile"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// usedCalls are the calls that a program makes.
type usedCalls struct {
	// source names the file.
	source string
	names  []string
}

func (u *usedCalls) has(name string) bool { return slices.Contains(u.names, name) }

// readUsed reads the file that --used names: strace's output, or a policy with
// an allow-list, in which groups may stand.
func readUsed(path string) (*usedCalls, error) {
	p, err := policyfile.LoadUsed(path)
	if err != nil {
		return nil, fmt.Errorf("--used: %w", err)
	}
	return &usedCalls{source: path, names: names.ExpandSyscalls(*p.Seccomp.Allow)}, nil
}

// usedOf holds every class and ABI against the calls that are used. A call is
// used by its name: which ABI it was made by, a list of names does not tell, so
// what is denied is told of the native one alone.
func (run *seccompRun) usedOf(d *render.Seccomp) []render.SeccompUsed {
	all := []render.SeccompUsed{}
	for i := range d.Classes {
		c := &d.Classes[i]
		for j := range c.ABIs {
			a := &c.ABIs[j]
			if run.abis == nil && a.Present == render.PresentNo {
				continue
			}
			u := run.newUsed(a.ABI, c.Digest)
			for k := range a.Calls {
				for _, call := range a.Calls[k].Calls {
					run.sortUse(&u, a, &a.Calls[k], call)
				}
			}
			all = append(all, u)
		}
	}
	return all
}

func (run *seccompRun) newUsed(abi, digest string) render.SeccompUsed {
	return render.SeccompUsed{
		ABI: abi, Digest: digest, Source: run.used.source, Calls: len(run.used.names),
		Unused: []render.SeccompUse{}, Denied: []render.SeccompUse{}, Undecided: []render.SeccompUse{},
	}
}

func (run *seccompRun) sortUse(u *render.SeccompUsed, a *render.SeccompABI, r *render.SeccompCalls, call render.SeccompCall) {
	use := render.SeccompUse{Number: call.Number, Name: call.Name, Summary: r.Summary}
	used := run.used.has(call.Name)
	switch {
	case r.Verdict == render.VerdictUndecided:
		u.Undecided = append(u.Undecided, use)
	case used && a.Native && r.Verdict == render.VerdictDenied:
		u.Denied = append(u.Denied, use)
	case !used && r.Verdict != render.VerdictDenied:
		u.Unused = append(u.Unused, use)
	}
}

// usedFromScan is usedOf for what was met from inside.
func (run *seccompRun) usedFromScan(scans []render.SeccompScan) []render.SeccompUsed {
	all := []render.SeccompUsed{}
	for i := range scans {
		s := &scans[i]
		if run.abis == nil && s.Present == render.PresentNo {
			continue
		}
		u := run.newUsed(s.ABI, "")
		for _, c := range s.Calls {
			if c.Name == "" {
				continue
			}
			use, used := render.SeccompUse{Number: c.Number, Name: c.Name, Summary: c.Answer}, run.used.has(c.Name)
			switch c.Answer {
			case posture.AnswerReachable.String():
				if !used {
					u.Unused = append(u.Unused, use)
				}
			case deniedAnswer:
				if used && s.Native {
					u.Denied = append(u.Denied, use)
				}
			case posture.AnswerUnknown.String():
				u.Undecided = append(u.Undecided, use)
			}
		}
		all = append(all, u)
	}
	return all
}
