//go:build linux && !s390x

package child

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// taker is what a run asks of a replica. Only NewReplica makes one, so that a
// program without replicas links none of this.
type taker interface {
	ready() bool
	reset(*runner)
	admit(*runner)
	last(context.Context, *runner, syscall.WaitStatus, error) (syscall.WaitStatus, error)
	enter(p *Program, scans bool)
	taken(*Program) Taken
	close()
}

// rep is the replica of a program that is one.
func (p *Program) rep() *replica { return p.replica.(*replica) }

// ready says that the prologue is complete.
func (p *replica) ready() bool { return p.entered }

// What a child finds at the gate.
const (
	gateShut uint32 = iota
	gateOpen
	gateRefused
)

// maxSpins bounds how often a child looks at the gate: some seconds.
const maxSpins = 1 << 30

const (
	cloneParent       = 0x00008000
	cloneParentSetTID = 0x00100000
)

func errnoOf(s *step) syscall.Errno { return syscall.Errno(s.errno) }

// notTaken says why the last child made no call of the program, or nil.
func (p *Program) notTaken() error {
	r := p.rep()
	if r.refused != "" {
		return &NotTakenError{Why: r.refused}
	}
	if failed := p.area.failed; failed != 0 && failed <= p.area.prolog {
		s := Step(failed - 1)
		name := r.names[s]
		if name == "" {
			name = "loading the filters"
		}
		return &NotTakenError{Step: name, Errno: errnoOf(&p.area.steps[s&(maxSteps-1)])}
	}
	return nil
}

// outside is the error where the last child did not come to the gate, or not
// through it. What its filters kill for on the way is tried otherwise by the
// next one.
func (p *replica) outside(r *runner, status syscall.WaitStatus) error {
	if err := r.notTaken(); err != nil {
		return err
	}
	if at := Step(r.area.cursor); uint32(at) < r.area.prolog && !p.admitted {
		switch {
		case status.Signaled() && (status.Signal() != syscall.SIGSYS || len(p.Filters) == 0):
			return &NotTakenError{Why: "a child ended of signal " + strconv.Itoa(int(status.Signal())) + " before it was what it was to be: " + p.names[at]}
		case status.Exited() && atomic.LoadUint32(&r.area.done) == 0:
			return &NotTakenError{Why: "a child left before it was let through: " + p.names[at]}
		}
	}
	return nil
}

// reset makes the next child prove itself anew.
func (p *replica) reset(r *runner) {
	a := r.area
	a.second, r.forkedPID, r.gatePID = 0, 0, 0
	p.refused, p.admitted, p.told = "", false, Proof{}
	if p.kept != nil {
		p.kept.reset(a)
	}
	atomic.StoreUint32(&a.waiting, 0)
	atomic.StoreUint32(&a.opened, gateShut)
	for _, b := range []Buffer{p.proof.uid, p.proof.gid, p.proof.caps, p.proof.groups} {
		clear(r.Read(b))
	}
}

// last waits for the child of a child: the first one ends when it has made it.
func (p *replica) last(ctx context.Context, r *runner, status syscall.WaitStatus, err error) (syscall.WaitStatus, error) {
	if p.kept != nil {
		if status, err = p.kept.last(r, status, err); err != nil {
			return status, err
		}
		return status, p.outside(r, status)
	}
	if second := int(atomic.LoadUint32(&r.area.second)); second != 0 {
		// It is our own child and not waited for yet, so the number is its own.
		pidfd, errOpen := kernel.New(nil).PidfdOpen(second)
		if errOpen != nil {
			pidfd = -1
		}
		if err != nil {
			r.kill(pidfd)
		}
		r.gatePID = second
		var errSecond error
		status, errSecond = r.wait(ctx, second, pidfd)
		if err == nil {
			err = errSecond
		}
	}
	if err != nil {
		return status, err
	}
	return status, p.outside(r, status)
}

// admit asks about a child that waits at the gate, and looks at what is left of
// one that has executed a program.
func (p *replica) admit(r *runner) {
	if p.kept == nil {
		p.gate(r)
		return
	}
	p.kept.hold(r)
	p.gate(r)
	p.kept.examine(r, p.admitted)
}

// gate asks about a child that waits there, and opens it or not.
func (p *replica) gate(r *runner) {
	if r.gatePID == 0 && !p.NewPID && p.kept == nil {
		r.gatePID = r.forkedPID
	}
	a := r.area
	if r.gatePID == 0 || p.admitted || p.refused != "" || atomic.LoadUint32(&a.waiting) == 0 {
		return
	}
	p.told = p.readProof(r)
	if p.refused = p.failed(r); p.refused == "" {
		p.refused = p.contradicts()
	}
	if p.refused == "" && p.Admit != nil {
		p.refused = p.Admit(Candidate{PID: r.gatePID, Scans: p.scans, Unfiltered: p.Unfiltered, Proof: p.told})
	}
	if p.admitted = p.refused == ""; p.admitted {
		atomic.StoreUint32(&a.opened, gateOpen)
		return
	}
	atomic.StoreUint32(&a.opened, gateRefused)
}

// failed names the steps that failed though they need not answer 0, or nothing.
func (p *replica) failed(r *runner) string {
	var list []string
	for _, s := range p.nonzero {
		if st := &r.area.steps[s&(maxSteps-1)]; st.state != stateDone || st.errno != 0 {
			list = append(list, p.names[s]+": "+errnoOf(st).Error())
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "could not take on all: " + strings.Join(list, ", ")
}

// readProof reads what the child was told of itself.
func (p *replica) readProof(r *runner) Proof {
	s := &p.proof
	ret := func(s Step) uint32 { return uint32(r.area.steps[s&(maxSteps-1)].ret) }
	word := func(b Buffer, n int) uint32 { return binary.NativeEndian.Uint32(r.Read(b)[4*n:]) }
	set := func(n int) uint64 { return uint64(word(s.caps, n)) | uint64(word(s.caps, n+3))<<32 }
	t := Proof{
		Effective: set(0), Permitted: set(1), Inheritable: set(2),
		NoNewPrivs: ret(s.privs) == 1, Securebits: ret(s.bits), SeccompMode: ret(s.seccomp),
	}
	for n := range 3 {
		t.UID[n], t.GID[n] = word(s.uid, n), word(s.gid, n)
	}
	t.UID[3], t.GID[3] = ret(s.fsuid), ret(s.fsgid)
	if r.area.steps[s.count&(maxSteps-1)].errno == 0 {
		for n := range min(int(ret(s.count)), len(p.Groups)+1) {
			t.Groups = append(t.Groups, word(s.groups, n))
		}
	}
	return t
}

// contradicts says in words where the child was told something else than it
// asked for, or nothing. Ids are proved from outside.
func (r *replica) contradicts() string {
	var list []string
	differ := func(what string, yes bool) {
		if yes {
			list = append(list, what)
		}
	}
	effective, permitted := r.Effective, r.Permitted
	if r.LowersLate() {
		effective, permitted = r.told.Effective, r.told.Permitted
	}
	if r.Label != nil {
		// AppArmor hides from capget(2) what a profile denies. The sets
		// themselves are proved from outside.
		effective, permitted = effective&r.told.Effective, permitted&r.told.Permitted
	}
	differ("effective capabilities", r.told.Effective != effective)
	differ("permitted capabilities", r.told.Permitted != permitted)
	differ("inheritable capabilities", r.told.Inheritable != r.Inheritable)
	differ("no_new_privs", r.told.NoNewPrivs != r.NoNewPrivs)
	differ("securebits", r.told.Securebits != 0)
	differ("a seccomp filter of this program's own", r.told.SeccompMode != 0)
	if len(list) == 0 {
		return ""
	}
	return "differs by what system calls told it: " + strings.Join(list, ", ")
}
