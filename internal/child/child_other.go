//go:build !linux || s390x

package child

import (
	"context"
	"errors"
	"time"
)

// errSystem is what every call returns where children cannot be made this way.
var errSystem = errors.New("child: needs Linux, and not s390x")

// ErrNoChild means that the kernel, or a filter, refused to make a child.
var ErrNoChild = errors.New("child: no child could be made")

// ErrDeadline means that the context ended before the program did.
var ErrDeadline = errors.New("child: deadline exceeded")

// Options say how a program is run.
type Options struct {
	Filtered bool
	Children int
	Stall    time.Duration
	Exits    bool
}

type prologue struct{}

type taker interface{ close() }

// NewReplica returns an error that names the systems it needs.
func NewReplica(Posture) (*Program, error) { return nil, errSystem }

// Execute returns an error that names the systems it needs.
func Execute(context.Context, Posture, int, func(pid int)) (Outcome, Taken, error) {
	return Outcome{}, Taken{}, errSystem
}

// Enter does nothing here: no child can be made.
func (p *Program) Enter(bool) {}

// Replica returns nothing: no child can be made.
func (p *Program) Replica() Taken { return Taken{} }

type leaving struct{}

func (p *Program) seeOff() error { return nil }

func (p *Program) addPrologue() { p.err = errSystem }

// Run returns an error that names the systems it needs.
func (p *Program) Run(context.Context, Options) error { return errSystem }

func mapShared(int) ([]byte, error) { return nil, errSystem }

func unmapShared([]byte) error { return nil }
