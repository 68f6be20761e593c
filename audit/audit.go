package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Check audits once. The error says why there is no report: an option that
// makes no sense, no such process, a system other than Linux, or the context's
// error where it ended before anything was found out. A context that ends
// later leaves what is missing unknown.
//
// Facts and attempts about one thread are about the caller's. Audits of one
// process run one after the other; each waits for its turn as long as its
// context and timeout let it.
func Check(ctx context.Context, opts ...Option) (*Report, error) {
	c, err := configure(opts)
	if err != nil {
		return nil, err
	}
	return c.run(ctx)
}

// MustBeConfined audits and returns only where the verdict is confined. Else
// it logs each gap and each unknown and panics with a *NotConfinedError: also
// where the verdict is inconclusive, the audit fails, an option makes no sense
// or the system is not Linux.
func MustBeConfined(opts ...Option) {
	c, err := configure(opts)
	if err != nil {
		refuse(c.log(), nil, err)
	}
	c.must()
}

// Handler returns a handler that audits at each request: status 200 where the
// verdict is confined and 503 otherwise, the report as JSON in the body, or an
// object with the key "error" where there is none. Requests that come while an
// audit runs get its result. GET and HEAD only.
func Handler(opts ...Option) http.Handler {
	c, err := configure(opts)
	if err != nil {
		return &handler{audit: func(context.Context) (*Report, error) { return nil, err }, log: c.log}
	}
	return &handler{audit: c.run, log: c.log}
}

// Auditor audits with what Open kept. It may be used by many goroutines.
type Auditor struct {
	config *config

	mu     sync.RWMutex // held for reading by each audit, so that Close waits
	closed bool
}

// ErrClosed is the error of an audit with an Auditor that was closed.
var ErrClosed = errors.New("audit: the auditor is closed")

// Open keeps a way to the own /proc, for audits after chroot(2) or
// pivot_root(2) have hidden it. It is called while still privileged, before
// confinement. With CAP_SYS_ADMIN it keeps a detached clone of /proc/self/task
// (open_tree(2), Linux 5.2), through which nothing but the own threads can be
// reached. Without, it keeps a descriptor that a process with a root of its
// own could leave it through: such a one is a gap fds.directory until Close.
//
// It fails where /proc cannot be found genuine, and with WithPID of another
// process, for which nothing can be kept.
func Open(opts ...Option) (*Auditor, error) {
	c, err := configure(opts)
	if err != nil {
		return nil, err
	}
	if c.pid != 0 {
		return nil, errors.New("audit: Open keeps the own /proc: WithPID cannot name another process")
	}
	if err := c.keep(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &Auditor{config: c}, nil
}

func (c *config) keep() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	// The child that finds out what a filter kills for is forked from this
	// thread, and keeping is for this thread's filter.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := c.scout(ctx, false)
	if err != nil {
		return err
	}
	if err := out.close(); err != nil {
		return err
	}
	c.kept, err = procfs.Keep(out.deny)
	return err
}

// Check audits once, as the function Check does. After Close its error is
// ErrClosed.
func (a *Auditor) Check(ctx context.Context) (*Report, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return nil, ErrClosed
	}
	return a.config.run(ctx)
}

// MustBeConfined does what the function MustBeConfined does.
func (a *Auditor) MustBeConfined() {
	r, err := a.Check(context.Background())
	if err != nil || r.Verdict != report.Confined {
		refuse(a.config.log(), r, err)
	}
}

// Handler does what the function Handler does, with what Open kept.
func (a *Auditor) Handler() http.Handler {
	return &handler{audit: a.Check, log: a.config.log}
}

// Close gives up what Open kept. It waits for audits that run. Closing twice
// does nothing.
func (a *Auditor) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	return a.config.kept.Close()
}

func (c *config) must() {
	r, err := c.run(context.Background())
	if err != nil || r.Verdict != report.Confined {
		refuse(c.log(), r, err)
	}
}

// refuse logs why and panics.
func refuse(log *slog.Logger, r *Report, err error) {
	e := &NotConfinedError{Report: r, Cause: err}
	if r == nil {
		log.Error("the audit failed", "error", e.Error())
		panic(e)
	}
	logFindings(log, slog.LevelError, r.Gaps())
	logFindings(log, slog.LevelWarn, r.Unknowns())
	panic(e)
}

// logFindings logs each of the findings. A handler may write strings as they
// are, so bytes that the target chose are made harmless here.
func logFindings(log *slog.Logger, level slog.Level, fs []report.Finding) {
	for i := range fs {
		f := &fs[i]
		args := make([]any, 0, 16)
		for _, text := range [...][2]string{
			{"id", f.ID}, {"status", f.Status.String()}, {"severity", f.Severity.String()},
			{"subject", f.Subject}, {"expected", f.Expected}, {"observed", f.Observed}, {"remedy", f.Remedy},
		} {
			args = append(args, text[0], printable(text[1]))
		}
		if len(f.Threads) > 0 {
			args = append(args, "threads", f.Threads)
		}
		log.Log(context.Background(), level, printable(f.Message), args...)
	}
}
