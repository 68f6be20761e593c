package probes

import (
	"context"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// Of landlock(7).
const (
	landlockVersion = 1 << 0
	landlockExecute = 1 << 0
	// landlockLayers is how many domains may lie within each other,
	// LANDLOCK_MAX_NUM_LAYERS.
	landlockLayers = 16
	prSetNNP       = 38
)

// Landlock returns how many Landlock domains the calling thread is in. No call
// tells, so a child of it enters new ones until the kernel refuses with E2BIG:
// what is missing to 16 were there before. filtered says that a filter may act on
// the calling thread. Linux 5.13; no privilege is needed.
func Landlock(ctx context.Context, filtered bool) posture.Fact[int] {
	const source = "landlock_restrict_self(2) in a child"
	prog, err := child.New()
	if err != nil {
		return posture.Failed[int](source, err.Error())
	}
	create, _ := number("landlock_create_ruleset")
	restrict, _ := number("landlock_restrict_self")
	prctl, _ := number("prctl")
	version := prog.Call(create, child.Need, child.Int(0), child.Int(0), child.Int(landlockVersion))
	prog.Call(prctl, child.Need|child.Spends, child.Int(prSetNNP), child.Int(1), child.Int(0), child.Int(0), child.Int(0))
	attr := make([]byte, 8)
	attr[0] = landlockExecute
	ruleset := prog.Call(create, child.Need, prog.Addr(prog.Bytes(attr)), child.Int(len(attr)), child.Int(0))
	var layers [landlockLayers + 1]child.Step
	for i := range layers {
		layers[i] = prog.Call(restrict, child.Need, child.Result(ruleset), child.Int(0))
	}
	prog.End()
	err = prog.Run(ctx, child.Options{Filtered: filtered})
	fact := layersOf(prog, version, ruleset, layers[:], filtered)
	if errClose := prog.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return posture.Failed[int](source, err.Error())
	}
	return fact
}

// layersOf reads what the child was told.
func layersOf(prog *child.Program, version, ruleset child.Step, layers []child.Step, filtered bool) posture.Fact[int] {
	const source = "landlock_restrict_self(2) in a child"
	if o := prog.Outcome(version); !o.Made || o.Errno != 0 {
		missing := o.Made && (o.Errno == syscall.ENOSYS || o.Errno == syscall.EOPNOTSUPP)
		if missing && !filtered {
			return posture.None[int]("landlock_create_ruleset(2) in a child", "this kernel has no Landlock: "+errnoName(o.Errno))
		}
		return posture.Failed[int]("landlock_create_ruleset(2) in a child", "a seccomp filter, or a kernel without Landlock: "+told(o))
	}
	if o := prog.Outcome(ruleset); !o.OK() {
		return posture.Failed[int]("landlock_create_ruleset(2) in a child", told(o))
	}
	for entered, step := range layers {
		o := prog.Outcome(step)
		switch {
		case o.OK():
		case o.Made && o.Errno == syscall.E2BIG:
			n := landlockLayers - entered
			return posture.Of(n, source, "E2BIG after "+strconv.Itoa(entered)+" of "+strconv.Itoa(landlockLayers)+" domains")
		default:
			return posture.Failed[int](source, told(o))
		}
	}
	return posture.Failed[int](source, "it succeeds more often than the kernel lets it: a seccomp filter answers success without making the call")
}

// told says what a call in the child came to.
func told(o child.Outcome) string {
	switch {
	case o.OK():
		return "it succeeds"
	case o.Made:
		return errnoName(o.Errno)
	default:
		return end(o)
	}
}
