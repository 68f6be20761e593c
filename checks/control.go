package checks

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const controlID = "network.control-socket"

// controlSockets checks that no thread may use what others take orders by.
func controlSockets(out *results, a *audited, pol *policy.Policy) {
	if !pol.Network.NoControl {
		out.skip(controlID)
		return
	}
	const expected = "none in reach"
	fact := &a.Reach().ControlSockets
	if fact.State != posture.Known {
		f := out.add(controlID, report.Unknown, expected, "unknown", "which sockets it can reach by path is not known: "+whyNot(&fact.Origin, "the paths"))
		f.Evidence = seen(&fact.Origin)
		return
	}
	var found [report.Skipped][]subject
	for i := range fact.Value.Found {
		one := &fact.Value.Found[i]
		may, why := a.mayUse(one)
		if may == no {
			continue
		}
		what := quoted(one.Path) + ", " + controlWords(one) + ","
		s := subject{name: one.Path, observed: "in reach", message: what + " may be connected to", facts: []*posture.Origin{&fact.Origin}}
		if one.Secret {
			s.message = what + " may be read"
		}
		status := report.Gap
		if may == perhaps {
			status, s.observed, s.message = report.Unknown, "unknown", "whether a thread may use "+what+" is not known: "+why
		}
		found[status] = append(found[status], s)
	}
	if len(fact.Value.Unseen) > 0 {
		found[report.Unknown] = append(found[report.Unknown], subject{"unseen", "unknown",
			"whether there are more is not known: " + leftWords(fact.Value.Unseen), []*posture.Origin{&fact.Origin}})
	}
	if a.incomplete != "" {
		found[report.Unknown] = append(found[report.Unknown], subject{"threads", "unknown", "whether other threads may use one is not known: " + a.incomplete, nil})
	}
	if len(found[report.Gap])+len(found[report.Unknown]) == 0 {
		f := out.add(controlID, report.Pass, expected, "none",
			"none of "+strconv.Itoa(fact.Value.Looked)+" usual paths of sockets and tokens leads to one that a thread may use; "+strconv.Itoa(len(fact.Value.Found))+" are there")
		f.Evidence = seen(&fact.Origin)
	}
	for _, status := range []report.Status{report.Gap, report.Unknown} {
		addSubjects(out, controlID, expected, "paths", status, found[status])
	}
}

func controlWords(one *posture.Control) string {
	mode := ", mode 0" + strconv.FormatUint(uint64(one.Mode), 8) + " of " + ownerWords("user ", &one.UID) + " and " + ownerWords("group ", &one.GID)
	if one.Secret {
		return "a secret of " + one.What + mode
	}
	return "a socket of " + one.What + mode
}

// mayUse says whether some thread may.
func (a *audited) mayUse(one *posture.Control) (answer, string) {
	worst, because := no, ""
	if len(a.views) == 0 {
		return perhaps, "no thread could be read"
	}
	for i := range a.views {
		may, why := mayUseAs(a.views[i].Thread, one)
		switch {
		case may == yes:
			return yes, ""
		case may == perhaps:
			worst, because = perhaps, why
		}
	}
	return worst, because
}

func mayUseAs(t *posture.Thread, one *posture.Control) (answer, string) {
	var c Credentials
	if why := (&gains{}).read(&c, t); why != "" {
		return perhaps, why
	}
	may, why := c.mayOpen(&one.Permission, one.Secret)
	for i := range one.Through {
		if may == no {
			break
		}
		if through, because := c.may(&one.Through[i], true); through != yes {
			may, why = through, because
		}
	}
	return may, why
}

// mayOpen is may for writing to a socket, or for reading a file.
func (c *Credentials) mayOpen(p *posture.Permission, reading bool) (answer, string) {
	bit, caps := uint32(2), posture.CapSet(capDACOverride)
	if reading {
		bit, caps = 4, capDACOverride|capDACReadSearch
	}
	// mayAs asks for the bit that is for executing.
	as := *p
	as.Mode = p.Mode / bit & 0o111
	return c.mayBits(&as, c.Caps.Permitted&caps != 0)
}
