package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

// Verdicts evaluates filters for each of the ABIs. programs are arrays of
// struct sock_filter in host byte order, in the order of their installation.
// Digest is left empty. Its errors are those of a program that no kernel would
// have taken.
func Verdicts(programs [][]byte, abis []seccomp.ABI) (posture.Filters, error) {
	f := posture.Filters{Programs: programs}
	stack, err := decode(programs)
	if err != nil || len(stack) == 0 {
		return f, err
	}
	f.ABIs = make([]posture.FilteredABI, len(abis))
	for i, abi := range abis {
		f.ABIs[i] = posture.FilteredABI{ABI: abi.Name, Calls: calls(seccomp.Evaluate(stack, abi, seccomp.Options{}))}
	}
	return f, nil
}

// decode decodes filters and validates them: what is run and evaluated must be
// what the kernel takes.
func decode(programs [][]byte) ([]seccomp.Program, error) {
	stack := make([]seccomp.Program, len(programs))
	for i, raw := range programs {
		p, err := seccomp.Decode(raw)
		if err == nil {
			err = p.Validate()
		}
		if err != nil {
			return nil, &programError{i, err}
		}
		stack[i] = p
	}
	return stack, nil
}

// programError says which filter of a list is none.
type programError struct {
	filter int
	err    error
}

func (e *programError) Error() string {
	return "filter " + strconv.Itoa(e.filter) + ": " + e.err.Error()
}

func (e *programError) Unwrap() error { return e.err }

// calls converts ranges. Those that share their ways go on doing so.
func calls(ranges []seccomp.Range) []posture.FilteredCalls {
	out := make([]posture.FilteredCalls, len(ranges))
	shared := map[*seccomp.Way][]posture.Way{}
	for i, r := range ranges {
		out[i] = posture.FilteredCalls{First: r.First, Last: r.Last, Summary: r.Summary}
		if len(r.Ways) == 0 {
			continue
		}
		converted, there := shared[&r.Ways[0]]
		if !there || len(converted) != len(r.Ways) {
			converted = convert(r.Ways)
			shared[&r.Ways[0]] = converted
		}
		out[i].Ways = converted
	}
	return out
}

func convert(in []seccomp.Way) []posture.Way {
	out := make([]posture.Way, len(in))
	for i := range in {
		w := &in[i]
		out[i] = wayOf(w.Ret, w.Filter, w.Offset)
		out[i].When, out[i].Notes = w.When, w.Notes
		if w.Undecided != "" {
			out[i].Action, out[i].Value, out[i].Why = posture.ActionUndecided, 0, w.Undecided
		}
	}
	return out
}

// actions are the posture's words for the kernel's.
var actions = [...]struct {
	kernel  seccomp.Action
	posture posture.Action
}{
	{seccomp.RetKillProcess, posture.ActionKillProcess},
	{seccomp.RetKillThread, posture.ActionKillThread},
	{seccomp.RetTrap, posture.ActionTrap},
	{seccomp.RetErrno, posture.ActionErrno},
	{seccomp.RetUserNotif, posture.ActionNotify},
	{seccomp.RetTrace, posture.ActionTrace},
	{seccomp.RetLog, posture.ActionLog},
	{seccomp.RetAllow, posture.ActionAllow},
}

// wayOf is what a filter's return value comes to.
func wayOf(ret uint32, filter, offset int) posture.Way {
	w := posture.Way{Action: posture.ActionUndecided, Value: uint16(ret & seccomp.RetData), Filter: filter, Offset: offset}
	action := seccomp.ActionOf(ret)
	for _, a := range actions {
		if a.kernel == action {
			w.Action = a.posture
		}
	}
	if action == seccomp.RetErrno {
		w.Value = uint16(seccomp.ErrnoOf(ret))
	}
	return w
}
