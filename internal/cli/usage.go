package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// hinted is an error with advice on what to do about it.
type hinted struct {
	error
	hints []string
}

func (h *hinted) Unwrap() error { return h.error }

// hint adds advice to err. Empty advice is left out.
func hint(err error, advice ...string) error {
	var hints []string
	for _, a := range advice {
		if a != "" {
			hints = append(hints, a)
		}
	}
	return &hinted{err, hints}
}

// diagnose writes each error that err joins, and each hint, as a line.
func diagnose(w io.Writer, err error) {
	var hints []string
	for _, e := range parts(err) {
		for line := range strings.Lines(e.Error()) {
			if line = strings.TrimSpace(line); line != "" {
				fmt.Fprintf(w, "auditctl: error: %s\n", render.Sentence(line))
			}
		}
		if h, ok := errors.AsType[*hinted](e); ok {
			for _, advice := range h.hints {
				if !slices.Contains(hints, advice) {
					hints = append(hints, advice)
				}
			}
		}
	}
	for _, h := range hints {
		fmt.Fprintf(w, "auditctl: hint: %s\n", render.Sentence(h))
	}
}

// parts returns the errors that err joins, or err itself.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// noCommand is what a command that only has subcommands does by itself.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return hint(fmt.Errorf("%s: no command given", cmd.CommandPath()), seeHelp(cmd))
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %s for %s", render.Safe(word), cmd.CommandPath())
	near := names.Nearest(word, commandNames(cmd))
	if near == "" {
		return hint(err, seeHelp(cmd))
	}
	return hint(err, "did you mean "+cmd.CommandPath()+" "+near)
}

func commandNames(cmd *cobra.Command) []string {
	var known []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			known = append(known, sub.Name())
		}
	}
	return known
}

func seeHelp(cmd *cobra.Command) string { return "see " + cmd.CommandPath() + " --help" }

// flagError says what is wrong with a flag, with the nearest one that exists.
func flagError(cmd *cobra.Command, err error) error {
	if missing, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(cmd, missing)
	}
	if empty, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return hint(fmt.Errorf("--%s needs a value", empty.GetFlag().Name), seeHelp(cmd))
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return hint(fmt.Errorf("--%s %s: %w", wrong.GetFlag().Name, render.Safe(wrong.GetValue()), wrong.Unwrap()), seeHelp(cmd))
	}
	return hint(err, seeHelp(cmd))
}

func unknownFlag(cmd *cobra.Command, missing *pflag.NotExistError) error {
	word, dashes := missing.GetSpecifiedName(), "--"
	if missing.GetSpecifiedShortnames() != "" {
		dashes = "-"
	}
	err := fmt.Errorf("unknown flag %s for %s", render.Safe(dashes+word), cmd.CommandPath())
	if near := nearestFlag(cmd, word); near != "" {
		return hint(err, "did you mean --"+near)
	}
	if near := names.Nearest(word, commandNames(cmd)); near != "" {
		return hint(err, "did you mean "+cmd.CommandPath()+" "+near)
	}
	for _, sub := range cmd.Commands() {
		if near := nearestFlag(sub, word); near != "" && !sub.Hidden {
			return hint(err, "did you mean "+sub.CommandPath()+" --"+near)
		}
	}
	return hint(err, seeHelp(cmd))
}

// nearestFlag returns the flag of cmd that word was most likely meant to be. A
// single letter stands for the only flag that begins with it.
func nearestFlag(cmd *cobra.Command, word string) string {
	var known, beginning []string
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		known = append(known, f.Name)
		if len(word) == 1 && strings.HasPrefix(f.Name, word) {
			beginning = append(beginning, f.Name)
		}
	})
	if len(beginning) > 0 {
		return strings.Join(beginning, " or --")
	}
	return names.Nearest(word, known)
}

// once is the value of a flag that may be given once only: which of two pids
// was meant is not for a default to decide.
type once struct {
	value string
	given bool
	kind  string
}

func (o *once) String() string { return o.value }

func (o *once) Type() string { return o.kind }

func (o *once) Set(s string) error {
	if o.given {
		return errors.New("given twice")
	}
	o.value, o.given = s, true
	return nil
}

// noArguments refuses what stands behind a command that takes nothing.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return hint(fmt.Errorf("unexpected argument %s for %s", render.Safe(args[0]), cmd.CommandPath()), seeHelp(cmd))
}

// oneOf returns an error for a word that is none of the known ones.
func oneOf(flag, word string, known ...string) error {
	for _, k := range known {
		if word == k {
			return nil
		}
	}
	err := fmt.Errorf("%s %s: not one of %s", flag, render.Safe(word), strings.Join(known, ", "))
	if near := names.Nearest(word, known); near != "" {
		return hint(err, "did you mean "+near)
	}
	return err
}
