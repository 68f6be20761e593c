package checks

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

func stateOf(d *decision) barState {
	switch d.status {
	case report.Pass:
		return barStands
	case report.Gap:
		return barOpen
	default:
		return barUnknown
	}
}

// capability says whether the lack of a capability stops the attack; false where
// the kernel asks for none. Direct says that the kernel's refusal of the attempt
// itself was for want of it, permission that something else was what refused.
func (c *depthCase) capability(need *names.Need, v *threads, direct, permission bool) (barrier, bool) {
	b := barrier{layer: layerCapability}
	switch {
	case direct && need.Asked == names.AskedNever:
		// capset and ambient-raise tried what there is, and what the policy
		// allows was left out of that.
		b.state, b.why = barStands, "the kernel let no set grow"
	case need.Attempt == "capset":
		b.state, b.why = raisable(v.Thread)
	case need.Attempt == "ambient-raise":
		b.state, b.why = unpermitted(v.Thread, &v.Caps.Permitted)
	case need.Attempt == "exec-gain":
		b.state, b.why = grantless(v.Thread)
	case need.Asked == names.AskedNever:
		return b, false
	default:
		b.state, b.why = c.lacking(need, v)
	}
	elsewise := need.Asked == names.AskedElse && !direct
	switch {
	case elsewise && permission:
		// One check took both: the ids or the setting, and the capability.
		return b, false
	case direct && b.state == barUnknown:
		b.state, b.why = barStands, "the kernel refused the attempt for want of it"
	case elsewise && b.state == barStands && !need.RootUID && !need.RootGID:
		b.state, b.why = barUnknown, "ids or a setting of the machine may permit it without "+capNames(need.Capabilities)
	}
	return b, true
}

// raisable says whether there is a capability to be raised.
func raisable(t *posture.Thread) (barState, string) {
	switch {
	case t.Caps.Permitted.State != posture.Known:
		return barUnknown, whyNot(&t.Caps.Permitted.Origin, "the permitted set")
	case t.Caps.Effective.State != posture.Known:
		return barUnknown, whyNot(&t.Caps.Effective.Origin, "the effective set")
	}
	if more := t.Caps.Permitted.Value &^ t.Caps.Effective.Value; more != 0 {
		return barOpen, fewCaps(more) + " is permitted and not effective"
	}
	return barStands, "nothing is permitted that is not effective"
}

// grantless says whether a plain program is given no more than the threads have.
// Securebits that are not known may stop that.
func grantless(t *posture.Thread) (barState, string) {
	var creds Credentials
	if why := creds.read(t); why != "" || t.Caps.Effective.State != posture.Known {
		return barUnknown, "what an execve(2) grants is not known: " + why
	}
	creds.Securebits = t.Securebits.Value
	after := creds.execve()
	more := after.Permitted&^t.Caps.Permitted.Value | after.Effective&^t.Caps.Effective.Value
	switch {
	case more == 0:
		return barStands, "an execve(2) of any program grants no more than there is"
	case t.Securebits.State != posture.Known && more&^after.Ambient != 0:
		return barUnknown, "an execve(2) of any program grants " + fewCaps(more) + " unless noroot is set, and the securebits are not known"
	}
	return barOpen, "an execve(2) of any program grants " + fewCaps(more)
}

func unpermitted(t *posture.Thread, f *posture.Fact[posture.CapSet]) (barState, string) {
	switch {
	case f.State != posture.Known:
		return barUnknown, whyNot(&f.Origin, "the permitted set")
	case f.Value != 0:
		return barOpen, fewCaps(f.Value) + " is permitted"
	}
	return barStands, "nothing is permitted"
}

// lacking says by the facts whether the threads lack the capability and every
// known way to it: what is permitted, what an execve(2) grants, an id of 0, a
// user namespace of their own.
func (c *depthCase) lacking(need *names.Need, v *threads) (barState, string) {
	t := v.Thread
	var want posture.CapSet
	for _, n := range need.Capabilities {
		want |= 1 << n
	}
	which := capNames(need.Capabilities)
	for _, set := range [...]struct {
		fact *posture.Fact[posture.CapSet]
		word string
	}{{&t.Caps.Effective, "effective"}, {&t.Caps.Permitted, "permitted"}} {
		if set.fact.State == posture.Known && set.fact.Value&want != 0 {
			return barOpen, caps(set.fact.Value&want) + " is " + set.word
		}
	}
	if need.RootUID && hasRoot(&t.UID) || need.RootGID && hasRoot(&t.GID) {
		return barOpen, "one of its ids is 0, which may be taken without " + which
	}
	var ways [4]struct {
		state barState
		why   string
	}
	ways[0].state, ways[0].why = both(t)
	ways[1].state, ways[1].why = execGrants(t, want)
	ways[2].state, ways[2].why = idsKnown(need, t)
	ways[3].state, ways[3].why = c.ownNamespace(need, v)
	for _, worst := range [...]barState{barOpen, barUnknown} {
		for _, w := range ways {
			if w.state == worst {
				return w.state, w.why
			}
		}
	}
	return barStands, which + " is neither effective nor permitted, nor granted by an execve(2)"
}

func both(t *posture.Thread) (barState, string) {
	if t.Caps.Effective.State != posture.Known {
		return barUnknown, whyNot(&t.Caps.Effective.Origin, "the effective set")
	}
	if t.Caps.Permitted.State != posture.Known {
		return barUnknown, whyNot(&t.Caps.Permitted.Origin, "the permitted set")
	}
	return barStands, ""
}

// execGrants asks for what a program gets that the threads execute, after they
// have made an id of 0 among theirs the real and the effective one. Securebits
// that are not known count as not set, and programs with privileges of their own
// do not count: they do what they were written for.
func execGrants(t *posture.Thread, want posture.CapSet) (barState, string) {
	var creds Credentials
	if why := creds.read(t); why != "" {
		return barUnknown, "what an execve(2) grants is not known: " + why
	}
	creds.Securebits = t.Securebits.Value
	for _, id := range [...]posture.ID{creds.UID.Real, creds.UID.Effective, creds.UID.Saved, creds.UID.FS} {
		if root(id) {
			creds.UID.Real, creds.UID.Effective = id, id
		}
	}
	if granted := creds.execve().Permitted & want; granted != 0 {
		return barOpen, "an execve(2) of any program grants " + caps(granted)
	}
	return barStands, ""
}

func hasRoot(f *posture.Fact[posture.IDs]) bool {
	ids := f.Value
	return f.State == posture.Known && (root(ids.Real) || root(ids.Effective) || root(ids.Saved) || root(ids.FS))
}

func idsKnown(need *names.Need, t *posture.Thread) (barState, string) {
	switch {
	case need.RootUID && t.UID.State != posture.Known:
		return barUnknown, whyNot(&t.UID.Origin, "user ids")
	case need.RootGID && t.GID.State != posture.Known:
		return barUnknown, whyNot(&t.GID.Origin, "group ids")
	}
	return barStands, ""
}

// namespaceAttempts are the ways to make a user namespace.
var namespaceAttempts = [...]string{"userns", "userns-clone", "userns-clone3"}

// ownNamespace says whether a user namespace of its own would give the
// capability.
func (c *depthCase) ownNamespace(need *names.Need, v *threads) (barState, string) {
	if !need.Nested {
		return barStands, ""
	}
	state, why := barStands, ""
	for _, name := range namespaceAttempts {
		switch c.outcomeOf(name, v) {
		case posture.Succeeded:
			return barOpen, "a user namespace, which can be made (" + name + "), gives " + capNames(need.Capabilities)
		case posture.Stopped:
		default:
			state, why = barUnknown, "a user namespace would give it, and whether one can be made ("+name+") is not known"
		}
	}
	return state, why
}
