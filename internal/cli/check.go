package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/render"
)

// checkFlags are the flags of auditctl check as they were written.
type checkFlags struct {
	pid, policy, output, probes, timeout once
	verbose, filters, join               bool
}

// checkRun is what they mean.
type checkRun struct {
	pid     int // 0: the own process
	policy  *policy.Policy
	json    bool
	probes  bool
	timeout time.Duration
	verbose bool
	filters bool
	join    bool
}

func (c *command) checkCommand() *cobra.Command {
	f := &checkFlags{
		pid:     once{kind: "N"},
		policy:  once{kind: "PROFILE|FILE", value: "confined"},
		output:  once{kind: "text|json", value: "text"},
		probes:  once{kind: "auto|off", value: "auto"},
		timeout: once{kind: "DURATION", value: audit.DefaultTimeout.String()},
	}
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Audit one process against a policy",
		Long: "check audits one process against a policy and prints the report. Without --pid\n" +
			"that is the process that auditctl itself is.\n\n" +
			"Exit codes: 0 confined, 1 exposed, 2 no verdict, 3 inconclusive.",
		Example: "  auditctl check --pid 1234\n  auditctl check --policy web.yaml --output json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := f.parse(cmd.Context(), c)
			if err != nil {
				return err
			}
			return c.check(cmd.Context(), run)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.pid, "pid", "the process to audit")
	flags.Var(&f.policy, "policy", "a built-in profile or a policy file, - for standard input")
	flags.Var(&f.output, "output", "how the report is written")
	flags.Var(&f.probes, "probes", "whether attempts are made, in child processes")
	flags.Var(&f.timeout, "timeout", "what is not found out by then is unknown")
	flags.BoolVar(&f.filters, "seccomp-filter", false, "read the seccomp filters of --pid also where the policy does not need them; each thread is stopped for a moment")
	flags.BoolVar(&f.join, "join-cgroup", false, "make the attempts in the cgroup of --pid too, whose limits on processes and memory they are charged to")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "in text: also what passed, what was not asked for, and second opinions")
	return cmd
}

// parse returns what the flags mean, or everything that is wrong with them.
func (f *checkFlags) parse(ctx context.Context, c *command) (*checkRun, error) {
	run := &checkRun{json: f.output.value == "json", probes: f.probes.value == "auto", verbose: f.verbose, filters: f.filters, join: f.join}
	errs := []error{
		oneOf("--output", f.output.value, "text", "json"),
		oneOf("--probes", f.probes.value, "auto", "off"),
	}
	var err error
	if f.pid.given {
		run.pid, err = parsePID("--pid", f.pid.value, "auditctl check")
		errs = append(errs, err)
	}
	run.timeout, err = parseTimeout(f.timeout.value)
	errs = append(errs, err)
	if f.filters && !f.pid.given {
		errs = append(errs, hint(errors.New("--seccomp-filter: a process cannot read its own filters"), "name a process by --pid, from outside any filter"))
	}
	switch {
	case f.join && !f.pid.given:
		errs = append(errs, hint(errors.New("--join-cgroup: without --pid attempts are made in this program's own cgroup"), "name the process whose cgroup it is by --pid"))
	case f.join && f.probes.value == "off":
		errs = append(errs, hint(errors.New("--join-cgroup: with --probes off nothing is tried that could join it"), "leave out one of them"))
	}
	// Standard input is read only for a command that will run.
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if run.policy, err = c.resolvePolicy(ctx, f.policy.value); err != nil {
		return nil, err
	}
	return run, nil
}

func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, hint(fmt.Errorf("--timeout %s: not a duration", render.Safe(s)), "write it with its unit: 500ms, 10s, 1m")
	}
	if d <= 0 {
		return 0, fmt.Errorf("--timeout %s: not above zero", render.Safe(s))
	}
	return d, nil
}

// check audits, and writes the report in every case that has one.
func (c *command) check(ctx context.Context, run *checkRun) error {
	opts := []audit.Option{audit.WithPolicy(run.policy), audit.WithTimeout(run.timeout)}
	if run.pid != 0 {
		opts = append(opts, audit.WithPID(run.pid))
	}
	if !run.probes {
		opts = append(opts, audit.WithoutProbes())
	}
	o := auditopt.Options{ExecChild: execChild, Filters: run.filters, JoinCgroup: run.join}
	if c.progress != nil {
		o.Progress = c.progress.files
	}
	ctx = auditopt.With(ctx, o)
	r, err := audit.Check(ctx, opts...)
	c.progress.end()
	if stopped := ctx.Err(); stopped != nil {
		return fmt.Errorf("interrupted before the audit was complete: %w", stopped)
	}
	if err != nil {
		return explain(run, err)
	}
	c.code = r.Verdict.ExitCode()
	return c.write(ctx, run, r)
}

func (c *command) write(ctx context.Context, run *checkRun, r *report.Report) error {
	if run.json {
		return render.JSON(&c.out, r)
	}
	o := render.TextOptions{Color: c.terminal.color, Width: c.terminal.width, Verbose: run.verbose}
	if run.verbose {
		ctx, cancel := context.WithTimeout(ctx, run.timeout)
		defer cancel()
		o.Opinions = secondOpinions(ctx, r.Target)
	}
	return render.Text(&c.out, r, o)
}

// explain turns an error of an audit into what the command says of it.
func explain(run *checkRun, err error) error {
	said := errors.New(strings.TrimPrefix(err.Error(), "audit: "))
	if errors.Is(err, context.DeadlineExceeded) {
		return hint(fmt.Errorf("nothing was found out within %v: %w", run.timeout, said), "allow more with --timeout")
	}
	return said
}
