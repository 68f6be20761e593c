package audit

import (
	"context"
	"sync"
)

// turns lets one audit at a time through. Each audit forks children that copy
// the page tables of the process: a hundred at once would copy them a hundred
// times, and run into RLIMIT_NPROC or pids.max.
type turns struct {
	once sync.Once
	free chan struct{}
}

var auditTurns turns

// take waits for its turn and returns what gives it back, or the context's
// error.
func (t *turns) take(ctx context.Context) (release func(), err error) {
	// Made at the first audit: importing the package does no work.
	t.once.Do(func() { t.free = make(chan struct{}, 1) })
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	select {
	case t.free <- struct{}{}:
		return func() { <-t.free }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
