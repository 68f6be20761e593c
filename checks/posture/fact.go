// Package posture holds what was observed of a process: each value with the
// source it came from, and whether it could be found out at all.
//
// The package is a leaf. It collects nothing and judges nothing.
package posture

// State says whether a value could be found out. The zero value is
// Unreadable, so that a fact nobody filled in never reads as an answer.
type State uint8

const (
	// Unreadable: the kernel has the value and it could not be read, or nobody asked.
	Unreadable State = iota
	// Absent: the kernel has no such thing.
	Absent
	// Known: Value holds what the kernel said.
	Known
)

// String returns the contract's word for the state.
func (s State) String() string {
	switch s {
	case Known:
		return "known"
	case Absent:
		return "absent"
	default:
		return "unreadable"
	}
}

// Origin says whether a value could be found out, and where it came from.
type Origin struct {
	State State
	// Source names the file or the call: "/proc/12/task/12/status", "capget(2)".
	Source string
	// Raw is the value as the kernel put it: "CapPrm: 0000000000200000".
	// It may hold bytes that the target chose.
	Raw string
	// Err says why the value is unreadable or absent: file, call and errno.
	Err string
}

// Fact is one observed value with where it came from.
type Fact[T any] struct {
	// Value is meaningful only when State is Known.
	Value T
	Origin
}

// Of returns a known fact.
func Of[T any](value T, source, raw string) Fact[T] {
	return Fact[T]{value, Origin{State: Known, Source: source, Raw: raw}}
}

// None returns a fact about something that this kernel does not have or show.
func None[T any](source, why string) Fact[T] {
	return Fact[T]{Origin: Origin{State: Absent, Source: source, Err: why}}
}

// Failed returns a fact that could not be read, with the reason.
func Failed[T any](source, why string) Fact[T] {
	return Fact[T]{Origin: Origin{Source: source, Err: why}}
}

// Know, Fail and Why are called in many places and seldom in the same run: kept
// out of line they cost the programs that link them less.

// Know marks a fact, whose value is set, as known.
//
//go:noinline
func (o *Origin) Know(source, raw string) {
	*o = Origin{State: Known, Source: source, Raw: raw}
}

// Fail marks a fact as one that could not be read. Its value stays, and means
// nothing.
//
//go:noinline
func (o *Origin) Fail(source, why string) {
	*o = Origin{Source: source, Err: why}
}

// Get returns the value and whether it is known.
func (f Fact[T]) Get() (T, bool) { return f.Value, f.State == Known }

// Why says in words why the fact is not known. It is empty for a known fact.
//
//go:noinline
func (o Origin) Why() string {
	switch {
	case o.State == Known:
		return ""
	case o.Err != "":
		return o.Err
	case o.State == Absent:
		return o.Source + ": this kernel does not have or show it"
	case o.Source != "":
		return o.Source + ": not readable"
	default:
		return "not collected"
	}
}

// Carry returns a fact of another type with f's state, source and reason, and
// value as its value. It is for facts that are computed from other facts.
func Carry[U, T any](f Fact[T], value U) Fact[U] {
	return Fact[U]{value, f.Origin}
}
