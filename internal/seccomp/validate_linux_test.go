package seccomp

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// gate asks the kernel whether it would load a filter, and loads none: a thread
// that has a listener already is refused a second one, with EBUSY, and that
// after the filter was looked at. The thread is the caller's, which stays
// locked to it and takes it along when it ends.
type gate struct {
	t               testing.TB
	asked, accepted int
}

// openGate makes the calling thread a gate.
func openGate(t testing.TB) *gate {
	t.Helper()
	needKernel(t)
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal("prctl(PR_SET_NO_NEW_PRIVS):", err)
	}
	fd, errno := loadWithListener(Program{{Code: opRetK, K: RetAllow}})
	if errno == unix.EINVAL {
		skip(t, "this kernel knows no listeners, Linux 5.0")
	}
	if errno != 0 {
		t.Fatal("seccomp(2):", errno)
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	g := &gate{t: t}
	if !g.loads(Program{{Code: opRetK, K: RetAllow}}) {
		t.Fatal("the kernel refuses the simplest filter")
	}
	return g
}

// loadWithListener loads a filter on the calling thread.
func loadWithListener(p Program) (int, unix.Errno) {
	raw := p.Encode()
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(raw)))}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(raw)
	return int(fd), errno
}

// loads says whether the kernel would load the program.
func (g *gate) loads(p Program) bool {
	g.t.Helper()
	g.asked++
	switch fd, errno := loadWithListener(p); errno {
	case unix.EBUSY:
		g.accepted++
		return true
	case unix.EINVAL:
	default:
		g.t.Fatalf("seccomp(2): %d, %v", fd, errno)
	}
	return false
}

// compare ends the test where Validate and the kernel disagree.
func (g *gate) compare(p Program) {
	g.t.Helper()
	err := p.Validate()
	if loads := g.loads(p); loads != (err == nil) {
		g.t.Fatalf("the kernel would load it: %v; Validate: %v\n%s", loads, err, text(p))
	}
	var invalid *InvalidError
	if err != nil && (!errors.As(err, &invalid) || invalid.Offset >= len(p) || invalid.Why == "") {
		g.t.Fatalf("%#v", err)
	}
}

// done logs the numbers and wants both answers among them.
func (g *gate) done(atLeast int) {
	g.t.Helper()
	g.t.Logf("%d programs, of which the kernel would load %d", g.asked, g.accepted)
	if g.asked < atLeast || g.accepted < atLeast/50 || g.accepted > g.asked*49/50 {
		g.t.Error("the programs are too alike to prove much")
	}
}

// at returns a program of returns with one instruction put in.
func at(position, length int, in Instruction) Program {
	p := slices.Repeat(Program{{Code: opRetK, K: RetAllow}}, length)
	p[position] = in
	return p
}

// stored is the start of a program that may load all of the scratch memory.
func stored() Program {
	var p Program
	for k := range uint32(scratchWords) {
		p = append(p, Instruction{Code: opSt, K: k})
	}
	return p
}

// Every code there can be.
func TestValidateCodesAsTheKernel(t *testing.T) {
	g := openGate(t)
	for code := range short(1 << 16) {
		// A multiple of four, a divisor, a shift, a word of memory, a jump.
		in := Instruction{Code: uint16(code), K: 4}
		g.compare(slices.Concat(stored(), at(0, 6, in)))
		if code < len(forms) {
			g.compare(slices.Concat(stored(), at(5, 6, in)))
		}
	}
	want := 1 + 2 // the gate's own, and the two returns at the end
	for code := range forms {
		if forms[code] != formUnknown {
			want++
		}
	}
	if g.accepted != want {
		t.Errorf("the kernel would load %d of %d programs, not %d", g.accepted, g.asked, want)
	}
}

// Every code of one byte with all sorts of operands, at all sorts of places.
func TestValidateOperandsAsTheKernel(t *testing.T) {
	g := openGate(t)
	operands := slices.Concat(edges, []uint32{5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 28, 29, 34, 48, 56, 59, 60, 61, 62, 68, 96, 128,
		0xfffff000, 0xfffff004, 0xfffff034, 0xfff00000, 0xffe00000, 0x80000004})
	for code := range uint16(len(forms)) {
		if code&classMask == classJmp {
			jumpsAsTheKernel(g, code)
		}
		for _, k := range operands {
			for _, head := range []Program{nil, stored()} {
				g.compare(slices.Concat(head, at(0, 8, Instruction{Code: code, K: k, JT: uint8(k % 3)})))
			}
		}
	}
	g.done(20000)
}

// jumpsAsTheKernel tries targets about the end of a program, and far outside.
func jumpsAsTheKernel(g *gate, code uint16) {
	for position := range 4 {
		for _, jt := range []uint8{0, 1, 2, 3, 4, 254, 255} {
			for _, jf := range []uint8{0, 1, 2, 3, 4, 254, 255} {
				g.compare(at(position, 4, Instruction{Code: code, JT: jt, JF: jf, K: uint32(jt)}))
			}
		}
		for _, k := range []uint32{0x7ffffffc, 0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff} {
			g.compare(at(position, 4, Instruction{Code: code, K: k}))
		}
	}
}

// Every length about the bounds, and how far a jump can go: the kernel makes
// five instructions of its own of a division by X, and jumps over those.
func TestValidateLengthsAsTheKernel(t *testing.T) {
	g := openGate(t)
	for _, n := range []int{0, 1, 2, 3, 255, 256, 257, 4094, 4095, 4096, 4097, 8192, 65535} {
		for _, code := range []uint16{opLdAbs, opDivX, opTax, opJeqX, opJeqK, opRetA} {
			p := slices.Repeat(Program{{Code: code, K: 0x80000000 * uint32(code&1)}}, n)
			g.compare(p)
			if n == 0 {
				continue
			}
			p[n-1] = Instruction{Code: opRetK}
			g.compare(p)
			for _, k := range []int{n - 3, n - 2, n - 1, n} {
				p[0] = Instruction{Code: opJa, K: uint32(k)}
				g.compare(p)
			}
		}
	}
	t.Logf("%d programs, of which the kernel would load %d", g.asked, g.accepted)
}

// Programs at random, some of them valid, and valid ones with bits turned.
func TestValidateRandomAsTheKernel(t *testing.T) {
	g := openGate(t)
	r := randomSource(4)
	for range short(8000) {
		g.compare(attempt(r, 1+r.IntN(20), nil))
		g.compare(scratchProgram(r))
		p, _ := generate(r, 30, nil)
		g.compare(mutate(r, p))
	}
	g.done(short(24000))
}

// scratchProgram returns little but stores, loads and branches among them.
func scratchProgram(r *rand.Rand) Program {
	n := 4 + r.IntN(24)
	var p Program
	for len(p) < n {
		left := n - len(p)
		in := Instruction{Code: pick(r, []uint16{opSt, opSt, opStx, opLdMem, opLdxMem, opJeqK, opJsetX, opJa, opRetA}), K: uint32(r.IntN(3))}
		switch in.form() {
		case formBranchK, formBranchX:
			in.JT, in.JF = uint8(r.IntN(min(left, 5))), uint8(r.IntN(min(left, 5)))
		case formJump:
			in.K = uint32(r.IntN(min(left, 3)))
		}
		if in.form() == formLoad && r.IntN(2) == 0 {
			continue
		}
		p = append(p, in)
	}
	return append(p, Instruction{Code: opRetA})
}

// What Validate says names the instruction.
func TestInvalidError(t *testing.T) {
	for _, c := range []struct {
		p    Program
		want string
	}{
		{nil, "seccomp: invalid filter: 0 instructions, not 1 to 4096"},
		{at(1, 2, Instruction{Code: opTax}), "seccomp: invalid filter: instruction 1: the last instruction is not a return"},
		{at(0, 2, Instruction{Code: 0x94, K: 1}), "seccomp: invalid filter: instruction 0: code 0x94 is none that seccomp takes"},
		{at(0, 2, Instruction{Code: opLdAbs, K: 64}), "seccomp: invalid filter: instruction 0: loads from offset 64 of seccomp_data"},
		{at(1, 3, Instruction{Code: opLdMem, K: 2}), "seccomp: invalid filter: instruction 1: loads scratch memory word 2, which may not be stored"},
		{at(0, 2, Instruction{Code: opJa, K: 1}), "seccomp: invalid filter: instruction 0: jumps out of the program"},
	} {
		err := c.p.Validate()
		if err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if _, err := Decode(make([]byte, 12)); !errors.Is(err, ErrLength) || err.Error() != ErrLength.Error()+": "+strconv.Itoa(12)+" bytes" {
		t.Error(err)
	}
}
