package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/checks/posture"
)

const (
	// execChildName is the hidden command that the program starts itself with.
	execChildName = "exec-child"
	// execSource names what a fact of the child comes from.
	execSource = "execve(2) of auditctl in a child"
	// execAnswerMax is more than the child's one line.
	execAnswerMax = 512
)

// execSets are the sets in the order in which the child prints them, by the
// names that /proc/PID/status has for them: proc_pid_status(5).
var execSets = []struct {
	name string
	of   func(*posture.CapSets) *posture.CapSet
}{
	{"CapInh", func(s *posture.CapSets) *posture.CapSet { return &s.Inheritable }},
	{"CapPrm", func(s *posture.CapSets) *posture.CapSet { return &s.Permitted }},
	{"CapEff", func(s *posture.CapSets) *posture.CapSet { return &s.Effective }},
	{"CapBnd", func(s *posture.CapSets) *posture.CapSet { return &s.Bounding }},
	{"CapAmb", func(s *posture.CapSets) *posture.CapSet { return &s.Ambient }},
}

// execChild starts the own program file once more, from the calling thread,
// and returns the capability sets that the new process found itself with.
func execChild(ctx context.Context) posture.Fact[posture.CapSets] {
	sets, answer, err := execSelf(ctx)
	if err != nil {
		return posture.Failed[posture.CapSets](execSource, err.Error())
	}
	return posture.Of(sets, execSource, answer)
}

// execSelf holds the program file by a descriptor, so that what is examined is
// what is executed.
func execSelf(ctx context.Context) (sets posture.CapSets, answer string, err error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return sets, "", err
	}
	defer self.Close()
	if err := plainFile(self); err != nil {
		return sets, "", err
	}
	out := &bounded{max: execAnswerMax}
	cmd := exec.CommandContext(ctx, fmt.Sprintf("/proc/self/fd/%d", self.Fd()), execChildName)
	cmd.Args[0] = "auditctl"
	cmd.Env = []string{}
	cmd.Stdout = out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return sets, "", fmt.Errorf("execve(2) of the own program: %w", err)
	}
	answer = strings.TrimSuffix(out.String(), "\n")
	sets, err = parseSets(answer)
	return sets, answer, err
}

// plainFile returns an error for a program file that by itself changes what
// execve(2) grants: then the child would tell of the file, not of the process.
func plainFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&os.ModeSetuid != 0:
		return fmt.Errorf("the own program file is set-user-ID, so executing it tells nothing of a plain one")
	case info.Mode()&os.ModeSetgid != 0:
		return fmt.Errorf("the own program file is set-group-ID, so executing it tells nothing of a plain one")
	}
	has, err := hasFileCapabilities(f)
	switch {
	case err != nil:
		return fmt.Errorf("the own program file's security.capability: %w", err)
	case has:
		return fmt.Errorf("the own program file has file capabilities, so executing it tells nothing of a plain one")
	}
	return nil
}

// execChildCommand prints the own sets in one line. It is not for people.
func (c *command) execChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    execChildName,
		Hidden: true,
		Args:   noArguments,
		RunE: func(*cobra.Command, []string) error {
			sets, err := ownSets()
			if err != nil {
				return err
			}
			fmt.Fprintln(&c.out, formatSets(sets))
			return nil
		},
	}
}

func formatSets(sets posture.CapSets) string {
	var words []string
	for _, s := range execSets {
		words = append(words, fmt.Sprintf("%s=%016x", s.name, uint64(*s.of(&sets))))
	}
	return strings.Join(words, " ")
}

// parseSets reads what formatSets writes, and nothing else: a set that is
// missing must not read as empty.
func parseSets(line string) (posture.CapSets, error) {
	var sets posture.CapSets
	words := strings.Split(line, " ")
	if len(words) != len(execSets) {
		return posture.CapSets{}, fmt.Errorf("the executed program answered %q, not five sets", line)
	}
	for i, s := range execSets {
		digits, ok := strings.CutPrefix(words[i], s.name+"=")
		bits, err := strconv.ParseUint(digits, 16, 64)
		if !ok || err != nil || len(digits) != 16 {
			return posture.CapSets{}, fmt.Errorf("the executed program answered %q, where %s was to be", words[i], s.name)
		}
		*s.of(&sets) = posture.CapSet(bits)
	}
	return sets, nil
}

// bounded keeps the first max bytes and one more, which no right answer has.
type bounded struct {
	bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.max + 1 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
