package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
	"github.com/selfaudit/selfaudit/probes"
)

// deniedAnswer is what the document says of a call that a filter denied.
var deniedAnswer = posture.AnswerDenied.String()

func scanOf(s *posture.Scan, present []posture.ABI) render.SeccompScan {
	abi, _ := names.FindABI(s.ABI)
	out := render.SeccompScan{ABI: s.ABI, Native: isNative(s.ABI), Present: presence(s.ABI, present), Why: s.Why, Calls: make([]render.SeccompScanned, 0, len(s.Calls))}
	for i := range s.Calls {
		c := &s.Calls[i]
		one := render.SeccompScanned{Number: c.Number, Answer: c.Answer.String(), Returned: c.Returned, Args: c.Args, Detail: c.Detail}
		one.Name, _ = names.SyscallName(abi.Arch, c.Number)
		if c.Answer == posture.AnswerDenied && c.By != posture.ActionUndecided {
			one.By = c.By.String()
		}
		if c.Returned {
			one.Errno = errnoOf(c.Errno)
		}
		if c.Signal != 0 {
			one.Signal = names.SignalName(c.Signal)
		}
		out.Calls = append(out.Calls, one)
	}
	return out
}

// scannedABIs are those whose calls are tried: those that were asked for, or all
// that this program can make calls by. On arm64 a program of 64 bits has no way
// into the ABI of 32 bits, and that this is so leaves nothing unknown that a scan
// could find out.
func (run *seccompRun) scannedABIs(goarch string) []string {
	if run.abis == nil && goarch == "arm64" {
		return []string{"arm64"}
	}
	return run.abis
}

// leftABIs says which were left out for that.
func (run *seccompRun) leftABIs(goarch string) []string {
	if run.abis != nil || goarch != "arm64" {
		return nil
	}
	return []string{"no call of the ABI arm was tried, since a program of 64 bits cannot make one"}
}

// scanUnder loads the filters of each class of threads into children, makes
// every call there and compares what came back with the evaluation.
func (run *seccompRun) scanUnder(ctx context.Context, p *posture.Process) (*render.SeccompComparison, error) {
	out := &render.SeccompComparison{ABIs: []render.SeccompCompared{}, Disagreements: []render.SeccompDisagreement{}}
	done := map[string]bool{}
	p.Limits = append(p.Limits, run.leftABIs(runtime.GOARCH)...)
	for i := range p.Classes {
		filters, known := p.Classes[i].Filters.Get()
		if known && len(filters.Programs) == 0 {
			p.Limits = append(p.Limits, "there was nothing to compare for "+counted(len(p.Classes[i].TIDs), "thread")+" without a filter")
		}
		if !known || len(filters.Programs) == 0 || done[filters.Digest] {
			continue
		}
		done[filters.Digest] = true
		// The error says what each ABI's Why says, unless nothing was tried.
		scans, err := probes.Scan(ctx, probes.ScanInput{ABIs: run.scannedABIs(runtime.GOARCH), Filters: filters.Programs, Numbers: run.numbers()})
		if err != nil && len(scans) == 0 {
			return nil, fmt.Errorf("scan under the filters of process %d: %w", p.PID, err)
		}
		collect.Predict(&filters, scans)
		for j := range scans {
			run.compareScan(out, filters.Digest, &scans[j])
		}
	}
	if len(done) == 0 {
		return nil, hint(errors.New("--scan: the process has no filter that could be loaded"), "leave --scan out")
	}
	return out, nil
}

// compareScan adds one ABI to the comparison.
func (run *seccompRun) compareScan(out *render.SeccompComparison, digest string, s *posture.Scan) {
	abi, _ := names.FindABI(s.ABI)
	count := render.SeccompCompared{ABI: s.ABI, Digest: digest, Open: []render.SeccompOpen{}, Why: s.Why}
	for i := range s.Calls {
		c := &s.Calls[i]
		name, _ := names.SyscallName(abi.Arch, c.Number)
		if !run.wantsCall(name) {
			continue
		}
		agree, why := agrees(c)
		switch {
		case agree:
			count.Agreed++
		case why != "":
			open := render.SeccompOpen{Number: c.Number, Name: name, Why: why}
			if way, known := c.Filtered.Get(); known && way.Action != posture.ActionUndecided {
				open.Evaluated = actionWords(way)
			}
			count.Open = append(count.Open, open)
		default:
			count.Disagree++
			out.Disagreements = append(out.Disagreements, render.SeccompDisagreement{
				ABI: s.ABI, Digest: digest, Number: c.Number, Name: name, Evaluated: actionWords(c.Filtered.Value), Seen: seenWords(c),
			})
		}
	}
	out.ABIs = append(out.ABIs, count)
}

// agrees holds what was met against what the filters should do with just those
// arguments. why is not empty where one of the two does not tell.
func agrees(c *posture.Scanned) (agree bool, why string) {
	way, known := c.Filtered.Get()
	switch {
	case !known:
		return false, "not evaluated: " + c.Filtered.Why()
	case way.Action == posture.ActionUndecided:
		return false, "not evaluated: " + way.Why
	case c.Answer == posture.AnswerUnknown:
		return false, "not seen: " + c.Detail
	case way.Action.Lets():
		return c.Answer == posture.AnswerReachable || c.Answer == posture.AnswerNoCall, ""
	case c.Answer != posture.AnswerDenied:
		return false, ""
	}
	switch way.Action {
	case posture.ActionErrno:
		return c.Returned && c.Errno == min(int(way.Value), maxErrno), ""
	case posture.ActionKillProcess, posture.ActionKillThread:
		// From outside the two look alike.
		return c.By == posture.ActionKillProcess || c.By == posture.ActionKillThread, ""
	case posture.ActionTrap:
		return c.By == posture.ActionTrap, ""
	default:
		// Nobody traces or supervises the children: ENOSYS.
		return c.Returned, ""
	}
}

func actionWords(w posture.Way) string {
	if w.Action == posture.ActionErrno {
		return "ERRNO(" + errnoName(int(w.Value)) + ")"
	}
	return w.Action.String()
}

// seenWords says what came back from a call.
func seenWords(c *posture.Scanned) string {
	words := c.Answer.String()
	switch {
	case c.Signal != 0:
		words += ", the child died of " + names.SignalName(c.Signal)
	case c.Returned && c.Errno != 0:
		words += ", " + names.ErrnoName(c.Errno) + " (" + strconv.Itoa(c.Errno) + ")"
	case c.Returned:
		words += ", success"
	}
	return words
}
