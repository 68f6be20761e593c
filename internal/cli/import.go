package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/audit/policyfile"
	"github.com/selfaudit/selfaudit/checks/policy"
)

// straceAdvice is what to do about a file that strace did not write.
const straceAdvice = "write the file with strace -f -o FILE PROGRAM"

func (c *command) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Make a policy from what another program wrote",
		Args:  cobra.ArbitraryArgs,
		RunE:  noCommand,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "strace FILE",
		Short: "Print a policy that allows the system calls that strace saw",
		Long: "Print a policy whose seccomp.allow holds the system calls that strace saw, of\n" +
			"every process and thread that was traced. FILE is - for standard input. Calls\n" +
			"that the run did not make are not in it: trace everything the program does.",
		Example: "  strace -f -o run.txt PROGRAM\n  auditctl policy import strace run.txt > policy.yaml\n  auditctl seccomp --pid N --used policy.yaml",
		Args:    exactlyOneFile,
		RunE:    func(cmd *cobra.Command, args []string) error { return c.importStrace(cmd.Context(), args[0]) },
	})
	return cmd
}

func exactlyOneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return noArguments(cmd, args[1:])
	}
	if len(args) == 0 || args[0] == "" {
		return hint(fmt.Errorf("%s: no file given", cmd.CommandPath()), seeHelp(cmd))
	}
	return nil
}

func (c *command) importStrace(ctx context.Context, file string) error {
	p, err := c.readStrace(ctx, file)
	if err != nil {
		return straceHint(err)
	}
	return policyfile.Encode(&c.out, p)
}

func (c *command) readStrace(ctx context.Context, file string) (*policy.Policy, error) {
	if file == "-" {
		return c.policyFromStdin(ctx, policyfile.ImportStrace)
	}
	return policyfile.LoadStrace(file)
}

// straceHint adds advice where the file could be read and is not strace's. What
// lies beneath other errors is that of the file system.
func straceHint(err error) error {
	var wrong *policyfile.Error
	if errors.As(err, &wrong) && wrong.Unwrap() == nil {
		return hint(err, straceAdvice)
	}
	return err
}
