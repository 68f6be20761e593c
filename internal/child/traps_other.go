//go:build !linux || s390x

package child

import "syscall"

// What assembly can do, which there is none of here.
const (
	CanLeave     = false
	FrameReturns = false
	CanHandle    = false
	CanResume    = false
)

// HasInt80 says that Int80 enters the kernel as an i386 program would.
const HasInt80 = false

type traps struct{}

// HandleTraps does nothing here: no child can be made.
func (p *Program) HandleTraps() {}

// NoNewPrivileges does nothing here: no child can be made.
func (p *Program) NoNewPrivileges() {}

// Load does nothing here: no child can be made.
func (p *Program) Load([]byte) {}

// LoadEither does nothing here: no child can be made.
func (p *Program) LoadEither([]byte) {}

// LoadWithListener does nothing here: no child can be made.
func (p *Program) LoadWithListener([]byte) Step { return 0 }

// Unmap does nothing here: no child can be made.
func (p *Program) Unmap(uint64) {}

// CallApart does nothing here: no child can be made.
func (p *Program) CallApart(uint32, ...Arg) Step { return 0 }

func (p *Program) apartOutcome(*step) Outcome { return Outcome{} }

// CheckMask does nothing here: no child can be made.
func (p *Program) CheckMask(syscall.Errno) {}

// DoneWord returns 0: no child can be made.
func (p *Program) DoneWord() uint64 { return 0 }
