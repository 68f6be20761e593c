package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// seccompFlags are the flags of auditctl seccomp as they were written.
type seccompFlags struct {
	pid, output, diff, used, timeout once
	syscalls, abis                   words
	disassemble, allowed, scan       bool
}

// seccompRun is what they mean.
type seccompRun struct {
	pid  int // 0: the own process
	json bool
	// syscalls and abis are nil where all are wanted.
	syscalls, abis             []string
	disassemble, allowed, scan bool
	// diff is what the process is compared with: other, or otherPID.
	diff     string
	other    *render.Seccomp
	otherPID int
	used     *usedCalls
	timeout  time.Duration
	// unfiltered: no filter is in force on auditctl itself.
	unfiltered bool
}

func (c *command) seccompCommand() *cobra.Command {
	f := &seccompFlags{
		pid: once{kind: "N"}, output: once{kind: "text|json", value: "text"},
		syscalls: words{kind: "NAME|@GROUP"}, abis: words{kind: "NAME"},
		diff: once{kind: "FILE|PID"}, used: once{kind: "FILE"},
		timeout: once{kind: "DURATION", value: audit.DefaultTimeout.String()},
	}
	cmd := &cobra.Command{
		Use:   "seccomp [flags]",
		Short: "Show what the seccomp filters of a process really let through",
		Long: "seccomp reads the filters that the threads of a process have loaded, and prints\n" +
			"what they do together with every system call, in every ABI. Reading them stops\n" +
			"each thread for a moment, and takes CAP_SYS_ADMIN in the initial user namespace\n" +
			"and a caller without a filter of its own.\n\n" +
			"Without --pid it tries every call in children of auditctl, with arguments that\n" +
			"the kernel rejects before anything happens, and prints what came back. That\n" +
			"takes no privilege and works under filters.\n\n" +
			"Exit codes: 0 done, and nothing differs where a comparison was asked for;\n" +
			"1 --diff, --used or --scan found a difference; 2 trouble: no such process,\n" +
			"refused, wrong usage; 3 something asked for is not known.",
		Example: "  auditctl seccomp --pid 1234\n  auditctl seccomp --pid 1234 --syscall clone,@mount --abi x86-64\n" +
			"  auditctl seccomp --pid 1234 --output json > before.json\n  auditctl seccomp --pid 5678 --diff before.json\n" +
			"  auditctl seccomp --allowed",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := f.parse()
			if err != nil {
				return err
			}
			return c.seccomp(cmd.Context(), run)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.pid, "pid", "the process whose filters are read")
	flags.Var(&f.output, "output", "how it is written")
	flags.Var(&f.syscalls, "syscall", "only these calls; may be repeated, and a list")
	flags.Var(&f.abis, "abi", "only these ABIs: "+strings.Join(abiNames(), ", "))
	flags.BoolVar(&f.allowed, "allowed", false, "only what is let through, also under conditions only")
	flags.BoolVar(&f.disassemble, "disassemble", false, "the instructions of every filter")
	flags.Var(&f.diff, "diff", "what this process is let do and another is not: a process, or a file that --output json wrote")
	flags.Var(&f.used, "used", "what is let through and never used: a file that strace -f -o wrote, or a policy with an allow-list")
	flags.BoolVar(&f.scan, "scan", false, "load the filters into children, make every call there, and compare")
	flags.Var(&f.timeout, "timeout", "what is not found out by then is unknown")
	return cmd
}

// parse returns what the flags mean, or everything that is wrong with them.
func (f *seccompFlags) parse() (*seccompRun, error) {
	run := &seccompRun{
		json: f.output.value == "json", disassemble: f.disassemble, allowed: f.allowed, scan: f.scan,
	}
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	add(oneOf("--output", f.output.value, "text", "json"))
	var err error
	if f.pid.given {
		run.pid, err = parsePID("--pid", f.pid.value, "auditctl seccomp")
		add(err)
	}
	inside := !f.pid.given
	if run.pid == os.Getpid() {
		run.pid, inside = 0, true
	}
	run.timeout, err = parseTimeout(f.timeout.value)
	add(err)
	run.abis, err = selectABIs(f.abis.list)
	add(err)
	run.syscalls, err = selectSyscalls(f.syscalls.list, run.abis)
	add(err)
	add(f.together(inside))
	if f.diff.given {
		add(run.readOther(f.diff.value))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if f.used.given {
		if run.used, err = readUsed(f.used.value); err != nil {
			return nil, err
		}
	}
	return run, nil
}

// together refuses flags that ask for two things at once, or for what cannot
// be had from inside.
func (f *seccompFlags) together(inside bool) error {
	var asked []string
	for name, given := range map[string]bool{"--disassemble": f.disassemble, "--diff": f.diff.given, "--used": f.used.given, "--scan": f.scan} {
		if given {
			asked = append(asked, name)
		}
	}
	slices.Sort(asked)
	if len(asked) > 1 {
		return hint(fmt.Errorf("%s: one at a time", strings.Join(asked, ", ")), "run auditctl seccomp once for each")
	}
	if !inside || len(asked) == 0 || f.used.given {
		return nil
	}
	if f.scan {
		return hint(errors.New("--scan: there is no filter to compare with from inside"), "name a process by --pid, or leave --scan out: without --pid every call is tried anyway")
	}
	return hint(fmt.Errorf("%s: a process cannot read its own filters", asked[0]), "name a process by --pid, from outside any filter")
}

// words is the value of a flag that takes several words, by lists with commas
// and by repetition.
type words struct {
	list []string
	kind string
}

func (w *words) String() string { return strings.Join(w.list, ",") }

func (w *words) Type() string { return w.kind }

func (w *words) Set(s string) error {
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			return errors.New("a word is missing")
		}
		w.list = append(w.list, word)
	}
	return nil
}

func abiNames() []string {
	var all []string
	for _, abi := range names.ABIs(runtime.GOARCH) {
		all = append(all, abi.Name)
	}
	return all
}

// selectABIs returns the names of the ABIs that were asked for, in their usual
// order, or nil for all.
func selectABIs(asked []string) ([]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	known := abiNames()
	var errs []error
	var wanted []string
	for _, word := range asked {
		abi, found := names.FindABI(word)
		if !found || !slices.Contains(known, abi.Name) {
			errs = append(errs, oneOf("--abi", word, known...))
			continue
		}
		wanted = append(wanted, abi.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(known, func(name string) bool { return !slices.Contains(wanted, name) }), nil
}

// selectSyscalls returns the names of the calls that were asked for, groups
// expanded, or nil for all.
func selectSyscalls(asked, abis []string) ([]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	var errs []error
	for _, word := range asked {
		if err := knownSyscall(word, abis); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return names.ExpandSyscalls(asked), nil
}

// knownSyscall returns an error for a word that no ABI has as a call and that
// is no group. abis is nil for all of this architecture.
func knownSyscall(word string, abis []string) error {
	if strings.HasPrefix(word, "@") {
		if _, ok := names.SyscallGroup(word); ok {
			return nil
		}
		return hint(fmt.Errorf("--syscall %s: no such group", render.Safe(word)), didYouMean(names.Nearest(word, names.SyscallGroups())))
	}
	if !names.IsSyscall(word) {
		near := names.Nearest(word, append(names.SyscallNames(), names.SyscallGroups()...))
		return hint(fmt.Errorf("--syscall %s: no such system call", render.Safe(word)), didYouMean(near))
	}
	if abis == nil {
		abis = abiNames()
	}
	for _, name := range abis {
		abi, _ := names.FindABI(name)
		if _, ok := names.Syscall(abi.Arch, word); ok {
			return nil
		}
	}
	return fmt.Errorf("--syscall %s: not a call of %s", word, strings.Join(abis, ", "))
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near
}
