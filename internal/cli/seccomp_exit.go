package cli

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// Exit codes of auditctl seccomp beside exitTrouble.
const (
	exitDiffers = 1
	exitUnknown = 3
)

// exitCode tells by the document what the command ends with: a difference
// before what is not known.
func (run *seccompRun) exitCode(d *render.Seccomp) int {
	switch {
	case differs(d):
		return exitDiffers
	case run.unknown(d):
		return exitUnknown
	default:
		return 0
	}
}

func differs(d *render.Seccomp) bool {
	if d.Comparison != nil && len(d.Comparison.Disagreements) > 0 {
		return true
	}
	for _, u := range d.Used {
		if len(u.Unused)+len(u.Denied) > 0 {
			return true
		}
	}
	if d.Diff == nil {
		return false
	}
	for _, pair := range d.Diff.Pairs {
		for _, change := range pair.Changes {
			if change.Kind != render.ChangeUnknown {
				return true
			}
		}
	}
	return false
}

// unknown says whether something that was asked for is not known.
func (run *seccompRun) unknown(d *render.Seccomp) bool {
	for _, c := range d.Classes {
		if c.State != posture.Known.String() {
			return true
		}
	}
	switch {
	case d.Diff != nil:
		return openDiff(d.Diff)
	case d.Comparison != nil:
		return openComparison(d.Comparison)
	case d.Used != nil:
		return openUsed(d)
	case run.disassemble:
		return false
	}
	return openVerdicts(d) || run.openScan(d)
}

func openDiff(d *render.SeccompDiff) bool {
	for _, pair := range d.Pairs {
		if len(pair.Changes) > 0 {
			return true
		}
	}
	return false
}

// openComparison passes over what the filters let through by the evaluation and
// no child made: a few calls act whatever their arguments, and are never made.
// A denial that was not seen is not known to be one.
func openComparison(c *render.SeccompComparison) bool {
	for _, a := range c.ABIs {
		if a.Why != "" {
			return true
		}
		abi, _ := names.FindABI(a.ABI)
		for _, o := range a.Open {
			let := o.Evaluated == posture.ActionAllow.String() || o.Evaluated == posture.ActionLog.String()
			if !let && names.Unfiltered(abi.Arch, o.Number) == "" {
				return true
			}
		}
	}
	return false
}

func openUsed(d *render.Seccomp) bool {
	for _, u := range d.Used {
		if len(u.Undecided) > 0 {
			return true
		}
	}
	for _, s := range d.Scan {
		if s.Why != "" {
			return true
		}
	}
	return false
}

func openVerdicts(d *render.Seccomp) bool {
	for _, c := range d.Classes {
		for _, a := range c.ABIs {
			for _, r := range a.Calls {
				if r.Verdict == render.VerdictUndecided {
					return true
				}
			}
		}
	}
	return false
}

// openScan passes over calls whose answer does not tell where there is no
// filter: then none denied them. sync(2), which acts whatever its arguments, is
// never made and one of them.
func (run *seccompRun) openScan(d *render.Seccomp) bool {
	for _, s := range d.Scan {
		if s.Why != "" && s.Present != render.PresentNo {
			return true
		}
		for _, call := range s.Calls {
			if call.Answer == posture.AnswerUnknown.String() && !run.unfiltered {
				return true
			}
		}
	}
	return false
}
