// Package cli is the command auditctl: each command is a function of its
// arguments and streams that returns an exit code. Only Main knows the
// process's own streams and signals, and nothing here ends the process.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// exitTrouble is the exit code where there is no verdict: wrong usage, an
// unreadable policy, no such process, an output that cannot be written.
const exitTrouble = 2

// Run runs auditctl with args, which do not hold the program's name, and
// returns the exit code: 0 confined or done, 1 exposed, 2 no verdict,
// 3 inconclusive. A report goes to stdout, diagnostics to stderr.
//
// What is written to stdout is written at once, at the end. Where that fails
// the exit code is 2, whatever the verdict: a report that nobody got is none.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &command{stdin: stdin, terminal: terminalOf(stdout), progress: newProgress(stderr)}
	err := c.run(ctx, args)
	if out := c.out.Bytes(); len(out) > 0 {
		if n, werr := stdout.Write(out); werr != nil || n < len(out) {
			if werr == nil {
				werr = io.ErrShortWrite
			}
			err = errors.Join(err, fmt.Errorf("standard output: %w", werr))
		}
	}
	if err != nil {
		diagnose(stderr, err)
		return exitTrouble
	}
	return c.code
}

// command is one run of auditctl.
type command struct {
	stdin    io.Reader
	out      bytes.Buffer
	terminal terminal
	// progress is nil where standard error is no terminal.
	progress *progress
	code     int
}

func (c *command) run(ctx context.Context, args []string) error {
	if len(args) > 0 && isLinuxAudit(args[0]) {
		return linuxAudit(args[0])
	}
	root := c.root()
	root.SetArgs(append([]string{}, args...))
	root.SetIn(c.stdin)
	root.SetOut(&c.out)
	root.SetErr(io.Discard)
	return root.ExecuteContext(ctx)
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "auditctl",
		Short: "Tell whether a process is as confined as a policy says",
		Long: "auditctl tells whether a process is as confined as a policy says: its ids,\n" +
			"capabilities, no_new_privs and seccomp mode on every thread, and what it can\n" +
			"take back when it tries.\n\n" +
			"Exit codes: 0 confined, 1 exposed, 2 no verdict, 3 inconclusive.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE:              noCommand,
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)
	root.AddCommand(c.checkCommand(), c.seccompCommand(), c.policyCommand(), c.versionCommand(), c.execChildCommand())
	root.SetHelpCommand(helpCommand(root))
	return root
}

// usageTemplate is what --help prints below a command's description. It is 80
// columns wide; cobra's own is as wide as its longest line.
const usageTemplate = `Usage: {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}
{{end}}`

// helpCommand stands in for cobra's, which answers an unknown topic with the
// usage and a success.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show help on a command",
		RunE: func(_ *cobra.Command, args []string) error {
			topic, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(topic, rest[0])
			}
			return topic.Help()
		},
	}
}
