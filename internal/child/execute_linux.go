//go:build linux && !s390x

package child

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

const atEmptyPath = 0x1000

// Execute makes a child take on the posture and execute the program behind a
// descriptor, as Image makes one: execveat(2) with AT_EMPTY_PATH, Linux 3.19. No
// path is looked up. Outcome is that of execveat(2), and Exited where the
// program ran to its end.
//
// look is called with the id of a child that has ended, before anybody waits
// for it: its status file shows with what credentials it ended. Where a child is
// killed there is another one, and look is called again.
//
// It takes what NewReplica takes, and leaves no process. An execve(2) makes a
// child send SIGCHLD to its parent, and be seen by wait4(-1): so the parent is a
// child itself, and no other part of the calling program sees either.
func Execute(ctx context.Context, po Posture, image int, look func(pid int)) (Outcome, Taken, error) {
	po.Keep = []int{image}
	rep := &replica{Posture: po, kept: &kept{look: look, held: -1}}
	p, err := newReplica(rep)
	if err != nil {
		return Outcome{}, Taken{}, err
	}
	p.Enter(false)
	name := p.Addr(p.Bytes([]byte("selfaudit\x00")))
	argv, envp := p.Buffer(2*wordSize), p.Buffer(wordSize)
	putWord(p.Read(argv), uint64(name.Value()))
	s := p.Call(kernel.SysExecveat, 0, Int(image), p.String(""), p.Addr(argv), p.Addr(envp), Int(atEmptyPath))
	err = p.Run(ctx, Options{Exits: true})
	o, taken := p.Outcome(s), p.Replica()
	if err != nil {
		o = Outcome{}
	}
	return o, taken, errors.Join(err, p.Close())
}

// kept is the part of a replica whose children execute a program. Their parent
// is a child of ours that keeps what is left of them until it was looked at.
type kept struct {
	look func(pid int)
	// held is a pidfd of the child that executes, or -1.
	held   int
	looked bool
}

// keep makes the child that keeps the one that executes. Where that one is to be
// born in a pid namespace it is made later: see enterPID. What SIGCHLD does is
// inherited, and where it is ignored nothing would be left to look at.
func (p *Program) keep() {
	if p.rep().kept == nil {
		return
	}
	p.area.keeps, p.area.keeper = 1, uint32(kernel.Getpid())
	p.area.tick = [2]uintptr{0, uintptr(20 * time.Millisecond)}
	p.must("rt_sigaction(SIGCHLD)", kernel.SysRtSigaction, 0, Int(int(syscall.SIGCHLD)), p.Addr(p.Bytes(sigaction(0, 0))), Int(0), Int(signalSetSize))
	p.askForParent()
	if !p.rep().NewPID {
		p.must("clone(2)", 0, again)
		p.guard()
	}
}

// hold takes hold of the child that executes. Nobody else waits for it until it
// is released, so the number is its own.
func (k *kept) hold(r *runner) {
	if second := int(atomic.LoadUint32(&r.area.second)); second != 0 && r.gatePID == 0 {
		r.gatePID = second
		if fd, err := kernel.New(nil).PidfdOpen(second); err == nil {
			k.held = fd
		}
	}
}

// examine looks at what is left of a child that was let through.
func (k *kept) examine(r *runner, admitted bool) {
	if k.looked || atomic.LoadUint32(&r.area.ended) == 0 {
		return
	}
	k.looked = true
	if admitted {
		k.look(r.gatePID)
	}
	k.release(r)
}

// release lets go of what is left.
func (k *kept) release(r *runner) {
	atomic.StoreUint32(&r.area.release, 1)
	syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&r.area.release)), futexWake, 1, 0, 0, 0)
}

// last makes sure that the child that executes is gone, and returns how it ended.
func (k *kept) last(r *runner, status syscall.WaitStatus, err error) (syscall.WaitStatus, error) {
	a := r.area
	defer func() { k.drop() }()
	switch {
	case atomic.LoadUint32(&a.ended) != 0:
		if err == nil && atomic.LoadUint32(&a.done) == 0 {
			status = statusOf(&a.left)
		}
	case atomic.LoadUint32(&a.done) != 0:
		// It is on its way out, and whoever keeps it sees to that.
	default:
		if second := a.second; k.held >= 0 {
			r.kill(k.held)
			if !k.over(grace) && err == nil {
				err = errors.New("child: " + strconv.Itoa(int(second)) + " did not end")
			}
		}
		if err == nil && a.second != 0 {
			err = &NotTakenError{Why: "the child that was to keep another one ended before that"}
		}
	}
	k.release(r)
	return status, err
}

// over waits until the child that is held has ended.
func (k *kept) over(most time.Duration) bool {
	c := kernel.New(nil)
	for begin := time.Now(); ; time.Sleep(firstPause) {
		if ended, err := c.PidfdEnded(k.held); ended || err != nil {
			return ended
		}
		if time.Since(begin) > most {
			return false
		}
	}
}

func (k *kept) drop() {
	closeFD(k.held)
	k.held = -1
}

// reset makes ready for the next child.
func (k *kept) reset(a *area) {
	k.drop()
	k.looked = false
	a.left = [len(a.left)]uint32{}
	atomic.StoreUint32(&a.ended, 0)
	atomic.StoreUint32(&a.release, 0)
}

// statusOf reads a siginfo_t of waitid(2) as a status of wait4(2).
func statusOf(info *[32]uint32) syscall.WaitStatus {
	const codeExited = 1
	at := 3
	if wordSize == 8 {
		at = 4
	}
	if info[2] == codeExited {
		return syscall.WaitStatus(info[at+2] << 8)
	}
	return syscall.WaitStatus(info[at+2] & 0x7f)
}
