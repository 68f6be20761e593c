package probes

import (
	"encoding/binary"
	"slices"

	"github.com/selfaudit/selfaudit/internal/child"
)

// words32 reads 32-bit numbers that the kernel wrote into shared memory.
func words32(b []byte) []uint32 {
	out := make([]uint32, len(b)/4)
	for k := range out {
		out[k] = binary.NativeEndian.Uint32(b[4*k:])
	}
	return out
}

// ids takes id 0 by one call in several ways, and reads the ids back.
type ids struct {
	call     string
	reach    words // -1 alone is no id; with three ids it would change nothing
	acts     []words
	readBack string
}

func (p ids) build(b *builder) func() verdict {
	var reach *made
	r := &reading{want: einval, capability: b.entry.capability, means: notMapped}
	if len(p.reach) > 0 {
		reach = b.unit(p.call, p.reach, 0)
	} else {
		// Three times -1 leaves every id as it is, whoever asks.
		r.want = 0
		reach = b.unit(p.call, keepAll(len(p.acts[0])), 0)
	}
	buf := b.Buffer(16)
	tries := make([]*made, len(p.acts))
	for k, a := range p.acts {
		tries[k] = b.do(p.call, a, child.Spends)
	}
	back := b.do(p.readBack, args(b.at(buf), b.at(buf.From(4)), b.at(buf.From(8))), 0)
	b.End()
	return func() verdict {
		var list []verdict
		for _, t := range tries {
			act := b.read(t)
			list = append(list, judgeTaken(b.env, r, b.read(reach), act, b.read(back), words32(b.Read(buf))[:3]))
			if act.Signal != 0 {
				break // those after it were not made
			}
		}
		return worst(list)
	}
}

// notMapped is how the kernel answers where the user namespace has no id 0:
// user_namespaces(7).
var notMapped = []meaning{{einval, permissionStopped, "its user namespace has no id 0"}}

func keepAll(n int) words {
	out := make(words, n)
	for k := range out {
		out[k] = bad
	}
	return out
}

// judgeTaken reads an attempt whose effect is an id of 0 among those got back.
func judgeTaken(e *env, r *reading, reach, act, back *answer, got []uint32) verdict {
	v := e.judge(r, reach, act)
	if v.outcome != succeededOutcome || !act.OK() {
		return v
	}
	if !back.OK() {
		if r.genuine(reach) || !e.filtered {
			return succeeded("it succeeded; the ids could not be read back", reach, act, back)
		}
		return undecided("it returned success, and the ids could not be read back", reach, act, back)
	}
	switch {
	case slices.Contains(got, 0):
		return succeeded("id 0 was taken and read back", reach, act, back)
	case len(got) == 0 || !e.filtered:
		return undecided("it returned success, and what was read back does not fit that", reach, act, back)
	}
	return stopped(filterStopped, "a seccomp filter answers success without making the call", reach, act, back)
}

// fsID takes file system id 0. The call returns no error: what it returns the
// next time is the only answer.
type fsID struct{ call string }

func (p fsID) build(b *builder) func() verdict {
	before := b.do(p.call, args(bad), 0)
	b.End()
	set := b.do(p.call, args(i(0)), 0)
	after := b.do(p.call, args(bad), 0)
	if after.ok {
		b.SpendsIf(after.step, 0)
	}
	b.End()
	return func() verdict { return p.judge(b.env, b.entry.capability, b.read(before), b.read(set), b.read(after)) }
}

func (p fsID) judge(e *env, capability int, before, set, after *answer) verdict {
	seen := []*answer{before, set, after}
	switch {
	case before.unsteady || after.unsteady || set.unsteady:
		return undecided("a child was killed and the next one was not", seen...)
	case set.Signal != 0:
		return e.judge(&reading{}, before, set)
	case before.Signal != 0:
		return e.judge(&reading{}, set, before)
	case !set.Made || !after.Made:
		return undecided("the call was not made", seen...)
	case set.Errno != 0 || after.Errno != 0:
		// The kernel never gives an error here.
		return stopped(filterStopped, "a seccomp filter refuses it", seen...)
	case uint32(after.Ret) != 0:
		return stopped(capabilityStopped, "it lacks "+capName(capability), seen...)
	}
	// The id reads 0 now. If it read 0 before and the facts say otherwise,
	// it is not the kernel that answers.
	have := e.uid
	if p.call == "setfsgid" {
		have = e.gid
	}
	if known, ok := have.Get(); ok && e.filtered && uint32(before.Ret) == 0 && known.FS.Value != 0 {
		return stopped(filterStopped, "a seccomp filter answers 0 in place of the kernel", seen...)
	}
	return succeeded("file system id 0 was taken and read back", seen...)
}

// groups takes supplementary group 0. The permission comes first, so reach,
// more groups than there can be, is late.
type groups struct{}

func (groups) build(b *builder) func() verdict {
	reach := b.unit("setgroups", args(bad, i(0)), 0)
	list := b.ones(8)
	act := b.do("setgroups", args(i(1), data(make([]byte, 4))), child.Need|child.Spends)
	back := b.do("getgroups", args(i(1), b.at(list)), 0)
	b.End()
	r := &reading{want: einval, late: true, capability: b.entry.capability, means: notMapped}
	return func() verdict {
		got := words32(b.Read(list))[:1]
		if o := b.read(back); o.OK() && o.Ret != 1 {
			got = nil
		}
		return judgeTaken(b.env, r, b.read(reach), b.read(act), b.read(back), got)
	}
}

// personality switches address randomisation off for what it would execute.
type personality struct{}

func (personality) build(b *builder) func() verdict {
	const noRandomize = 0x0040000
	reach := b.unit("personality", args(c("0xffffffff", -1)), 0)
	act := b.do("personality", args(c("ADDR_NO_RANDOMIZE", noRandomize)), child.Need|child.Spends)
	back := b.do("personality", args(c("0xffffffff", -1)), 0)
	b.End()
	return func() verdict {
		o, set := b.read(back), b.read(act)
		v := b.env.judge(&reading{capability: noCap, means: refusedByFilter}, b.read(reach), set)
		if v.outcome == succeededOutcome && (!o.OK() || o.Ret&noRandomize == 0) {
			return stopped(filterStopped, "a seccomp filter answers success without making the call", set, o)
		}
		return v
	}
}
