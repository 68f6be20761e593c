package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

// predictSource is where a prediction comes from.
const predictSource = "the filters as they were read"

// Predict fills Filtered of everything scanned: what the filters do with just
// the number and the arguments that were tried. It is unreadable where they
// look at the instruction pointer on the way, which nobody knows. f is nil
// where no filters were read.
func Predict(f *posture.Filters, scans []posture.Scan) {
	p, why := newPredictor(f)
	for i := range scans {
		abi, known := seccomp.FindABI(scans[i].ABI)
		for j := range scans[i].Calls {
			s := &scans[i].Calls[j]
			switch {
			case why != "":
				s.Filtered.Fail(predictSource, why)
			case !known:
				s.Filtered.Fail(predictSource, "no ABI "+strconv.Quote(scans[i].ABI))
			case seccomp.Unfiltered(abi, s.Number) != "":
				s.Filtered.Fail(predictSource, seccomp.Unfiltered(abi, s.Number))
			default:
				p.predict(&s.Filtered, &seccomp.Data{NR: s.Number, Arch: abi.Audit, Args: s.Args})
			}
		}
	}
}

// predictor runs filters, and finds out where they end.
type predictor struct {
	stack []seccomp.Program
	// ends are the same programs, but that each returns the offset at which it
	// ends, or readsIP where it comes to look at the instruction pointer.
	ends []seccomp.Program
}

func newPredictor(f *posture.Filters) (p *predictor, why string) {
	if f == nil {
		return nil, "no filters were read"
	}
	stack, err := decode(f.Programs)
	if err != nil {
		return nil, err.Error()
	}
	p = &predictor{stack: stack, ends: make([]seccomp.Program, len(stack))}
	for i := range stack {
		p.ends[i] = endsOf(stack[i])
	}
	return p, ""
}

// Codes of linux/filter.h, and where struct seccomp_data has the instruction
// pointer.
const (
	codeLoad  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	classMask = 0x07
	classRet  = 0x06
	codeRetK  = 0x06 // BPF_RET | BPF_K
	ipLow     = 8
	ipHigh    = 12

	readsIP = 1 << 31
)

// endsOf makes a program that goes the way of p and returns where it ends.
func endsOf(p seccomp.Program) seccomp.Program {
	out := make(seccomp.Program, len(p))
	for i, in := range p {
		switch {
		case in.Code == codeLoad && (in.K == ipLow || in.K == ipHigh):
			in = seccomp.Instruction{Code: codeRetK, K: readsIP}
		case in.Code&classMask == classRet:
			in = seccomp.Instruction{Code: codeRetK, K: uint32(i)}
		}
		out[i] = in
	}
	return out
}

func (p *predictor) predict(f *posture.Fact[posture.Way], d *seccomp.Data) {
	for i := range p.ends {
		if p.ends[i].Run(d) == readsIP {
			f.Fail(predictSource, "filter "+strconv.Itoa(i)+" looks at the instruction pointer, which is not known")
			return
		}
	}
	ret, filter := seccomp.Compose(p.stack, d)
	offset := -1
	if filter == seccomp.NoFilter {
		filter = len(p.stack) - 1 // all allow: the newest is named, as Evaluate does
	}
	if filter >= 0 {
		offset = int(p.ends[filter].Run(d))
	}
	w := wayOf(ret, filter, offset)
	*f = posture.Of(w, predictSource, w.Action.String())
}
