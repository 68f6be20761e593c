package probes

import (
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// plain is an attempt of one call, with reach, one or more acts, and nothing
// to prepare. It fits most entries of the catalogue.
type plain struct {
	call  string
	reach words // empty: the call has no reach
	want  syscall.Errno
	late  bool
	acts  []words
	past  []syscall.Errno
	means []meaning
	// opens: success is a descriptor, which is closed again. That the close
	// works is the effect that is read back.
	opens bool
	// spends: success changes the child for good.
	spends bool
}

func (p plain) reading(b *builder) *reading {
	return &reading{want: p.want, late: p.late, past: p.past, fails: len(p.past) > 0 && !p.opens, means: p.means, capability: b.entry.capability}
}

func (p plain) build(b *builder) func() verdict {
	var reach *made
	if len(p.reach) > 0 {
		reach = b.unit(p.call, p.reach, 0)
	}
	how := child.Need
	if p.spends {
		how |= child.Spends
	}
	type try struct{ act, closed *made }
	tries := make([]try, len(p.acts))
	for k, a := range p.acts {
		tries[k].act = b.do(p.call, a, how)
		if p.opens {
			tries[k].closed = b.do("close", args(result(tries[k].act)), 0)
		}
		b.End()
	}
	return func() verdict {
		list := make([]verdict, len(tries))
		for k, t := range tries {
			list[k] = p.judge(b, b.read(reach), b.read(t.act), b.read(t.closed))
		}
		return worst(list)
	}
}

func (p plain) judge(b *builder, reach, act, closed *answer) verdict {
	if p.opens && b.env.filtered && act.OK() && !closed.OK() {
		if closed.Made && closed.Errno == syscall.EBADF {
			return stopped(posture.StoppedByFilter, "a seccomp filter answers success without making the call", reach, act, closed)
		}
		return undecided("it returned a descriptor, and whether that is one could not be found out", reach, act, closed)
	}
	return b.env.judge(p.reading(b), reach, act)
}
