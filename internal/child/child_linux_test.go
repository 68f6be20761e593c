//go:build linux && !s390x

package child

import (
	"context"
	"syscall"
	"testing"
	"time"
)

func newProgram(t testing.TB) *Program {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func withTimeout(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestCallsAndResults(t *testing.T) {
	p := newProgram(t)
	pipe := p.Buffer(8)
	made := p.Call(syscall.SYS_PIPE2, 0, p.Addr(pipe), Int(0))
	dup := p.Call(syscall.SYS_DUP, Need, Int(2))
	closed := p.Call(syscall.SYS_CLOSE, 0, Result(dup))
	bad := p.Call(syscall.SYS_CLOSE, Need, Int(-1))
	never := p.Call(syscall.SYS_GETPID, 0)
	p.End()
	after := p.Call(syscall.SYS_GETPPID, 0)
	if err := p.Run(withTimeout(t, 5*time.Second), Options{}); err != nil {
		t.Fatal(err)
	}
	if o := p.Outcome(made); !o.OK() || p.Read(pipe)[0] == 0 {
		t.Errorf("pipe2: %+v %v", o, p.Read(pipe))
	}
	if !p.Outcome(dup).OK() || !p.Outcome(closed).OK() {
		t.Errorf("dup, close: %+v %+v", p.Outcome(dup), p.Outcome(closed))
	}
	if o := p.Outcome(bad); o.Errno != syscall.EBADF {
		t.Errorf("close(-1): %+v", o)
	}
	if p.Outcome(never).Made {
		t.Error("a call after a needed one that failed was made")
	}
	if o := p.Outcome(after); int(o.Ret) != syscall.Getpid() {
		t.Errorf("getppid: %+v", o)
	}
}

func TestDeathGoesOn(t *testing.T) {
	p := newProgram(t)
	pid := p.Call(syscall.SYS_GETPID, 0)
	die := p.Call(syscall.SYS_KILL, 0, Result(pid), Int(int(syscall.SIGKILL)))
	p.End()
	after := p.Call(syscall.SYS_GETPPID, 0)
	if err := p.Run(withTimeout(t, 5*time.Second), Options{}); err != nil {
		t.Fatal(err)
	}
	if o := p.Outcome(die); o.Signal != syscall.SIGKILL || !o.Repeated || o.Made {
		t.Errorf("kill: %+v", o)
	}
	if !p.Outcome(after).OK() {
		t.Errorf("after: %+v", p.Outcome(after))
	}
}

func TestSpentChildIsReplaced(t *testing.T) {
	p := newProgram(t)
	umask := p.Call(syscall.SYS_UMASK, Spends, Int(0o123))
	p.End()
	again := p.Call(syscall.SYS_UMASK, 0, Int(0))
	if err := p.Run(withTimeout(t, 5*time.Second), Options{}); err != nil {
		t.Fatal(err)
	}
	if p.Outcome(umask).Ret != p.Outcome(again).Ret {
		t.Errorf("the second child saw the first one's umask: %+v %+v", p.Outcome(umask), p.Outcome(again))
	}
}

func TestOwnDeadline(t *testing.T) {
	p := newProgram(t)
	pause := p.Call(kernelPause, 0, Int(0), Int(0), Int(0), Int(0))
	p.End()
	ctx := withTimeout(t, 50*time.Millisecond)
	start := time.Now()
	err := p.Run(ctx, Options{})
	if err == nil {
		t.Error("no error for a program that was cut off")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	if o := p.Outcome(pause); o.Made {
		t.Errorf("pause returned: %+v", o)
	}
}

func TestGrandchild(t *testing.T) {
	p := newProgram(t)
	f := p.Call(syscall.SYS_CLONE, Fork, Int(0), Int(0), Int(0), Int(0), Int(0))
	inner := p.Call(syscall.SYS_GETPID, 0)
	wait := p.Call(syscall.SYS_WAIT4, Join, Result(f), Int(0), Int(wallClone), Int(0))
	p.End()
	outer := p.Call(syscall.SYS_GETPID, 0)
	if err := p.Run(withTimeout(t, 5*time.Second), Options{}); err != nil {
		t.Fatal(err)
	}
	if p.Outcome(f).Ret != p.Outcome(inner).Ret || p.Outcome(wait).Ret != p.Outcome(f).Ret {
		t.Errorf("fork %+v, inner %+v, wait %+v", p.Outcome(f), p.Outcome(inner), p.Outcome(wait))
	}
	if p.Outcome(outer).Ret == p.Outcome(inner).Ret {
		t.Error("the grandchild went on after the join")
	}
}

const kernelPause = syscall.SYS_PPOLL

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		p := newProgram(b)
		p.Call(syscall.SYS_GETPPID, 0)
		if err := p.Run(context.Background(), Options{}); err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

func BenchmarkRunFiltered(b *testing.B) {
	for b.Loop() {
		p := newProgram(b)
		p.Call(syscall.SYS_GETPPID, 0)
		if err := p.Run(context.Background(), Options{Filtered: true}); err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}
