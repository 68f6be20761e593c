package collect

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Site is the way to a process while it is held, for facts that only some
// policies ask for. It serves until the function returns that it is handed to.
type Site struct {
	Ctx   context.Context
	Calls *kernel.Calls
	// Process is what was collected before; further facts go into it.
	Process *posture.Process
	// Self: it is the own process.
	Self bool
	// Task is /proc/PID/task of the process. Nil where it cannot be reached;
	// NoTask says why.
	Task   *procfs.Dir
	NoTask error
	// Proc is the whole /proc. Nil where there is none, or only what
	// audit.Open kept of it.
	Proc *procfs.Proc
	// Buf holds what is read, until the next reading.
	Buf *procfs.Buffer
	// by is the audit that it belongs to.
	by *collector
}

// ShowProgress has walks tell how many files they have looked at: see
// auditopt.Options. Nil is none.
func (s *Site) ShowProgress(show func(files int)) { s.by.progress = show }

func (a *collector) site() *Site {
	return &Site{Ctx: a.ctx, Calls: a.c, Process: a.p, Self: a.self, Task: a.task, NoTask: a.noTask, Proc: a.proc, Buf: &a.buf, by: a}
}
