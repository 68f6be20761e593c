package probes

import (
	"encoding/binary"
	"runtime"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Words of classic BPF as seccomp(2) takes it, and what a filter returns.
const (
	bpfLoad    = 0x20 // BPF_LD|BPF_W|BPF_ABS
	bpfIfEqual = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	bpfReturn  = 0x06 // BPF_RET|BPF_K
	atNumber   = 0    // offsets in struct seccomp_data
	atArch     = 4
	atArgs     = 16
	retErrno   = 0x00050000
	retTrace   = 0x7ff00000
	retAllow   = 0x7fff0000
)

// ownErrno is an error that no kernel and hardly a filter gives: what comes
// back with it, the other filters let through.
const ownErrno = 3087

// mask is a filter of one's own that lets no call of a scan reach the kernel.
// The kernel takes the most severe answer of all filters, so whatever denies a
// call more severely than the mask shows through it.
type mask struct {
	// oldest: it is loaded before the others, and answers ownErrno. Among
	// filters that answer an errno the newest has its way, so that the others
	// show through whatever they answer. Else it is loaded on top of all, and
	// leaves each call to a tracer that is not there: ENOSYS.
	oldest bool
	// listener is the step that asks for a listener, which the kernel refuses
	// with EBUSY where another filter has one.
	listener child.Step
}

// answer is the errno that the mask gives.
func (m *mask) answer() syscall.Errno {
	if m.oldest {
		return ownErrno
	}
	return syscall.ENOSYS
}

// filter returns the mask's instructions. It lets the child leave, and wake its
// parent, and where it is the oldest load the others.
func (m *mask) filter(done uint64) []byte {
	ret := uint32(retTrace)
	if m.oldest {
		ret = retErrno | ownErrno
	}
	var raw []byte
	put := func(code uint16, jt, jf uint8, k uint32) {
		raw = binary.NativeEndian.AppendUint16(raw, code)
		raw = append(raw, jt, jf)
		raw = binary.NativeEndian.AppendUint32(raw, k)
	}
	through := func(name string) {
		if nr, ok := number(name); ok {
			put(bpfIfEqual, 0, 1, nr)
			put(bpfReturn, 0, 0, retAllow)
		}
	}
	// only lets a call through whose first argument is, or is not, a number.
	only := func(name string, is bool, arg uint32) {
		nr, ok := number(name)
		if !ok {
			return
		}
		allow, deny := uint8(0), uint8(1)
		if !is {
			allow, deny = 1, 0
		}
		put(bpfIfEqual, 0, 4, nr)
		put(bpfLoad, 0, 0, atArgs)
		put(bpfIfEqual, allow, deny, arg)
		put(bpfReturn, 0, 0, retAllow)
		put(bpfReturn, 0, 0, ret)
	}
	put(bpfLoad, 0, 0, atArch)
	put(bpfIfEqual, 1, 0, names.ABIs(runtime.GOARCH)[0].Audit)
	put(bpfReturn, 0, 0, ret)
	put(bpfLoad, 0, 0, atNumber)
	only("futex", true, uint32(done))
	if m.oldest {
		only("exit_group", false, exitGroupStatus)
		only("exit", false, exitStatus)
		const setModeFilter, setSeccomp = 1, 22
		only("seccomp", true, setModeFilter)
		only("prctl", true, setSeccomp)
	} else {
		through("exit_group")
		through("exit")
	}
	put(bpfReturn, 0, 0, ret)
	return raw
}

// load writes what every child of the pass loads first.
func (p pass) load(prog *child.Program) {
	if p.mask != nil || len(p.filters) > 0 {
		prog.NoNewPrivileges()
	}
	if p.mask != nil && p.mask.oldest {
		p.mask.put(prog)
	}
	for _, raw := range p.filters {
		prog.LoadEither(raw)
	}
}

// put writes what loads the mask, and makes sure that it is in force.
func (m *mask) put(prog *child.Program) {
	raw := m.filter(prog.DoneWord())
	if m.oldest {
		prog.Load(raw)
	} else {
		m.listener = prog.LoadWithListener(raw)
	}
	prog.CheckMask(m.answer())
}

// maskWay is the mask that could be loaded, if any.
type maskWay struct {
	mask *mask
	// supervised says that another filter has a supervisor.
	supervised bool
}

// passed says that the other filters let a call through, or deny it no more
// severely than the mask.
func (w maskWay) passed(s sight) bool { return w.mask != nil && s.returned(w.mask.answer()) }
