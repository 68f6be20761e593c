//go:build linux && !s390x

package child

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// Numbers of prctl(2), capset(2) and setns(2).
const (
	prSetKeepCaps   = 8
	prGetSeccomp    = 21
	prCapbsetDrop   = 24
	prGetSecurebits = 27
	prGetNoNewPrivs = 39
	prCapAmbient    = 47
	ambientRaise    = 2
	ambientClearAll = 4
	capVersion      = 0x20080522
	capDataSize     = 24
	numCapabilities = 64
	maxGroups       = 1 << 10
	noID            = -1 // setfsuid(2) rejects it, and so only reads
	everyCapability = ^uint64(0)
	lastDescriptor  = 1<<31 - 1
	pollIn          = 1
	openWrite       = syscall.O_WRONLY
)

// errOwnFilter: what a filter of the caller's own denies would be taken for
// what stops the process that the replica stands for.
var errOwnFilter = errors.New("child: a replica cannot be made under a seccomp filter of one's own")

// replica is what a Program knows of the posture that its children take on.
type replica struct {
	Posture
	names map[Step]string
	// parent is a pidfd of this process.
	parent int
	// nonzero are steps that are not taken where they fail, and whose answer is
	// not 0 where they do not: write(2).
	nonzero []Step
	// entered says that the prologue is complete: see Enter.
	entered bool
	scans   bool
	// header is struct __user_cap_header_struct for the calling thread.
	header Buffer
	proof  proofSteps
	// kept is nil but where the children execute a program.
	kept *kept
	// Of the last child: what it was refused for, and whether it went on.
	refused  string
	admitted bool
	told     Proof
}

// proofSteps are the calls by which a child proves itself.
type proofSteps struct {
	uid, gid, caps, groups                    Buffer
	fsuid, fsgid, count, privs, bits, seccomp Step
}

// NewReplica returns a program whose children take on the posture before they
// make its calls. Call Enter before the first of these. It must be closed.
//
// The children keep the caller's keyrings, scheduling and OOM score, its LSM label
// unless there is a Label, and its cgroups but those of Cgroups. Their securebits
// are all off. It takes CAP_SYS_ADMIN to join namespaces, CAP_SYS_CHROOT for
// another root, CAP_SETUID, CAP_SETGID and CAP_SETPCAP for what they are named
// after, and Linux 5.9.
func NewReplica(po Posture) (*Program, error) { return newReplica(&replica{Posture: po}) }

func newReplica(rep *replica) (*Program, error) {
	parent, err := kernel.New(nil).PidfdOpen(kernel.Getpid())
	if err != nil {
		return nil, err
	}
	p, err := empty()
	if err != nil {
		kernel.Close(parent)
		return nil, err
	}
	rep.names, rep.parent = map[Step]string{}, parent
	p.replica = rep
	rep.header = p.Bytes(ids([]uint32{capVersion, 0}))
	p.guard()
	p.keep()
	p.joinCgroups()
	p.join(rep.Join)
	p.changeRoot()
	p.changeIDs()
	p.lowerCapabilities()
	p.guard()
	p.enterPID()
	p.addPrologue()
	p.limit(nil)
	p.detach()
	p.prove()
	p.endPrologue()
	if p.err != nil {
		return nil, errors.Join(p.err, p.Close())
	}
	return p, nil
}

// close gives back what Close of the program does not know of.
func (r *replica) close() { kernel.Close(r.parent) }

// must appends a call without which the posture is not taken on.
func (p *Program) must(name string, nr uint32, f Flags, args ...Arg) {
	p.rep().names[p.Call(nr, Must|f, args...)] = name
}

// try appends a call whose answer is noted, and proved otherwise.
func (p *Program) try(name string, nr uint32, args ...Arg) Step {
	s := p.Call(nr, 0, args...)
	p.rep().names[s] = name
	return s
}

// guard protects the child from what it joins, and ends it with its parent. A
// change of credentials undoes both.
func (p *Program) guard() {
	p.try("prctl(PR_SET_PDEATHSIG)", kernel.SysPrctl, Int(prSetPdeathsig), Int(9), Int(0), Int(0), Int(0))
	p.must("prctl(PR_SET_DUMPABLE)", kernel.SysPrctl, 0, Int(prSetDumpable), Int(0), Int(0), Int(0), Int(0))
}

// joinCgroups comes before the cgroup namespace is joined, in which those above
// its root have no name, and while the child may still be moved. 0 stands for
// the writer.
func (p *Program) joinCgroups() {
	r := p.rep()
	for _, c := range r.Cgroups {
		r.nonzero = append(r.nonzero, p.try("write(cgroup.procs of "+c.Name+")", kernel.SysWrite, Int(c.FD), p.String("0"), Int(1)))
	}
}

func (p *Program) join(list []Namespace) {
	for _, n := range list {
		p.must("setns("+n.Name+")", kernel.SysSetns, 0, Int(n.FD), Arg{value: n.Type})
	}
}

// limit takes the resource limits on. soft, where it is not nil, stands in for
// the soft ones.
func (p *Program) limit(soft func(Rlimit) uint64) {
	for _, l := range p.rep().Rlimits {
		if soft != nil {
			l.Soft = soft(l)
		}
		p.try("prlimit64("+l.Name+")", kernel.SysPrlimit64, Int(0), Int(l.Resource), p.Addr(p.Bytes(words(l.Soft, l.Hard))), Int(0))
	}
}

// changeRoot comes first, as hard resource limits do: the ids to come may not.
// Soft ones wait until the child has made its own child and its timer.
func (p *Program) changeRoot() {
	po := &p.rep().Posture
	p.limit(func(l Rlimit) uint64 { return l.Hard })
	if po.Root >= 0 {
		p.must("fchdir(root)", kernel.SysFchdir, 0, Int(po.Root))
		p.must("chroot(root)", kernel.SysChroot, 0, p.String("."))
	}
	if po.Cwd >= 0 {
		p.must("fchdir(cwd)", kernel.SysFchdir, 0, Int(po.Cwd))
	}
	p.try("umask(2)", kernel.SysUmask, Int(int(po.Umask)))
}

// changeIDs changes groups, group ids and user ids, in the order in which one
// may still be changed after the other, and keeps what is permitted meanwhile.
// What was effective a change of user ids undoes, so it is raised again.
func (p *Program) changeIDs() {
	po := &p.rep().Posture
	p.try("prctl(PR_SET_KEEPCAPS)", kernel.SysPrctl, Int(prSetKeepCaps), Int(1), Int(0), Int(0), Int(0))
	if po.SetGroups {
		if len(po.Groups) > maxGroups {
			p.err = errors.New("child: " + strconv.Itoa(len(po.Groups)) + " groups are more than fit")
			return
		}
		p.must("setgroups(2)", kernel.SysSetgroups, 0, Int(len(po.Groups)), p.Addr(p.Bytes(ids(po.Groups))))
	}
	if po.SetGID {
		p.must("setresgid(2)", kernel.SysSetresgid, 0, idArgs(po.GID)...)
	}
	if po.SetUID {
		p.must("setresuid(2)", kernel.SysSetresuid, 0, idArgs(po.UID)...)
	}
	// File system ids follow the effective ones, and take a capability again.
	p.capset(po.Held, po.Held, po.HeldInheritable)
	if po.SetGID {
		p.try("setfsgid(2)", kernel.SysSetfsgid, Arg{value: uintptr(po.GID[3])})
	}
	if po.SetUID {
		p.try("setfsuid(2)", kernel.SysSetfsuid, Arg{value: uintptr(po.UID[3])})
	}
}

func idArgs(id [4]uint32) []Arg {
	return []Arg{{value: uintptr(id[0])}, {value: uintptr(id[1])}, {value: uintptr(id[2])}}
}

func ids(list []uint32) []byte {
	var b []byte
	for _, id := range list {
		b = binary.NativeEndian.AppendUint32(b, id)
	}
	return b
}

// lowerCapabilities begins with all that is permitted made effective.
// Inheritable comes before bounding, without which no bit of it can be raised,
// and ambient takes both others.
func (p *Program) lowerCapabilities() {
	r := p.rep()
	if len(r.Late) > 0 {
		p.join(r.Late)
		r.Held, r.HeldInheritable = everyCapability, 0
	}
	p.capset(r.Held, r.Held, r.Inheritable)
	ambient := func(f Flags, op, n int) {
		s := p.Call(kernel.SysPrctl, f, Int(prCapAmbient), Int(op), Int(n), Int(0), Int(0))
		r.names[s] = "prctl(PR_CAP_AMBIENT)"
	}
	ambient(0, ambientClearAll, 0)
	for n := range numCapabilities {
		if r.Ambient&(1<<n) != 0 {
			ambient(Must, ambientRaise, n)
		}
	}
	for n := range numCapabilities {
		if r.Drop&(1<<n) != 0 {
			p.must("prctl(PR_CAPBSET_DROP)", kernel.SysPrctl, 0, Int(prCapbsetDrop), Int(n), Int(0), Int(0), Int(0))
		}
	}
	p.try("prctl(PR_SET_KEEPCAPS)", kernel.SysPrctl, Int(prSetKeepCaps), Int(0), Int(0), Int(0), Int(0))
	if !r.LowersLate() {
		p.capset(r.Effective, r.Permitted, r.Inheritable)
	}
	p.changeLabel()
	if r.NoNewPrivs {
		p.must("prctl(PR_SET_NO_NEW_PRIVS)", kernel.SysPrctl, 0, Int(prSetNoNewPrivs), Int(1), Int(0), Int(0), Int(0))
	}
}

// changeLabel comes after all that the label may forbid, and before no_new_privs,
// under which a label may only be narrowed. A task writes its own alone, so that
// the child opens the file itself.
func (p *Program) changeLabel() {
	r := p.rep()
	if r.Label == nil {
		return
	}
	open := p.try("openat("+r.Label.File+")", kernel.SysOpenat, Int(r.Label.Proc), p.String(r.Label.File), Int(openWrite), Int(0))
	write := p.try("write("+r.Label.File+")", kernel.SysWrite, Result(open), p.String(r.Label.Text), Int(len(r.Label.Text)))
	r.nonzero = append(r.nonzero, open, write)
}

// enterPID makes the child that is born in a pid namespace which was joined.
// Whoever has CAP_SYS_PTRACE there may trace it from its birth on, so that it
// holds no more by then than what it stands for: neither capabilities nor
// descriptors. See LowersLate for the one case in which it does.
func (p *Program) enterPID() {
	r := p.rep()
	if !r.NewPID {
		return
	}
	p.closeBut(append(slices.Clone(r.Keep), r.parent))
	p.must("clone(2)", 0, again)
}

// detach makes sure that the parent is there, and closes what is open.
func (p *Program) detach() {
	p.askForParent()
	p.closeBut(p.rep().Keep)
}

// askForParent ends the child where its parent ended before it asked for a
// signal of that. One that is there has nothing to be read of it yet.
func (p *Program) askForParent() {
	poll := p.Bytes(ids([]uint32{uint32(p.rep().parent), pollIn}))
	p.must("ppoll(parent)", kernel.SysPpoll, 0, p.Addr(poll), Int(1), p.Addr(p.Buffer(2*wordSize)), Int(0), Int(0))
}

// closeBut closes all descriptors but these.
func (p *Program) closeBut(keep []int) {
	keep = slices.Clone(keep)
	slices.Sort(keep)
	next := 0
	for _, fd := range keep {
		if fd > next {
			p.must("close_range(2)", kernel.SysCloseRange, 0, Int(next), Int(fd-1), Int(0))
		}
		next = max(next, fd+1)
	}
	p.must("close_range(2)", kernel.SysCloseRange, 0, Int(next), Int(lastDescriptor), Int(0))
}

func (p *Program) capset(effective, permitted, inheritable uint64) {
	var b []byte
	for shift := 0; shift < 64; shift += 32 {
		b = append(b, ids([]uint32{uint32(effective >> shift), uint32(permitted >> shift), uint32(inheritable >> shift)})...)
	}
	p.must("capset(2)", kernel.SysCapset, 0, p.Addr(p.rep().header), p.Addr(p.Bytes(b)))
}

// prove asks what the child is by system calls, as long as no filter answers.
func (p *Program) prove() {
	s := &p.rep().proof
	s.uid, s.gid, s.caps = p.Buffer(12), p.Buffer(12), p.Buffer(capDataSize)
	s.groups = p.Buffer(4 * (len(p.rep().Groups) + 1))
	three := func(name string, nr uint32, b Buffer) {
		p.must(name, nr, 0, p.Addr(b), p.Addr(b.From(4)), p.Addr(b.From(8)))
	}
	three("getresuid(2)", kernel.SysGetresuid, s.uid)
	three("getresgid(2)", kernel.SysGetresgid, s.gid)
	s.fsuid = p.try("setfsuid(-1)", kernel.SysSetfsuid, Int(noID))
	s.fsgid = p.try("setfsgid(-1)", kernel.SysSetfsgid, Int(noID))
	s.count = p.try("getgroups(2)", kernel.SysGetgroups, Int(len(p.rep().Groups)+1), p.Addr(s.groups))
	p.must("capget(2)", kernel.SysCapget, 0, p.Addr(p.rep().header), p.Addr(s.caps))
	s.privs = p.try("prctl(PR_GET_NO_NEW_PRIVS)", kernel.SysPrctl, Int(prGetNoNewPrivs), Int(0), Int(0), Int(0), Int(0))
	s.bits = p.try("prctl(PR_GET_SECUREBITS)", kernel.SysPrctl, Int(prGetSecurebits))
	s.seccomp = p.try("prctl(PR_GET_SECCOMP)", kernel.SysPrctl, Int(prGetSeccomp))
}

// Enter ends what NewReplica began: the filters, and the gate. What the children
// are to do beforehand, beside, is written before it. scans says that this is
// to load filters of the program's own.
func (p *Program) Enter(scans bool) { p.replica.enter(p, scans) }

func (r *replica) enter(p *Program, scans bool) {
	r.scans, r.entered = scans, true
	for _, raw := range r.Filters {
		p.LoadEither(raw)
	}
	if r.LowersLate() {
		p.capset(r.Effective, r.Permitted, r.Inheritable)
	}
	if len(r.Filters) > 0 {
		// The control from before the filters says nothing of them.
		p.area.getpid = uint32(p.try("getpid(2)", kernel.SysGetpid))
	}
	p.must("the gate", 0, gate)
	p.endPrologue()
}

// Replica says how the taking on of the posture went, for the last child that
// tried. It is read before Close.
func (p *Program) Replica() Taken { return p.replica.taken(p) }

func (r *replica) taken(p *Program) Taken {
	t := Taken{Admitted: r.admitted, Proof: r.told, Differs: r.refused}
	for s := Step(0); uint32(s) < p.area.prolog; s++ {
		st := &p.area.steps[s&(maxSteps-1)]
		if name, named := r.names[s]; named && st.state == stateDone {
			t.Steps = append(t.Steps, TakenStep{name, errnoOf(st)})
		}
	}
	if err := p.notTaken(); err != nil && t.Differs == "" {
		t.Differs = err.Error()
	}
	return t
}
