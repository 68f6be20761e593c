package seccomp

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// skip leaves a test out for the reason given. Where SELFAUDIT_NO_SKIP=1 asks
// for all tests and we are root, that is a failure.
func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("SELFAUDIT_NO_SKIP") == "1" && os.Geteuid() == 0 {
		t.Fatal("must not be skipped: " + reason)
	}
	t.Skip(reason)
}

// needKernel leaves a test out where the kernel's answers cannot be asked for.
func needKernel(t testing.TB) {
	t.Helper()
	if len(names.ABIs(runtime.GOARCH)) == 0 {
		skip(t, "no AUDIT_ARCH_* is known for "+runtime.GOARCH)
	}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err != nil {
		skip(t, "prctl(PR_GET_SECCOMP): "+err.Error())
	}
	if mode != 0 {
		skip(t, "the tests run under a seccomp filter of somebody else's")
	}
}

// nativeArch is AUDIT_ARCH_* of this program.
func nativeArch() uint32 { return names.ABIs(runtime.GOARCH)[0].Audit }

// bench is a program of a child: loads of filters and calls under them.
type bench struct {
	*child.Program
	t    testing.TB
	used int
}

// newBench returns an empty bench.
func newBench(t testing.TB) *bench {
	t.Helper()
	p, err := child.New()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Program: p, t: t, used: int(p.Next())}
}

// roomFor says whether a filter and calls still fit into a child's program.
func (b *bench) roomFor(p Program, calls int) bool {
	const data, steps = 30 << 10, 1000
	return b.used+len(p)*instructionSize+16 <= data && int(b.Next())+calls+2 <= steps
}

// load appends the calls that load a filter on the child.
func (b *bench) load(p Program, flags child.Flags) child.Step {
	code := b.Bytes(p.Encode())
	const word = int(unix.SizeofPtr)
	fprog := make([]byte, 2*word)
	binary.NativeEndian.PutUint16(fprog, uint16(len(p)))
	if word == 8 {
		binary.NativeEndian.PutUint64(fprog[word:], uint64(b.Addr(code).Value()))
	} else {
		binary.NativeEndian.PutUint32(fprog[word:], uint32(b.Addr(code).Value()))
	}
	b.used += len(p)*instructionSize + 2*word
	b.Call(uint32(unix.SYS_PRCTL), 0, child.Int(unix.PR_SET_NO_NEW_PRIVS), child.Int(1), child.Int(0), child.Int(0), child.Int(0))
	return b.Call(uint32(unix.SYS_SECCOMP), child.Need|flags, child.Int(unix.SECCOMP_SET_MODE_FILTER), child.Int(0), b.Addr(b.Bytes(fprog)))
}

// enter appends the call that a filter is to see as d.
func (b *bench) enter(d *Data, flags child.Flags) child.Step {
	args := make([]child.Arg, len(d.Args))
	for i, a := range d.Args {
		args[i] = child.Int(int(a))
	}
	return b.Call(d.NR, flags, args...)
}

// run runs what was appended, and closes the bench when the test is done with it.
func (b *bench) run(read func()) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	err := b.Program.Run(ctx, child.Options{})
	if err == nil {
		read()
	}
	if cerr := b.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// loaded ends the test where a filter was refused.
func (b *bench) loaded(s child.Step, p Program) {
	b.t.Helper()
	if o := b.Outcome(s); !o.OK() {
		b.t.Fatalf("the kernel refused a filter: %+v\n%s", o, text(p))
	}
}

// killed says that the call, both times that it was tried, ended the child with
// SIGSYS.
func killed(o child.Outcome) bool {
	return !o.Made && o.Signal == syscall.SIGSYS && o.Repeated
}

// errnoOf returns the errno of a call. Go takes the greatest one, 4095, for a
// result.
func errnoOf(o child.Outcome) int {
	if o.Errno == 0 && o.Ret == ^uintptr(maxErrno)+1 {
		return maxErrno
	}
	return int(o.Errno)
}

// instructionPointer returns the address that filters see for the calls of a
// bench. The kernel tells: a filter returns its two halves.
func instructionPointer(t testing.TB) uint64 {
	t.Helper()
	b := newBench(t)
	var steps [2][slices32]child.Step
	for half := range steps {
		nr := uint32(1000 + half)
		p, _ := wrap(Program{{Code: opLdAbs, K: uint32(offsetIP + 4*half)}, {Code: opRetA}}, nr)
		b.load(p, 0)
		for s := range slices32 {
			steps[half][s] = b.enter(&Data{NR: nr, Args: [6]uint64{5: uint64(s)}}, 0)
		}
	}
	var raw [8]byte
	b.run(func() {
		for half, calls := range steps {
			word := uint32(0)
			for s, step := range calls {
				word |= uint32(errnoOf(b.Outcome(step))) &^ sliceMark << (sliceBits * s)
			}
			binary.NativeEndian.PutUint32(raw[4*half:], word)
		}
	})
	ip := binary.NativeEndian.Uint64(raw[:])
	if ip == 0 {
		t.Fatal("the kernel told no instruction pointer")
	}
	return ip
}

// text is the program as a failure prints it.
func text(p Program) string {
	var w textWriter
	if err := Disassemble(&w, p, names.ABIs(runtime.GOARCH)); err != nil {
		return err.Error()
	}
	return string(w)
}

type textWriter []byte

func (w *textWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// addressOf returns where memory is that does not move.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
