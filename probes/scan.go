package probes

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// ScanInput says what to scan, and from where.
type ScanInput struct {
	// ABIs are the ways into the kernel to try, as names.ABI.Name calls them;
	// nil means all of this architecture.
	ABIs []string
	// Filters are loaded in each child first, oldest first, each as struct
	// sock_filter[] in host byte order, after no_new_privs. Without any, what
	// is tried is the calling thread's own filters.
	Filters [][]byte
	// Filtered says that a filter may act on the calling thread already.
	Filtered bool
	// Replica makes the calls in another process's posture, but for its filters,
	// which are those above, and for no_new_privs; nil means the calling
	// thread's own. A replica cannot be made of a Filtered thread.
	Replica *child.Posture
	// Numbers are the system calls to try, x32's with bit 30; nil means from
	// 0 to the last one known, and some beyond.
	Numbers []uint32
}

// Scan makes every system call of the ABIs in forked children of the calling
// thread, with arguments that the kernel rejects before anything happens, and
// tells from the answers which of them the kernel gave and which a filter. What
// is never made, and what is made otherwise, stands in a table with its reason.
//
// It needs clone(2), wait4(2) or waitid(2), and no privilege; where the thread
// may load a filter of its own, seccomp(2), its children do, and the answers
// are exact. It leaves nothing behind. The error says why children could not be
// made or did not finish; what was found out comes all the same.
func Scan(ctx context.Context, in ScanInput) ([]posture.Scan, error) {
	// All ABIs are scanned under the same filters.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &scanner{in: in}
	var out []posture.Scan
	for _, abi := range names.ABIs(runtime.GOARCH) {
		if in.ABIs != nil && !slices.Contains(in.ABIs, abi.Name) {
			continue
		}
		scan, err := s.abi(ctx, abi)
		out = append(out, scan)
		if err != nil {
			return out, err
		}
	}
	if len(out) == 0 {
		return nil, errors.New("scan: this architecture has none of the ABIs asked for")
	}
	return out, nil
}

// scanner is one scan.
type scanner struct {
	in ScanInput
	// mask is the filter of one's own that could be loaded.
	mask maskWay
}

// call is one number of one ABI, with what is known about it and what was seen.
type call struct {
	nr uint32
	// native says that the call is one of this program's own ABI.
	native bool
	arch   string   // the column of the table of names
	how    *special // nil: nothing special
	args   [6]uint64
	// unasked says why the kernel asks no filter about it.
	unasked string
	// What children saw: under a filter of their own that lets nothing
	// through, without it, and without any filter.
	masked, plain, bare sight
}

// abi scans one ABI.
func (s *scanner) abi(ctx context.Context, abi names.ABI) (posture.Scan, error) {
	scan := posture.Scan{ABI: abi.Name}
	if why := entrance(abi); why != "" {
		scan.Why = why
		return scan, nil
	}
	if !native(abi) {
		// Where there is no such way in, each call would cost a child.
		has, err := presence(ctx, abi, s.in.Filtered)
		if here, known := has.Get(); err != nil || known && !here && abi.WordBits == 32 {
			scan.Why = "this kernel does not have the ABI: " + has.Raw + has.Err
			return scan, err
		}
	}
	s.mask = maskWay{}
	calls := callsOf(abi, s.in.Numbers)
	err := s.passes(ctx, abi, calls)
	f := s.frame(calls)
	scan.Calls = make([]posture.Scanned, len(calls))
	for k := range calls {
		scan.Calls[k] = f.read(&calls[k])
	}
	if err != nil {
		scan.Why = err.Error()
	}
	return scan, err
}

// passes makes the calls as often as it takes to read the answers. Where a
// filter may act, each is also made under a filter of one's own that lets
// nothing through: what comes back then is the other filters' answer.
func (s *scanner) passes(ctx context.Context, abi names.ABI, calls []call) error {
	p := pass{filters: s.in.Filters, filtered: s.in.Filtered}
	switch {
	case s.in.Filtered:
		// The children have the filters already, so the mask can come later.
		p.mask = &mask{}
	case len(s.in.Filters) > 0:
		p.mask = &mask{oldest: true}
		if err := s.pass(ctx, abi, p, selectCalls(calls, func(*call) bool { return true }), sawMasked); err != nil {
			return err
		}
		p.mask = nil
	}
	err := s.pass(ctx, abi, p, selectCalls(calls, func(c *call) bool {
		return !c.masked.made || s.mask.passed(c.masked)
	}), sawPlain)
	if err != nil || s.in.Filtered || len(s.in.Filters) == 0 {
		return err
	}
	return s.pass(ctx, abi, pass{}, selectCalls(calls, func(c *call) bool { return c.plain.returned(syscall.ENOSYS) }), sawBare)
}

// What a pass finds out.
func sawMasked(c *call) *sight { return &c.masked }
func sawPlain(c *call) *sight  { return &c.plain }
func sawBare(c *call) *sight   { return &c.bare }

func selectCalls(calls []call, keep func(*call) bool) []*call {
	out := make([]*call, 0, len(calls))
	for k := range calls {
		if keep(&calls[k]) {
			out = append(out, &calls[k])
		}
	}
	return out
}

// name is empty where no table has the number.
func (c *call) name() string {
	name, _ := names.SyscallName(c.arch, c.nr)
	return name
}

// callsOf returns the numbers of an ABI that are to be tried, ascending.
func callsOf(abi names.ABI, only []uint32) []call {
	all := only
	if all == nil {
		all = numbersOf(abi)
	} else {
		all = slices.Clone(all)
		slices.Sort(all)
		all = slices.Compact(all)
	}
	out := make([]call, 0, len(all))
	own, hows := native(abi), specialsOf(abi.Arch)
	for _, nr := range all {
		if abi.WordBits == 64 && abi.Machine == "amd64" && nr&x32Bit != abi.NumberBit {
			continue
		}
		c := call{nr: nr, native: own, arch: abi.Arch, unasked: names.Unfiltered(abi.Arch, nr)}
		for len(hows) > 0 && hows[0].nr < nr {
			hows = hows[1:]
		}
		if len(hows) > 0 && hows[0].nr == nr {
			c.how = hows[0].special
		}
		c.args = c.how.arguments(abi.WordBits)
		out = append(out, c)
	}
	return out
}

// x32Bit marks a system call number of the x32 ABI.
const x32Bit = 0x40000000

// beyond are numbers that no table has: what a filter makes of the calls of a
// later kernel.
var beyond = []uint32{511, 1000, 0x3fffffff, 0x7fffffff, 0x80000000, 0xbfffffff, 0xffffffff}

// numbersOf returns every number from 0 to the last of the table, and others.
func numbersOf(abi names.ABI) []uint32 {
	last := names.LastSyscall(abi.Arch)
	out := make([]uint32, 0, last-abi.NumberBit+16)
	for nr := abi.NumberBit; nr <= last+2; nr++ {
		out = append(out, nr)
	}
	for _, nr := range beyond {
		switch nr |= abi.NumberBit; {
		case nr <= last+2, slices.Contains(out[last+3-abi.NumberBit:], nr):
		case abi.Name == "x86-64" && nr&x32Bit != 0:
		default:
			out = append(out, nr)
		}
	}
	slices.Sort(out)
	return out
}
