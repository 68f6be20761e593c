package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const execID = "capabilities.exec"

// compareExecuted compares what programs really had that children executed in
// the place of threads with what the threads' credentials amount to. It returns
// one of which there was something to compare, or what it was given. What execve(2) grants by
// computation is shown beside what it granted.
func compareExecuted(out *results, a *audited, compared *posture.Origin) *posture.Origin {
	found := false
	for i := range a.Reach().Executed {
		e := &a.Reach().Executed[i]
		if e.After.State != posture.Known {
			continue
		}
		for k := range a.views {
			v := &a.views[k]
			if v.kernel || !spokenFor(e, v) {
				continue
			}
			var c Credentials
			if why := c.read(v.Thread); why != "" {
				continue
			}
			// The children's securebits are all off.
			c.Securebits = 0
			compared, found = &e.After.Origin, true
			if !c.ledTo(&e.After.Value) {
				disagreeExecuted(out, a, v, e, &c)
			}
		}
	}
	if found {
		showExecuted(out, a)
	}
	return compared
}

// spokenFor says that a child stood in for the threads.
func spokenFor(e *posture.Execution, v *threads) bool {
	return len(e.TIDs) == 0 || slices.ContainsFunc(v.tids, func(tid int) bool { return slices.Contains(e.TIDs, tid) })
}

// ledTo says that the credentials amount to what a program had, by the rule of
// one kernel or another.
func (c *Credentials) ledTo(really *posture.AfterExec) bool {
	caps := really.Caps == c.execve() || really.Caps == c.execveByRealIDs()
	return caps && c.idsLedTo(&c.UID, &really.UID) && (c.gidUnknown() || c.idsLedTo(&c.GID, &really.GID))
}

// gidUnknown says that the group ids were not read: then they count as equal.
func (c *Credentials) gidUnknown() bool { return c.GID == (posture.IDs{}) }

// idsLedTo compares ids as the auditor sees them. The effective one stays, and
// the saved and the file system id become it; but where no_new_privs keeps
// capabilities from being gained it becomes the real one.
func (c *Credentials) idsLedTo(before, really *posture.IDs) bool {
	now := really.Effective.Outside
	kept := now == before.Effective.Outside || c.NoNewPrivs && now == before.Real.Outside
	return kept && really.Real.Outside == before.Real.Outside && really.Saved.Outside == now && really.FS.Outside == now
}

func disagreeExecuted(out *results, a *audited, v *threads, e *posture.Execution, c *Credentials) {
	really, computed := &e.After.Value, c.execve()
	words := differing(&computed, &really.Caps)
	if !c.idsLedTo(&c.UID, &really.UID) {
		words = append(words, "user ids "+outsideWords(&really.UID))
	}
	if !c.gidUnknown() && !c.idsLedTo(&c.GID, &really.GID) {
		words = append(words, "group ids "+outsideWords(&really.GID))
	}
	f := out.add(contradictionID, report.Gap, setsWords(&computed), setsWords(&really.Caps),
		"a program that was executed in the place of thread "+strconv.Itoa(v.tids[0])+" had other credentials than those of the thread amount to: "+strings.Join(words, ", "))
	f.Subject = "execve"
	f.Threads, _ = a.holdsFor(v.tids)
	f.Evidence = append(seen(&e.After.Origin), seenOf(execFacts, v.Thread)...)
}

func outsideWords(ids *posture.IDs) string {
	words := make([]string, 0, 4)
	for _, id := range [...]posture.ID{ids.Real, ids.Effective, ids.Saved, ids.FS} {
		words = append(words, strconv.Itoa(int(id.Outside)))
	}
	return strings.Join(words, " ")
}

// showExecuted adds what programs really had to the finding that was computed.
func showExecuted(out *results, a *audited) {
	for i := range out.findings {
		f := &out.findings[i]
		if f.ID != execID || f.Status == report.Skipped {
			continue
		}
		for k := range a.Reach().Executed {
			e := &a.Reach().Executed[k].After
			if e.State != posture.Known || len(f.Evidence) >= 2*maxEvidence {
				continue
			}
			f.Evidence = append(f.Evidence, report.Evidence{Source: e.Source, Value: e.Raw})
		}
	}
}
