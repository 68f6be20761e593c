package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

// documentMax bounds a file that is compared with, in bytes. The document of a
// process with a long filter is two megabytes.
const documentMax = 64 << 20

// pipeWait bounds how long a pipe that is compared with may stay open.
const pipeWait = 10 * time.Second

// compareWith holds the process against the one that --diff names: digits are
// a process, anything else is a file.
func (run *seccompRun) compareWith(ctx context.Context, here *render.Seccomp) (*render.SeccompDiff, error) {
	other := run.other
	if other == nil {
		var err error
		if _, other, err = fetch(ctx, run.otherPID); err != nil {
			return nil, fmt.Errorf("--diff: %w", err)
		}
	}
	pairs := pairsOf(here.Classes, other.Classes)
	if len(pairs) == 0 {
		return nil, fmt.Errorf("--diff %s: no filters to compare", render.Safe(run.diff))
	}
	d := &render.SeccompDiff{Other: otherName(run.diff)}
	for _, p := range pairs {
		pair := render.SeccompDiffPair{
			Threads: p.here.Threads, Digest: p.here.Digest, OtherThreads: p.other.Threads, OtherDigest: p.other.Digest, Changes: []render.SeccompChange{},
		}
		for i := range p.here.ABIs {
			a := &p.here.ABIs[i]
			if run.abis == nil && a.Present == render.PresentNo {
				continue
			}
			at := slices.IndexFunc(p.other.ABIs, func(b render.SeccompABI) bool { return b.ABI == a.ABI })
			if at < 0 {
				return nil, fmt.Errorf("--diff %s: does not say what it does in ABI %s", render.Safe(run.diff), a.ABI)
			}
			pair.Changes = append(pair.Changes, changesOf(a, &p.other.ABIs[at])...)
		}
		d.Pairs = append(d.Pairs, pair)
	}
	return d, nil
}

func isPID(word string) bool { return word != "" && strings.Trim(word, "0123456789") == "" }

func otherName(word string) string {
	if isPID(word) {
		return "process " + word
	}
	return render.Safe(word)
}

// readOther reads the file that --diff names, or says which process it names.
// A file that cannot be used is found out before a process is stopped.
func (run *seccompRun) readOther(word string) (err error) {
	run.diff = word
	switch {
	case word == "":
		return errors.New("--diff: no file and no process is named")
	case !isPID(word):
		run.other, err = readDocument(word)
		return err
	}
	if run.otherPID, err = parsePID("--diff", word, "auditctl seccomp"); err != nil {
		return err
	}
	if run.otherPID == os.Getpid() {
		return hint(fmt.Errorf("--diff %d: a process cannot read its own filters", run.otherPID), "name another process, or a file")
	}
	return nil
}

// readDocument reads what --output json wrote. What was left out of it must
// not read as denied.
func readDocument(path string) (*render.Seccomp, error) {
	// Without O_NONBLOCK the open itself waits for a writer of a named pipe, and
	// nothing ends that.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("--diff: %w", err)
	}
	defer f.Close()
	// What knows no deadline is no pipe, and does not let a reader wait.
	_ = f.SetReadDeadline(time.Now().Add(pipeWait))
	d, err := render.ReadSeccomp(io.LimitReader(f, documentMax))
	if err != nil {
		return nil, hint(fmt.Errorf("--diff %s: %w", render.Safe(path), err), "write the file with auditctl seccomp --pid N --output json; a process is named by its number")
	}
	switch {
	case d.Selection != nil:
		return nil, hint(fmt.Errorf("--diff %s: holds only a part of what the filters decide", render.Safe(path)), "write the file without --syscall, --abi and --allowed")
	case len(d.Classes) == 0:
		return nil, hint(fmt.Errorf("--diff %s: holds no filters: it was written from inside", render.Safe(path)), "write the file with --pid")
	}
	for i := range d.Classes {
		if err := whole(&d.Classes[i]); err != nil {
			return nil, fmt.Errorf("--diff %s: %w", render.Safe(path), err)
		}
	}
	return d, nil
}

// whole returns an error where ranges of a document that somebody wrote leave a
// number out, or name one twice.
func whole(c *render.SeccompClass) error {
	if c.State == stateKnown && len(c.ABIs) == 0 {
		return errors.New("has no ABI")
	}
	if strings.Trim(c.Digest, "0123456789abcdef") != "" {
		return fmt.Errorf("digest %s: not hexadecimal", render.Safe(c.Digest))
	}
	for _, a := range c.ABIs {
		if len(a.Calls) == 0 {
			return fmt.Errorf("ABI %s is empty", render.Safe(a.ABI))
		}
		abi, found := names.FindABI(a.ABI)
		if !found || a.Calls[0].First != abi.NumberBit || a.Calls[len(a.Calls)-1].Last|x32Bit != math.MaxUint32 {
			return fmt.Errorf("ABI %s: not all numbers", render.Safe(a.ABI))
		}
		for i, r := range a.Calls {
			switch {
			case r.First > r.Last, len(r.Ways) == 0:
				return fmt.Errorf("ABI %s, number %d: not a verdict", render.Safe(a.ABI), r.First)
			case i > 0 && !render.Follows(a.Calls[i-1].Last, r.First):
				return fmt.Errorf("ABI %s: number %d does not follow %d", render.Safe(a.ABI), r.First, a.Calls[i-1].Last)
			}
		}
	}
	return nil
}

// classPair is two classes of threads that are compared.
type classPair struct{ here, other *render.SeccompClass }

// pairsOf returns which classes are compared: the leaders' ones with each other,
// and any further class that the other process does not have with the other's
// leader.
func pairsOf(here, other []render.SeccompClass) []classPair {
	known := func(all []render.SeccompClass) []*render.SeccompClass {
		var out []*render.SeccompClass
		for i := range all {
			if all[i].State == stateKnown {
				out = append(out, &all[i])
			}
		}
		return out
	}
	a, b := known(here), known(other)
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	has := func(all []*render.SeccompClass, c *render.SeccompClass) bool {
		return slices.ContainsFunc(all, func(o *render.SeccompClass) bool { return o.Mode == c.Mode && o.Digest == c.Digest })
	}
	pairs := []classPair{{a[0], b[0]}}
	for _, c := range a[1:] {
		if !has(b, c) {
			pairs = append(pairs, classPair{c, b[0]})
		}
	}
	for _, c := range b[1:] {
		if !has(a, c) {
			pairs = append(pairs, classPair{a[0], c})
		}
	}
	return pairs
}

// changesOf walks both lists, which cover the same numbers in ascending order.
func changesOf(here, other *render.SeccompABI) []render.SeccompChange {
	var changes []render.SeccompChange
	i, j := 0, 0
	for i < len(here.Calls) && j < len(other.Calls) {
		a, b := &here.Calls[i], &other.Calls[j]
		first, last := max(a.First, b.First), min(a.Last, b.Last)
		if kind := kindOf(a, b); kind != "" && first <= last {
			change := render.SeccompChange{ABI: here.ABI, First: first, Last: last, Kind: kind, Here: a.Summary, Other: render.Sentence(b.Summary), Calls: within(a.Calls, first, last)}
			changes = appendChange(changes, change)
		}
		if a.Last <= last {
			i++
		}
		if b.Last <= last {
			j++
		}
	}
	return changes
}

// appendChange makes changes that follow each other and say the same one.
func appendChange(changes []render.SeccompChange, c render.SeccompChange) []render.SeccompChange {
	if n := len(changes); n > 0 {
		before := &changes[n-1]
		if before.Last+1 == c.First && before.Kind == c.Kind && before.Here == c.Here && before.Other == c.Other {
			before.Last, before.Calls = c.Last, append(before.Calls, c.Calls...)
			return changes
		}
	}
	return append(changes, c)
}

// kindOf returns how two verdicts differ, or "" where they do not.
func kindOf(a, b *render.SeccompCalls) string {
	switch {
	case a.Verdict == render.VerdictUndecided || b.Verdict == render.VerdictUndecided:
		return render.ChangeUnknown
	case slices.Equal(outcomes(a.Ways), outcomes(b.Ways)):
		return ""
	case a.Verdict == render.VerdictDenied && b.Verdict == render.VerdictDenied:
		return render.ChangeAction
	case b.Verdict == render.VerdictDenied:
		return render.ChangeHereOnly
	case a.Verdict == render.VerdictDenied:
		return render.ChangeOtherOnly
	default:
		return render.ChangeCondition
	}
}

// outcomes are the ways without where in the filter they are decided.
func outcomes(ways []render.SeccompWay) []string {
	out := make([]string, 0, len(ways))
	for _, w := range ways {
		out = append(out, w.Action+" "+strconv.Itoa(int(w.Value))+" "+w.When)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
