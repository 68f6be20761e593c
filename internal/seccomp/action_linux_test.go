package seccomp

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/child"
)

// The call that these tests filter: sched_get_priority_max(SCHED_FIFO), which
// looks at its first argument alone and always has the same result.
const (
	constantCall = uint32(unix.SYS_SCHED_GET_PRIORITY_MAX)
	schedFIFO    = 1
	constant     = 99
)

// effect is what the caller of the filtered call sees of an action.
type effect string

const (
	made    effect = "made"
	trapped effect = "trapped"
	dead    effect = "killed"
)

// failed is the effect of a call that returns an errno; 0 is a success that
// does not return the constant.
func failed(errno int) effect { return effect("errno " + strconv.Itoa(errno)) }

// predicted is the effect of a return value, by the manual page.
func predicted(ret uint32, handler bool) effect {
	switch ActionOf(ret) {
	case RetAllow, RetLog:
		return made
	case RetErrno:
		return failed(ErrnoOf(ret))
	case RetTrace, RetUserNotif:
		return failed(int(unix.ENOSYS)) // no tracer, no listener
	case RetTrap:
		if handler {
			return trapped
		}
	}
	return dead
}

// observed is the effect that a child had.
func observed(o child.Outcome) effect {
	switch {
	case killed(o):
		return dead
	case o.OK() && o.Ret == constant:
		return made
	case o.OK() && o.Ret == uintptr(constantCall):
		return trapped // the kernel rolls the register back to the number
	case o.Made && (o.Errno != 0 || o.Ret == 0 || errnoOf(o) != 0):
		return failed(errnoOf(o))
	}
	return "strange"
}

// someReturns are return values of every action, known and not, with and without
// data, and with errnos past the greatest.
var someReturns = []uint32{
	RetKillProcess, RetKillThread, RetTrap, RetTrap | 7, RetErrno, RetErrno | 1, RetErrno | 2, RetErrno | 4094, RetErrno | 4095,
	RetErrno | 4096, RetErrno | 0xffff, RetUserNotif, RetTrace, RetTrace | 5, RetLog, RetAllow, RetAllow | 9,
	0x80010000, 0xffff0000, 0x00010000, 0x00020003, 0x00040000, 0x00060001, 0x7ffb0000, 0x7ffd0000, 0x7ffe0000,
}

// trapHandler maps machine code that returns from SIGSYS, and returns the
// struct sigaction that names it; nil where there is no such code for this
// architecture. The kernel kills on a trap without a handler.
func trapHandler(t testing.TB) []byte {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		return nil
	}
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Logf("traps look like kills: mmap: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := unix.Munmap(page); err != nil {
			t.Error(err)
		}
	})
	const restorer, sigreturn = 16, 15
	page[0] = 0xc3                                                      // ret, to the restorer
	copy(page[restorer:], []byte{0xb8, sigreturn, 0, 0, 0, 0x0f, 0x05}) // mov $15, %eax; syscall
	const saRestorer, saOnStack = 0x04000000, 0x08000000
	at := uint64(addressOf(page))
	var b []byte
	for _, word := range []uint64{at, saRestorer | saOnStack, at + restorer, 0} {
		b = binary.NativeEndian.AppendUint64(b, word)
	}
	return b
}

// handleTraps appends the calls that put a handler of SIGSYS in place.
func (b *bench) handleTraps(action []byte) {
	if action == nil {
		return
	}
	set := binary.NativeEndian.AppendUint64(nil, 1<<(uint(syscall.SIGSYS)-1))
	const unblock = 1
	b.Call(uint32(unix.SYS_RT_SIGACTION), child.Need, child.Int(int(syscall.SIGSYS)), b.Addr(b.Bytes(action)), child.Int(0), child.Int(8))
	b.Call(uint32(unix.SYS_RT_SIGPROCMASK), child.Need, child.Int(unblock), b.Addr(b.Bytes(set)), child.Int(0), child.Int(8))
	b.used += len(action) + 8
}

// argumentFilter returns a filter of the constant call alone, which returns the
// low word of an argument.
func argumentFilter(arg int) Program {
	at := uint32(offsetArgs + 8*arg)
	if bigEndian() {
		at += 4
	}
	return Program{
		{Code: opLdAbs, K: offsetNR},
		{Code: opJeqK, K: constantCall, JF: 2},
		{Code: opLdAbs, K: at},
		{Code: opRetA},
		{Code: opRetK, K: RetAllow},
	}
}

// Of three stacked filters that return any values, the kernel takes the one that
// Compose takes: all pairs and triples of some values, and random ones.
func TestComposeAsTheKernel(t *testing.T) {
	needKernel(t)
	var stacks [][]uint32
	for _, a := range someReturns {
		stacks = append(stacks, []uint32{a})
		for _, b := range someReturns {
			stacks = append(stacks, []uint32{a, b})
		}
	}
	r := randomSource(2)
	for range short(400) {
		stacks = append(stacks, []uint32{pick(r, someReturns), pick(r, someReturns), pick(r, someReturns)})
		stacks = append(stacks, []uint32{mild(r), mild(r), mild(r)})
	}
	seen := map[effect]int{}
	handler := trapHandler(t)
	for len(stacks) > 0 && !t.Failed() {
		n := min(100, len(stacks))
		compareStacks(t, stacks[:n], handler, seen)
		stacks = stacks[n:]
	}
	t.Log(seen)
	for _, o := range []effect{made, dead, failed(0), failed(1), failed(4094), failed(4095), failed(int(unix.ENOSYS))} {
		if seen[o] < 10 {
			t.Errorf("%s was seen %d times", o, seen[o])
		}
	}
	if handler != nil && seen[trapped] < 10 {
		t.Errorf("%d traps were seen", seen[trapped])
	}
}

// mild returns a value of an action that the caller survives, with any data.
func mild(r *rand.Rand) uint32 {
	return pick(r, []uint32{RetErrno, RetErrno, RetErrno, RetUserNotif, RetTrace, RetLog, RetAllow}) | r.Uint32()&pick(r, []uint32{0xfff, RetData})
}

// compareStacks makes one call under each stack of filters and holds its
// effect against Compose.
func compareStacks(t *testing.T, stacks [][]uint32, handler []byte, seen map[effect]int) {
	t.Helper()
	b := newBench(t)
	type try struct {
		data  Data
		loads []child.Step
		stack []Program
		call  child.Step
	}
	tries := make([]try, len(stacks))
	for i, values := range stacks {
		tr := &tries[i]
		tr.data = Data{NR: constantCall, Arch: nativeArch(), Args: [6]uint64{schedFIFO}}
		b.handleTraps(handler)
		for k, v := range values {
			tr.stack = append(tr.stack, argumentFilter(k+1))
			tr.data.Args[k+1] = uint64(v)
			// Filters stay, so the next stack needs a child of its own.
			tr.loads = append(tr.loads, b.load(tr.stack[k], child.Spends))
		}
		tr.call = b.enter(&tr.data, 0)
		b.End()
	}
	b.run(func() {
		for i, tr := range tries {
			for k, s := range tr.loads {
				b.loaded(s, tr.stack[k])
			}
			ret, filter := Compose(tr.stack, &tr.data)
			want, got := predicted(ret, handler != nil), observed(b.Outcome(tr.call))
			seen[got]++
			if got != want {
				t.Errorf("stack %#x: %s, want %s: %#x of filter %d; %+v", stacks[i], got, want, ret, filter, b.Outcome(tr.call))
			}
		}
	})
}

// Whole programs, which see every call of a child and return whatever they
// return, do to it what Run says: A and X are 0 when they begin.
func TestReturnsAsTheKernel(t *testing.T) {
	needKernel(t)
	ip := instructionPointer(t)
	r := randomSource(3)
	seen := map[effect]int{}
	for range 6 {
		compareWhole(t, r, ip, seen)
	}
	t.Log(seen)
	for _, o := range []effect{made, dead, failed(int(unix.ENOSYS))} {
		if seen[o] < 30 {
			t.Errorf("%s was seen %d times", o, seen[o])
		}
	}
}

// compareWhole holds some programs against Run, each in a child of its own.
func compareWhole(t *testing.T, r *rand.Rand, ip uint64, seen map[effect]int) {
	t.Helper()
	b := newBench(t)
	type try struct {
		program Program
		data    [2]Data
		load    child.Step
		calls   [2]child.Step
	}
	var tries []try
	for range 100 {
		var tr try
		for k, c := range [][]call{randomCalls(r, constantCall, ip), randomCalls(r, constantCall, ip)} {
			tr.data[k] = c[0].data
			tr.data[k].Args[0] = tr.data[k].Args[0]&^0xffffffff | schedFIFO
		}
		tr.program = wholeProgram(r, tr.data[0].words())
		tr.load = b.load(tr.program, child.Spends)
		for k := range tr.data {
			tr.calls[k] = b.enter(&tr.data[k], 0)
		}
		b.End()
		tries = append(tries, tr)
	}
	b.run(func() {
		for _, tr := range tries {
			b.loaded(tr.load, tr.program)
			for k := range tr.data {
				ret := tr.program.Run(&tr.data[k])
				want, got := predicted(ret, false), observed(b.Outcome(tr.calls[k]))
				seen[got]++
				if got != want {
					t.Errorf("%s, want %s, %#x; %+v\n%s%+v", got, want, ret, b.Outcome(tr.calls[k]), text(tr.program), tr.data[k])
				}
				if got == dead {
					break
				}
			}
		}
	})
}

// wholeProgram returns a short program whose values are often known actions:
// some of its returns are constants, and the last one has its high bits set so.
// It begins, now and then, by using what A and X hold already.
func wholeProgram(r *rand.Rand, data []uint32) Program {
	body, _ := generate(r, 12, data)
	head := pick(r, []Program{nil, {{Code: opTax}}, {{Code: opAddX}, {Code: opXorK, K: RetErrno}}, {{Code: opJeqX, K: 1, JF: 1}, {Code: opRetK, K: RetErrno | 3}}})
	tail := Program{{Code: opAndK, K: r.Uint32() & RetData}, {Code: opOrK, K: pick(r, someReturns)}, {Code: opRetA}}
	p := append(append(Program{}, head...), body[:len(body)-1]...)
	for i, in := range p {
		if in.Code == opRetA && r.IntN(2) == 0 {
			p[i] = Instruction{Code: opRetK, K: pick(r, someReturns)}
		}
	}
	if p = append(p, tail...); p.Validate() != nil {
		return wholeProgram(r, data)
	}
	return p
}
