package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

// Kinds of note.
const (
	noteArchitecture = "architecture"
	noteABI          = "abi"
	noteWidth        = "width"
	noteEquivalent   = "equivalent"
	noteIOUring      = "io-uring"
	noteUnnamed      = "unnamed-numbers"
	noteLog          = "log"
	noteDelegated    = "delegated"
	noteUnfiltered   = "unfiltered"
)

// notesOf says what the table of a class does not show by itself.
func notesOf(c *render.SeccompClass) []render.SeccompNote {
	notes := []render.SeccompNote{}
	add := func(kind, abi string, calls []string, format string, args ...any) {
		notes = append(notes, render.SeccompNote{Kind: kind, ABI: abi, Syscalls: calls, Text: fmt.Sprintf(format, args...)})
	}
	if !looksAtArch(c.Filters) {
		add(noteArchitecture, "", nil, "no filter looks at the architecture (seccomp_data.arch): a number means one call by one ABI and another call by another, and all are judged alike")
	}
	known := map[string]bool{}
	for i := range c.ABIs {
		a := &c.ABIs[i]
		// What this kernel does not have is no way round anything.
		if a.Present == render.PresentNo {
			continue
		}
		v := viewOf(a)
		v.foreign(add)
		v.widths(add)
		v.actions(add)
		v.equivalents(add, known)
		v.ioUring(add)
		v.unnamed(add)
		v.unfiltered(add)
	}
	return notes
}

// addNote appends a note about calls of an ABI.
type addNote func(kind, abi string, calls []string, format string, args ...any)

// Of linux/bpf_common.h and struct seccomp_data: a load of 32 bits at a fixed
// offset, and where the architecture is.
const (
	loadWord   = 0x20
	archOffset = 4
)

// looksAtArch says whether any of the filters loads the architecture. One that
// cannot be decoded is taken to: nothing was seen of it.
func looksAtArch(filters []render.SeccompFilter) bool {
	for _, f := range filters {
		program, err := seccomp.Decode(f.Program)
		if err != nil {
			return true
		}
		if slices.ContainsFunc(program, func(in seccomp.Instruction) bool { return in.Code == loadWord && in.K == archOffset }) {
			return true
		}
	}
	return false
}

// view is the verdicts of one ABI by the names of its calls.
type view struct {
	*render.SeccompABI
	byName map[string]*render.SeccompCalls
}

func viewOf(a *render.SeccompABI) view {
	v := view{a, map[string]*render.SeccompCalls{}}
	for i := range a.Calls {
		for _, call := range a.Calls[i].Calls {
			v.byName[call.Name] = &a.Calls[i]
		}
	}
	return v
}

// may says whether a call may be made: it has one, and it is not always denied.
func (v view) may(name string) bool {
	r := v.byName[name]
	return r != nil && r.Verdict != render.VerdictDenied
}

// foreign is about an ABI that is not the native one: 32-bit numbers reach the
// same kernel.
func (v view) foreign(add addNote) {
	if v.Native {
		return
	}
	n := 0
	for name := range v.byName {
		if v.may(name) {
			n++
		}
	}
	if n > 0 {
		add(noteABI, v.ABI, nil, "%d of %d calls may be made by this ABI's own numbers", n, len(v.byName))
	}
}

// widths repeats what the ways say of comparisons, a note a call.
func (v view) widths(add addNote) {
	type said struct {
		text  string
		calls []string
	}
	var all []said
	for i := range v.Calls {
		for _, w := range v.Calls[i].Ways {
			for _, text := range w.Notes {
				at := slices.IndexFunc(all, func(s said) bool { return s.text == text })
				if at < 0 {
					at, all = len(all), append(all, said{text: text})
				}
				for _, call := range v.Calls[i].Calls {
					if !slices.Contains(all[at].calls, call.Name) {
						all[at].calls = append(all[at].calls, call.Name)
					}
				}
			}
		}
	}
	for _, s := range all {
		if len(s.calls) > 0 {
			add(noteWidth, v.ABI, s.calls, "%s: %s", some(s.calls), s.text)
		}
	}
}

// actions is about calls that are made though the filter has an opinion, and
// calls that others decide on.
func (v view) actions(add addNote) {
	var logged, delegated []string
	for i := range v.Calls {
		for _, w := range v.Calls[i].Ways {
			for _, call := range v.Calls[i].Calls {
				switch w.Action {
				case posture.ActionLog.String():
					logged = appendNew(logged, call.Name)
				case posture.ActionNotify.String(), posture.ActionTrace.String():
					delegated = appendNew(delegated, call.Name)
				}
			}
		}
	}
	if len(logged) > 0 {
		add(noteLog, v.ABI, logged, "%s: logged and made: SECCOMP_RET_LOG denies nothing", some(logged))
	}
	if len(delegated) > 0 {
		add(noteDelegated, v.ABI, delegated, "%s: left to a tracer or a supervisor, whose answer no filter shows; ENOSYS where there is none", some(delegated))
	}
}

func appendNew(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	return append(list, word)
}

// work is what several calls do, of which some are denied and others are not.
type work struct {
	why                string
	denied, open, told []string
}

// equivalents names denied calls whose work others do that are not, those that
// do one work together. known are reasons that were given for another ABI.
func (v view) equivalents(add addNote, known map[string]bool) {
	for i := range v.Calls {
		if v.Calls[i].Verdict != render.VerdictConditional {
			continue
		}
		for _, call := range v.Calls[i].Calls {
			if round := v.round(call.Name); round != "" && v.may(round) {
				add(noteEquivalent, v.ABI, []string{call.Name, round}, "%s is let through under conditions, and %s takes the same arguments from memory, where no filter sees them", call.Name, v.tell(round))
			}
		}
	}
	for _, w := range v.works() {
		if known[w.why] {
			continue
		}
		known[w.why] = true
		add(noteEquivalent, v.ABI, append(slices.Clone(w.denied), w.open...), "what %s: denied %s; not denied %s", w.why, strings.Join(w.denied, ", "), strings.Join(w.told, ", "))
	}
}

// round returns the call that takes the arguments of another from memory, and
// so goes round conditions on them, or "".
func (v view) round(name string) string {
	if name == "clone" {
		return "clone3"
	}
	abi, _ := names.FindABI(v.ABI)
	by, _, _ := names.Multiplexer(abi.Arch, name)
	return by
}

// works returns the works of which a part is denied, by what they are.
func (v view) works() []work {
	var all []work
	for _, name := range names.SyscallNames() {
		if r := v.byName[name]; r == nil || r.Verdict != render.VerdictDenied {
			continue
		}
		for _, other := range names.Equivalents(name) {
			if !v.may(other) {
				continue
			}
			why := names.EquivalentWhy(name, other)
			at := slices.IndexFunc(all, func(w work) bool { return w.why == why })
			if at < 0 {
				at, all = len(all), append(all, work{why: why})
			}
			all[at].denied = appendNew(all[at].denied, name)
			all[at].open = appendNew(all[at].open, other)
			all[at].told = appendNew(all[at].told, v.tell(other))
		}
	}
	slices.SortFunc(all, func(a, b work) int { return strings.Compare(a.why, b.why) })
	return all
}

// tell names a call that is not denied, with what keeps it from being let through.
func (v view) tell(name string) string {
	switch r := v.byName[name]; r.Verdict {
	case render.VerdictAllowed:
		return name
	case render.VerdictConditional:
		return name + " (under conditions)"
	default:
		return name + " (" + r.Verdict + ")"
	}
}

// ioUring names the calls that a ring makes good for.
func (v view) ioUring(add addNote) {
	if !v.may("io_uring_setup") {
		return
	}
	var round []string
	for _, op := range names.IOUringOps() {
		for _, name := range op.Calls() {
			if r := v.byName[name]; r != nil && r.Verdict != render.VerdictAllowed {
				round = appendNew(round, name)
			}
		}
	}
	slices.Sort(round)
	text := "io_uring_setup may be made, and no filter sees what a ring does"
	if len(round) > 0 {
		text += ", so that it goes round what is decided on " + strings.Join(round, ", ")
	}
	add(noteIOUring, v.ABI, append([]string{"io_uring_setup"}, round...), "%s", text)
}

// unnamed is about numbers above the last that has a name: calls of kernels to
// come.
func (v view) unnamed(add addNote) {
	abi, _ := names.FindABI(v.ABI)
	last := names.LastSyscall(abi.Arch)
	for i := range v.Calls {
		if r := &v.Calls[i]; r.First <= last+1 && last+1 <= r.Last && r.Verdict != render.VerdictDenied {
			add(noteUnnamed, v.ABI, nil, "numbers above %d, calls of kernels to come, are not denied: %s", last&^x32Bit, r.Summary)
		}
	}
}

// unfiltered is about calls that the kernel asks no filter about.
func (v view) unfiltered(add addNote) {
	abi, _ := names.FindABI(v.ABI)
	for i := range v.Calls {
		if v.Calls[i].Verdict == render.VerdictAllowed {
			continue
		}
		for _, call := range v.Calls[i].Calls {
			if why := names.Unfiltered(abi.Arch, call.Number); why != "" {
				add(noteUnfiltered, v.ABI, []string{call.Name}, "%s", why)
			}
		}
	}
}

// x32Bit is __X32_SYSCALL_BIT.
const x32Bit = 1 << 30

// some names the first of many.
func some(calls []string) string {
	const most = 8
	if len(calls) <= most {
		return strings.Join(calls, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(calls[:most], ", "), len(calls)-most)
}
