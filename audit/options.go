package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Policy is what a process is held against.
type Policy = policy.Policy

// Report is the result of an audit.
type Report = report.Report

// DefaultTimeout bounds an audit where WithTimeout is not given.
const DefaultTimeout = 10 * time.Second

// Option changes what is audited or how. An option with a value that makes no
// sense turns into an error of the call that it is given to.
type Option func(*config)

// config is what the options come to.
type config struct {
	policy *policy.Policy
	pid    int // 0: the own process
	// other observes another process, scan tries what is tried beside the attempts, check judges
	// filters and reach too, depth counts the layers before each attack, and
	// reach collects what the process can reach. They are set by WithPID and
	// WithPolicy alone, so that a program that never calls those links nothing of
	// what they take.
	other func(context.Context, *config, collect.Options) (*posture.Process, error)
	scan  func(context.Context, *config, *posture.Process, bool)
	check func(*posture.Process, *policy.Policy) []report.Finding
	depth func(*posture.Process) []report.Depth
	reach func(*collect.Site, *policy.Policy)
	// beyond makes the attempts of the own process at what lies outside it.
	beyond func(context.Context, *config, *posture.Process, map[string]string)
	// descriptors: an attempt takes those of the process.
	descriptors bool
	// root reads the root directory, set by WithPolicy.
	root    func(*collect.RootReader)
	logger  *slog.Logger
	timeout time.Duration
	probes  bool
	kept    *procfs.Kept
	errs    []error
}

// WithPolicy sets the policy. The default is the built-in profile "confined".
// The policy must not be changed while an audit that was given it can run.
func WithPolicy(p *Policy) Option {
	return func(c *config) {
		if err := p.Validate(); err != nil {
			c.errs = append(c.errs, fmt.Errorf("WithPolicy: %w", err))
			return
		}
		c.policy, c.scan, c.check, c.depth, c.reach, c.beyond = p, trySelf, checks.Run, checks.Depths, observeReach, beyondSelf
		c.descriptors = slices.Contains(p.Probes.Names(), "fd-escape")
		c.root = collect.ReadRoot
	}
}

// WithPID audits another process, by its id in the caller's pid namespace.
// The own id stands for the own process, which is also the default. What the
// policy asks of probes is unknown for another process. Reading another
// user's process needs CAP_SYS_PTRACE: ptrace(2), "Ptrace access mode checking".
func WithPID(pid int) Option {
	return func(c *config) {
		switch {
		case pid < 1:
			c.errs = append(c.errs, fmt.Errorf("WithPID: %d is not a process id", pid))
		case pid == os.Getpid():
			c.pid = 0
		default:
			c.pid, c.other, c.check, c.depth, c.reach = pid, observeOther, checks.Run, checks.Depths, observeReach
		}
	}
}

// WithLogger sets where MustBeConfined and Handler log. The default is
// slog.Default at the time of the log record.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) {
		if l == nil {
			c.errs = append(c.errs, errors.New("WithLogger: nil logger"))
			return
		}
		c.logger = l
	}
}

// WithTimeout bounds an audit, with waiting for its turn where others run.
// What was not found out by then is unknown. The default is DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(c *config) {
		if d <= 0 {
			c.errs = append(c.errs, fmt.Errorf("WithTimeout: %v is not above zero", d))
			return
		}
		c.timeout = d
	}
}

// WithoutProbes makes no child process and tries nothing. What the policy asks
// of probes is unknown then, so that under the profile "confined" the verdict
// can be exposed or inconclusive and never confined.
func WithoutProbes() Option {
	return func(c *config) { c.probes = false }
}

// configure returns what the options come to, and all that is wrong with them.
// It returns a config, for its logger, also where something is wrong.
func configure(opts []Option) (*config, error) {
	c := &config{timeout: DefaultTimeout, probes: true, check: checks.RunWithoutFilters}
	for _, o := range opts {
		if o == nil {
			c.errs = append(c.errs, errors.New("nil option"))
			continue
		}
		o(c)
	}
	if err := errors.Join(c.errs...); err != nil {
		return c, fmt.Errorf("audit: %w", err)
	}
	if c.policy == nil {
		c.policy = policy.Default()
	}
	return c, nil
}

func (c *config) log() *slog.Logger {
	if c.logger != nil {
		return c.logger
	}
	return slog.Default()
}
