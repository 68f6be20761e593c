package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/audit/policyfile"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// stdinName is what a policy from standard input is called in its errors.
const stdinName = "stdin"

// resolvePolicy returns the policy that word names: a built-in profile, else a
// file, - for standard input. A file that is named as a profile is, is reached
// by ./NAME.
func (c *command) resolvePolicy(ctx context.Context, word string) (*policy.Policy, error) {
	if word == "-" {
		return c.policyFromStdin(ctx, policyfile.Decode)
	}
	if p, ok := policy.Builtin(word); ok {
		return p, nil
	}
	if _, err := os.Stat(word); errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(word, '/') {
		return nil, noPolicy(word)
	}
	return policyfile.Load(word)
}

// policyFromStdin hands standard input to decode. It does not wait for an input
// that does not come once the context has ended; the reader it leaves behind
// ends with the process.
func (c *command) policyFromStdin(ctx context.Context, decode func(io.Reader, string) (*policy.Policy, error)) (*policy.Policy, error) {
	type result struct {
		policy *policy.Policy
		err    error
	}
	done := make(chan result, 1)
	go func() {
		p, err := decode(c.stdin, stdinName)
		done <- result{p, err}
	}()
	select {
	case r := <-done:
		return r.policy, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("interrupted while reading standard input: %w", ctx.Err())
	}
}

func noPolicy(word string) error {
	known := profileNames()
	err := fmt.Errorf("no profile and no file is named %s", render.Safe(word))
	near := names.Nearest(word, known)
	if near != "" {
		near = "did you mean " + near
	}
	return hint(err, near, "profiles: "+strings.Join(known, ", "))
}

func profileNames() []string {
	var known []string
	for _, p := range policy.Profiles() {
		known = append(known, p.Name)
	}
	return known
}

func (c *command) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "List, show, validate and import policies",
		Args:  cobra.ArbitraryArgs,
		RunE:  noCommand,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the built-in profiles",
			Args:  noArguments,
			RunE:  func(*cobra.Command, []string) error { return c.listPolicies() },
		},
		&cobra.Command{
			Use:   "show PROFILE|FILE",
			Short: "Print a policy as YAML, with comments",
			Args:  exactlyOnePolicy,
			RunE:  func(cmd *cobra.Command, args []string) error { return c.showPolicy(cmd.Context(), args[0]) },
		},
		&cobra.Command{
			Use:   "validate FILE...",
			Short: "Say whether policy files can be used, and what is wrong with them",
			Args:  atLeastOnePolicy,
			RunE:  func(cmd *cobra.Command, args []string) error { return c.validatePolicies(cmd.Context(), args) },
		},
		c.importCommand(),
	)
	return cmd
}

func exactlyOnePolicy(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return noArguments(cmd, args[1:])
	}
	return atLeastOnePolicy(cmd, args)
}

func atLeastOnePolicy(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return hint(fmt.Errorf("%s: no policy given", cmd.CommandPath()), seeHelp(cmd))
}

func (c *command) listPolicies() error {
	table := tabwriter.NewWriter(&c.out, 0, 0, 2, ' ', 0)
	for _, p := range policy.Profiles() {
		fmt.Fprintf(table, "%s\t%s\n", p.Name, p.Summary)
	}
	return table.Flush()
}

func (c *command) showPolicy(ctx context.Context, word string) error {
	p, err := c.resolvePolicy(ctx, word)
	if err != nil {
		return err
	}
	return policyfile.Encode(&c.out, p)
}

// validatePolicies reads every file, also after one that is wrong.
func (c *command) validatePolicies(ctx context.Context, files []string) error {
	var errs []error
	for _, file := range files {
		if err := c.validatePolicy(ctx, file); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(&c.out, "%s: ok\n", render.Safe(file))
	}
	return errors.Join(errs...)
}

// validatePolicy takes its argument for a file even where a profile has that
// name: a profile needs no validation.
func (c *command) validatePolicy(ctx context.Context, file string) error {
	if file == "-" {
		_, err := c.policyFromStdin(ctx, policyfile.Decode)
		return err
	}
	_, err := policyfile.Load(file)
	return err
}
