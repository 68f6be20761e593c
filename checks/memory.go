package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	aslrID      = "memory.aslr"
	wxID        = "memory.wx"
	execstackID = "memory.execstack"
	// maxMapped bounds the findings of one id.
	maxMapped = 32
)

// verdict is what a check says of one thing.
type verdict struct {
	status            report.Status
	observed, message string
}

// addVerdict makes a finding of it.
func (r *results) addVerdict(id, expected string, v verdict, facts ...*posture.Origin) *report.Finding {
	f := r.add(id, v.status, expected, v.observed, v.message)
	f.Evidence = seen(facts...)
	return f
}

// unknownVerdict says why something is not known.
func unknownVerdict(what string, o *posture.Origin, thing string) verdict {
	return verdict{report.Unknown, "unknown", what + ": " + whyNot(o, thing)}
}

// addressSpace checks how the address space is laid out, and what of it can be
// written and executed.
func addressSpace(out *results, a *audited, pol *policy.Policy) {
	m := &a.Reach().Memory
	if pol.Memory.ASLR {
		f := out.addVerdict(aslrID, "all of it at random", judgeASLR(a, m), &m.Randomized.Origin, &m.RandomizeVASpace.Origin)
		f.Evidence = append(f.Evidence, personalityEvidence(m)...)
		f.Evidence = append(f.Evidence, hardeningEvidence(a)...)
	} else {
		out.skip(aslrID)
	}
	if pol.Memory.NoWriteExecute {
		out.writeExecute(m)
	} else {
		out.skip(wxID)
	}
	if pol.Memory.NoExecutableStack {
		f := out.addVerdict(execstackID, "not executable", judgeStack(m), &m.Mappings.Origin)
		f.Evidence = append(f.Evidence, personalityEvidence(m)...)
		f.Evidence = append(f.Evidence, hardeningEvidence(a)...)
	} else {
		out.skip(execstackID)
	}
}

// withFlag are the threads whose personality has a flag.
func withFlag(m *posture.Memory, flag uint32) (tids []int) {
	for i := range m.Personalities {
		if p := &m.Personalities[i]; p.Flags.State == posture.Known && p.Flags.Value&flag != 0 {
			tids = append(tids, p.TIDs...)
		}
	}
	return distinct(tids)
}

func personalityEvidence(m *posture.Memory) []report.Evidence {
	var all evidenceGroups
	for i := range m.Personalities {
		all.add(seen(&m.Personalities[i].Flags.Origin))
	}
	return all.bounded()
}

// judgeASLR goes by what the kernel did when the program was executed. A
// personality and a sysctl that turn it off count for what is executed next.
func judgeASLR(a *audited, m *posture.Memory) verdict {
	random, known := m.Randomized.Get()
	level, levelKnown := m.RandomizeVASpace.Get()
	switch {
	case known && !random:
		return verdict{report.Gap, "not random", "its address space is not laid out at random: the same addresses serve an attacker each time"}
	case len(withFlag(m, posture.AddrNoRandomize)) > 0:
		return verdict{report.Gap, "not for what it executes", "its personality has ADDR_NO_RANDOMIZE: programs that it executes are not laid out at random"}
	case levelKnown && level == posture.VASpaceNone:
		return verdict{report.Gap, "not for what it executes", "kernel.randomize_va_space is 0: programs that it executes are not laid out at random"}
	case levelKnown && level == posture.VASpaceSaveHeap:
		return verdict{report.Gap, "all but the heap", "kernel.randomize_va_space is 1: the heap lies at a fixed distance from the program"}
	case !known:
		return unknownVerdict("whether its address space is laid out at random", &m.Randomized.Origin, "its flags")
	case !levelKnown:
		return unknownVerdict("its address space is laid out at random, and whether the heap too is not known", &m.RandomizeVASpace.Origin, "kernel.randomize_va_space")
	}
	v := verdict{report.Pass, "random", "its address space is laid out at random"}
	if h, known := a.Reach().ProgramFile.Hardening.Get(); known && !h.PIE {
		v.message += "; the program itself, which is not position-independent, lies at fixed addresses"
	}
	return v
}

// hardeningEvidence says how the program was built.
func hardeningEvidence(a *audited) []report.Evidence {
	f := &a.Reach().ProgramFile.Hardening
	if f.State != posture.Known {
		return seen(&f.Origin)
	}
	return []report.Evidence{{Source: sourceOf(&f.Origin), Value: hardeningWords(&f.Value)}}
}

func hardeningWords(h *posture.Hardening) string {
	choose := func(yes bool, then, otherwise string) string {
		if yes {
			return then
		}
		return otherwise
	}
	words := []string{
		choose(h.PIE, "PIE", "not PIE"), choose(h.Static, "static", "dynamic"), "RELRO " + h.RELRO,
		choose(h.ExecutableStack, "asks for an executable stack", "NX stack"), choose(h.Canary, "stack canary", "no stack canary seen"),
	}
	if h.Go != "" {
		words = append(words, "built by "+quoted(h.Go))
	}
	return listed(words, ", ")
}

// mapped are mappings of one name.
type mapped struct {
	name string
	n    int
	of   *posture.Mapping
}

// byName groups mappings by their names, in their order.
func byName(all []posture.Mapping) (out []mapped) {
	at := make(map[string]int, len(all))
	for i := range all {
		name := all[i].Name
		if name == "" {
			name = "[anon]"
		}
		k, seen := at[name]
		if !seen {
			k = len(out)
			at[name] = k
			out = append(out, mapped{name: name, of: &all[i]})
		}
		out[k].n++
	}
	return out
}

// writeExecute adds a finding for each kind of memory that is writable and
// executable, up to a bound.
func (r *results) writeExecute(m *posture.Memory) {
	const expected = "none both writable and executable"
	all, known := m.Mappings.Get()
	if !known {
		r.addVerdict(wxID, expected, unknownVerdict("whether memory is both writable and executable", &m.Mappings.Origin, "its mappings"), &m.Mappings.Origin)
		return
	}
	first, left := len(r.findings), all.More+all.MoreTwice
	for _, kind := range [...]struct {
		all  []posture.Mapping
		says string
	}{
		{all.WriteExecute, " is mapped writable and executable at once"},
		{all.Twice, " is mapped executable, and shared and writable elsewhere: what is written there is executed here"},
	} {
		for _, g := range byName(kind.all) {
			if len(r.findings)-first == maxMapped {
				left += g.n
				continue
			}
			message := "memory of " + quoted(g.name) + kind.says
			if g.n > 1 {
				message += ", in " + strconv.Itoa(g.n) + " places"
			}
			f := r.addVerdict(wxID, expected, verdict{report.Gap, g.of.Permissions, message}, &m.Mappings.Origin)
			f.Subject = g.name
			f.Evidence = []report.Evidence{{Source: sourceOf(&m.Mappings.Origin), Value: mappingWords(g.of)}}
		}
	}
	switch {
	case left > 0:
		words := counted(left, "more mapping")
		r.addVerdict(wxID, expected, verdict{report.Gap, words, "the same holds for " + words}, &m.Mappings.Origin).Subject = "more"
	case all.Unwatched > 0:
		r.addVerdict(wxID, expected, verdict{report.Unknown, "unknown", "whether files are mapped executable and also writable: there are too many mappings of files to compare"}, &m.Mappings.Origin).Subject = "all"
	case len(r.findings) == first:
		r.addVerdict(wxID, expected, verdict{report.Pass, "none", "none of " + counted(all.Count, "mapping") + " is both writable and executable"}, &m.Mappings.Origin)
	}
}

func mappingWords(m *posture.Mapping) string {
	return strconv.FormatUint(m.Start, 16) + "-" + strconv.FormatUint(m.End, 16) + " " + m.Permissions + " " + quoted(m.Name)
}

// judgeStack judges the stacks of all threads. A stack is writable, so that it
// can be executable only where memory is both.
func judgeStack(m *posture.Memory) verdict {
	all, known := m.Mappings.Get()
	if flagged := withFlag(m, posture.ReadImpliesExec); len(flagged) > 0 {
		return verdict{report.Gap, "READ_IMPLIES_EXEC", "its personality has READ_IMPLIES_EXEC: whatever it maps to be read is executable, stacks too"}
	}
	if !known {
		return unknownVerdict("whether its stack is executable", &m.Mappings.Origin, "its mappings")
	}
	if all.Stack != nil && all.Stack.Permissions[2] == 'x' {
		return verdict{report.Gap, all.Stack.Permissions, "its first thread's stack is executable"}
	}
	if len(all.WriteExecute) == 0 {
		return verdict{report.Pass, "not executable", "no stack is executable: no memory is both writable and executable"}
	}
	why := ""
	for i := range m.Stacks {
		s := &m.Stacks[i]
		sp, known := s.Pointer.Get()
		switch {
		case known && slices.ContainsFunc(all.WriteExecute, func(w posture.Mapping) bool { return sp >= w.Start && sp < w.End }):
			return verdict{report.Gap, "executable", "the stack of thread " + strconv.Itoa(s.TID) + " is executable"}
		case !known && why == "":
			why = "where the stack of thread " + strconv.Itoa(s.TID) + " is: " + whyNot(&s.Pointer.Origin, "its stack pointer")
		}
	}
	if all.More > 0 && why == "" {
		why = counted(all.More, "mapping") + " more than were compared are both writable and executable"
	}
	if len(m.Stacks) == 0 && why == "" {
		why = "where the threads' stacks are was not looked at"
	}
	if why != "" {
		return verdict{report.Unknown, "unknown", "whether a stack is among the memory that is both writable and executable: " + why}
	}
	return verdict{report.Pass, "not executable", "no stack is among the memory that is both writable and executable"}
}
