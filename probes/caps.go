package probes

import (
	"encoding/binary"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// capVersion is _LINUX_CAPABILITY_VERSION_3: two words a set.
const capVersion = 0x20080522

// capHeader is struct __user_cap_header_struct for the calling thread.
func capHeader() []byte { return structOf(8, map[int]uint32{0: capVersion}) }

// capSize is the size of two struct __user_cap_data_struct.
const capSize = 24

// sets places two struct __user_cap_data_struct in the shared memory.
func (b *builder) capData(effective, permitted, inheritable posture.CapSet) word {
	buf := b.Buffer(capSize)
	putCaps(b.Read(buf), effective, permitted, inheritable)
	return b.at(buf)
}

func putCaps(b []byte, effective, permitted, inheritable posture.CapSet) {
	for k := range 2 {
		shift := 32 * k
		binary.NativeEndian.PutUint32(b[12*k:], uint32(effective>>shift))
		binary.NativeEndian.PutUint32(b[12*k+4:], uint32(permitted>>shift))
		binary.NativeEndian.PutUint32(b[12*k+8:], uint32(inheritable>>shift))
	}
}

// effectiveOf reads the effective set out of what capget(2) wrote.
func effectiveOf(b []byte) posture.CapSet {
	w := words32(b)
	return posture.CapSet(w[0]) | posture.CapSet(w[3])<<32
}

// capReach is a capset(2) of a version that no kernel has.
func capReach(b *builder) *made {
	return b.unit("capset", args(data(structOf(8, map[int]uint32{0: 1})), room(24)), 0)
}

// sets returns the thread's sets, which the attempts must not lower.
func (e *env) sets() (effective, permitted, inheritable posture.CapSet, ok bool) {
	effective, ok1 := e.caps.Effective.Get()
	permitted, ok2 := e.caps.Permitted.Get()
	inheritable, ok3 := e.caps.Inheritable.Get()
	return effective, permitted, inheritable, ok1 && ok2 && ok3
}

// raise is the attempt to raise one capability, and what is read back.
type raise struct {
	act, back *made
	number    int
	buf       child.Buffer
}

// capset raises one capability after the other into the effective set. All of
// it is one unit: a filter that kills does so at the first.
type capset struct{}

func (capset) build(b *builder) func() verdict {
	effective, permitted, inheritable, ok := b.env.sets()
	if !ok {
		return func() verdict { return undecided("the thread's capability sets are not known") }
	}
	reach := capReach(b)
	header := b.at(b.Bytes(capHeader()))
	tries := make([]raise, 0, b.env.lastCap+1)
	for n := 0; n <= b.env.lastCap; n++ {
		if b.env.in.CapsetExcept.Has(n) || effective.Has(n) {
			continue
		}
		bit := posture.CapSet(1) << n
		t := raise{number: n, buf: b.ones(24)}
		t.act = b.do("capset", args(header, b.capData(effective|bit, permitted|bit, inheritable)), child.Spends|child.SkipNextOnError)
		t.back = b.do("capget", args(header, b.at(t.buf)), 0)
		tries = append(tries, t)
	}
	b.End()
	r := &reading{want: einval, capability: noCap}
	return func() verdict {
		if len(tries) == 0 {
			return noObject("every capability is effective or allowed to be")
		}
		return b.env.judgeAll(b, r, reach, tries, func(t raise, back *answer) bool {
			return back.OK() && effectiveOf(b.Read(t.buf)).Has(t.number)
		})
	}
}

// judgeAll reads many attempts of one unit. Where the child died in one, those
// after it were not made and say nothing.
func (e *env) judgeAll(b *builder, r *reading, reach *made, tries []raise, raised func(raise, *answer) bool) verdict {
	var list []verdict
	var last child.Outcome
	for k, t := range tries {
		act := b.read(t.act)
		if k > 0 && act.Outcome == last && act.Errno != 0 {
			continue // refused just like the one before
		}
		last = act.Outcome
		back := b.read(t.back)
		list = append(list, e.judgeRaised(r, b.read(reach), act, back, raised(t, back), t.number))
		if act.Signal != 0 {
			break
		}
	}
	return worst(list)
}

// judgeRaised reads an attempt to raise one capability.
func (e *env) judgeRaised(r *reading, reach, act, back *answer, raised bool, number int) verdict {
	v := e.judge(r, reach, act)
	switch {
	case v.outcome != succeededOutcome:
		if v.outcome == stoppedOutcome && v.by == permissionStopped {
			// EPERM here is the rule that sets may not grow.
			v.by, v.detail = capabilityStopped, "no set may grow beyond what is permitted"
		}
		return v
	case raised:
		return succeeded(capName(number)+" was raised and read back", reach, act, back)
	case !back.OK() && (!e.filtered || r.genuine(reach)):
		return succeeded(capName(number)+" was raised; the set could not be read back", reach, act, back)
	case !back.OK():
		return undecided("it returned success, and the set could not be read back", reach, act, back)
	default:
		return stopped(filterStopped, "a seccomp filter answers success without making the call", reach, act, back)
	}
}

// ambient raises one capability after the other into the ambient set. What is
// permitted is made inheritable first, as an attacker would.
type ambient struct{}

func (ambient) build(b *builder) func() verdict {
	effective, permitted, inheritable, ok := b.env.sets()
	if !ok {
		return func() verdict { return undecided("the thread's capability sets are not known") }
	}
	reach := b.unit("prctl", args(c("PR_CAP_AMBIENT", prCapAmbient), c("PR_CAP_AMBIENT_RAISE", ambientRaise), i(9999), i(0), i(0)), 0)
	asIs := raises(b)
	var prepare *made
	var prepared []raise
	if permitted&^inheritable != 0 {
		prepare = b.do("capset", args(data(capHeader()), b.capData(effective, permitted, inheritable|permitted)), child.Need|child.Spends)
		prepared = raises(b)
	}
	r := &reading{want: einval, capability: noCap}
	isSet := func(_ raise, back *answer) bool { return back.OK() && back.Ret == 1 }
	return func() verdict {
		v := b.env.judgeAll(b, r, reach, asIs, isSet)
		if prep := b.read(prepare); prep.OK() {
			return worst([]verdict{v, b.env.judgeAll(b, r, reach, prepared, isSet)})
		} else if prep.ok {
			return worst([]verdict{v, b.env.judge(&reading{capability: noCap}, unasked, prep)})
		}
		return v
	}
}

// raises appends a unit that raises every capability there is.
func raises(b *builder) []raise {
	tries := make([]raise, 0, b.env.lastCap+1)
	for n := 0; n <= b.env.lastCap; n++ {
		t := raise{number: n}
		t.act = b.do("prctl", args(c("PR_CAP_AMBIENT", prCapAmbient), c("PR_CAP_AMBIENT_RAISE", ambientRaise), i(n), i(0), i(0)), child.Spends|child.SkipNextOnError)
		t.back = b.do("prctl", args(c("PR_CAP_AMBIENT", prCapAmbient), c("PR_CAP_AMBIENT_IS_SET", ambientIsSet), i(n), i(0), i(0)), 0)
		tries = append(tries, t)
	}
	b.End()
	return tries
}

// keepCaps sets the flag that lets capabilities survive a change of user ids.
type keepCaps struct{}

func (keepCaps) build(b *builder) func() verdict {
	reach := b.unit("prctl", args(c("PR_SET_KEEPCAPS", prSetKeepCaps), i(2)), 0)
	act := b.do("prctl", args(c("PR_SET_KEEPCAPS", prSetKeepCaps), i(1)), child.Need|child.Spends)
	back := b.do("prctl", args(c("PR_GET_KEEPCAPS", prGetKeepCaps)), 0)
	b.End()
	r := &reading{want: einval, capability: noCap}
	return func() verdict {
		got := b.read(back)
		v := b.env.judge(r, b.read(reach), b.read(act))
		if v.outcome == succeededOutcome && got.OK() && got.Ret != 1 {
			return stopped(filterStopped, "a seccomp filter answers success without making the call", b.read(act), got)
		}
		return v
	}
}

// secureBits sets a securebit, which takes CAP_SETPCAP.
type secureBits struct{}

func (secureBits) build(b *builder) func() verdict {
	const noAmbientRaise = 1 << 6
	b.env.needsBits = true
	have, ok := b.env.bits.Get()
	if !ok {
		return func() verdict { return undecided("the thread's securebits are not known") }
	}
	want := have ^ noAmbientRaise
	act := b.do("prctl", args(c("PR_SET_SECUREBITS", prSetSecurebits), i(int(want))), child.Need|child.Spends)
	back := b.do("prctl", args(c("PR_GET_SECUREBITS", prGetSecurebits)), 0)
	b.End()
	r := &reading{capability: b.entry.capability}
	return func() verdict {
		got := b.read(back)
		v := b.env.judge(r, unasked, b.read(act))
		if v.outcome == succeededOutcome && got.OK() && uint32(got.Ret) != want {
			return stopped(filterStopped, "a seccomp filter answers success without making the call", b.read(act), got)
		}
		return v
	}
}
