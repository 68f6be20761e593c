package probes

import (
	"runtime"
	"slices"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// newProgram returns a program of children with their parent's posture, or with
// another one.
func newProgram(po *child.Posture) (*child.Program, error) {
	if po == nil {
		return child.New()
	}
	p, err := child.NewReplica(*po)
	if err != nil {
		return nil, err
	}
	p.Enter(false)
	return p, nil
}

// dependent are the attempts whose success depends on what nobody outside can
// read, and with what: securebits may forbid them to the process itself.
var dependent = [...]struct{ attempt, on string }{
	{"ambient-raise", "SECBIT_NO_CAP_AMBIENT_RAISE"},
	{"keep-caps", "SECBIT_KEEP_CAPS_LOCKED"},
}

// inReplica takes back what a replica cannot know of the process that it stands
// for: what depends on securebits, which nobody outside can read, and what a
// supervisor or a tracer answers, who is not there for a replica.
func (b *builder) inReplica(read func() verdict) func() verdict {
	if b.env.in.Replica == nil {
		return read
	}
	supervised := b.supervised()
	return func() verdict {
		v := read()
		switch {
		case v.outcome == posture.NoObject || v.outcome == posture.Undecided:
		case supervised != "":
			return undecided("a seccomp filter leaves "+supervised+"(2) to another process, which a replica does not have", v.seen...)
		case v.outcome == posture.Succeeded:
			for _, d := range dependent {
				if d.attempt == b.entry.name {
					return undecided("it succeeds unless "+d.on+" is set, and nobody outside can read the securebits of a process", v.seen...)
				}
			}
		}
		return v
	}
}

// supervised returns a call of the entry that the filters leave to another
// process, or whose outcome they do not show, or nothing.
func (b *builder) supervised() string {
	t := b.env.in.Thread
	if t == nil {
		return ""
	}
	f, known := t.Filters.Get()
	if !known || len(f.ABIs) == 0 {
		return ""
	}
	left := func(w posture.Way) bool {
		return w.Action == posture.ActionNotify || w.Action == posture.ActionTrace
	}
	for _, nr := range b.made {
		for _, c := range f.ABIs[0].Calls {
			if nr >= c.First && nr <= c.Last && slices.ContainsFunc(c.Ways, left) {
				name, _ := names.SyscallName(runtime.GOARCH, nr)
				return name
			}
		}
	}
	return ""
}
