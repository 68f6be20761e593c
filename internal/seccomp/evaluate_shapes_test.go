package seccomp

import (
	"strings"
	"testing"
)

// shapes are what compilers of filters and people write, each with what it must
// read like for one number.
var shapes = []struct {
	name    string
	abi     string
	nr      uint32
	program Program
	want    string
}{
	{"one value", "x86-64", 135, Program{ld(low(0)), jump(opJeqK, 8, 0, 3), ld(high(0)), jump(opJeqK, 0, 0, 1), ret(RetAllow), ret(RetErrno | 1)},
		"allowed if arg0 == 8 (else ERRNO EPERM)"},
	{"high word first, two values of one high word, as Chromium tests them", "x86-64", 16,
		Program{ld(high(1)), jump(opJeqK, 0, 0, 4), ld(low(1)), jump(opJeqK, 0x5401, 1, 0), jump(opJeqK, 0x5413, 0, 1), ret(RetAllow), ret(RetTrap | 5)},
		"allowed if arg1 == 0x5401 || arg1 == 0x5413 (else TRAP)"},
	{"flags by JSET on both words, as minijail does", "x86-64", 10,
		Program{ld(high(2)), jump(opJsetK, 0, 2, 0), ld(low(2)), jump(opJsetK, 4, 0, 1), ret(RetKillThread), ret(RetAllow)},
		"allowed unless arg2 & 0x4 (else KILL_THREAD)"},
	{"only these flags, as minijail's in", "x86-64", 9,
		Program{ld(high(2)), jump(opJsetK, 0xffffffff, 3, 0), ld(low(2)), jump(opJsetK, 0xfffffffc, 1, 0), ret(RetAllow), ret(RetKillProcess)},
		"allowed unless arg2 & 0xfffffffffffffffc (else KILL_PROCESS)"},
	{"less than, with JGE and swapped branches, as kafel does", "x86-64", 0,
		Program{ld(high(2)), jump(opJgtK, 1, 4, 0), jump(opJeqK, 1, 0, 2), ld(low(2)), jump(opJgeK, 0x80, 1, 0), ret(RetAllow), ret(RetErrno | 22)},
		"allowed if arg2 < 0x100000080 (else ERRNO EINVAL)"},
	{"equal before greater", "x86-64", 0,
		Program{ld(high(2)), jump(opJeqK, 1, 0, 2), ld(low(2)), jump(opJgeK, 0x80, 1, 2), jump(opJgtK, 1, 0, 1), ret(RetErrno | 22), ret(RetAllow)},
		"allowed if arg2 < 0x100000080 (else ERRNO EINVAL)"},
	{"greater or equal before equal", "x86-64", 0,
		Program{ld(high(2)), jump(opJgeK, 1, 0, 4), jump(opJeqK, 1, 0, 2), ld(low(2)), jump(opJgeK, 0x80, 0, 1), ret(RetErrno | 22), ret(RetAllow)},
		"allowed if arg2 < 0x100000080 (else ERRNO EINVAL)"},
	{"two flags together", "x86-64", 9,
		Program{ld(low(2)), alu(opAndK, 6), jump(opJeqK, 6, 0, 1), ret(RetErrno | 13), ret(RetAllow)},
		"allowed unless arg2 & 0x6 == 0x6 (else ERRNO EACCES)"},
	{"a field shifted down", "x86-64", 16,
		Program{ld(low(1)), alu(opRshK, 8), alu(opAndK, 0xff), jump(opJeqK, 0x54, 0, 1), ret(RetErrno | 25), ret(RetAllow)},
		"allowed unless arg1 & 0xff00 == 0x5400 (else ERRNO ENOTTY)"},
	{"a range", "x86-64", 41, Program{ld(low(1)), jump(opJgeK, 10, 0, 2), jump(opJgtK, 99, 1, 0), ret(RetAllow), ret(RetLog)},
		"allowed if low32(arg1) >= 10 && low32(arg1) < 100 (else logged)"},
	{"a range that nothing is in", "x86-64", 41, Program{ld(low(1)), jump(opJgeK, 10, 0, 2), jump(opJgeK, 5, 1, 0), ret(RetAllow), ret(RetErrno | 1)},
		"denied (ERRNO EPERM)"},
	{"a value outside a range", "x86-64", 41, Program{ld(low(1)), jump(opJgtK, 10, 0, 2), jump(opJeqK, 5, 0, 1), ret(RetAllow), ret(RetErrno | 1)},
		"denied (ERRNO EPERM)"},
	{"all values of a range", "x86-64", 41, Program{ld(low(1)), jump(opJgeK, 5, 0, 4), jump(opJgtK, 6, 3, 0), jump(opJeqK, 5, 2, 0), jump(opJeqK, 6, 1, 0), ret(RetAllow), ret(RetErrno | 1)},
		"denied (ERRNO EPERM)"},
	{"bits beyond a range", "x86-64", 41, Program{ld(low(1)), jump(opJgtK, 0xff, 2, 0), jump(opJsetK, 0x100, 0, 1), ret(RetAllow), ret(RetErrno | 1)},
		"denied (ERRNO EPERM)"},
	{"the low word alone", "x86-64", 41, Program{ld(low(0)), jump(opJeqK, 2, 0, 1), ret(RetAllow), ret(RetErrno | 97)},
		"allowed if low32(arg0) == 2 (else ERRNO EAFNOSUPPORT)"},
	{"the high word alone", "x86-64", 41, Program{ld(high(0)), jump(opJeqK, 2, 0, 1), ret(RetAllow), ret(RetErrno | 97)},
		"allowed if high32(arg0) == 2 (else ERRNO EAFNOSUPPORT)"},
	{"on 32 bits the low word is the argument", "i386", 102, Program{ld(low(0)), jump(opJeqK, 1, 0, 1), ret(RetAllow), ret(RetErrno | 1)},
		"allowed if arg0 == 1 (else ERRNO EPERM)"},
	{"a caller of int 0x80 chooses high words", "i386", 102, Program{ld(high(0)), jump(opJeqK, 0, 1, 0), ret(RetAllow), ret(RetErrno | 1)},
		"allowed if high32(arg0) != 0 (else ERRNO EPERM)"},
	{"arm has none", "arm", 102, Program{ld(high(0)), jump(opJeqK, 0, 1, 0), ret(RetAllow), ret(RetErrno | 1)},
		"denied (ERRNO EPERM)"},
	{"where the call is made", "x86-64", 1, Program{ld(offsetIP + 4), jump(opJeqK, 0x7fff, 0, 3), ld(offsetIP), jump(opJgeK, 0xf0000000, 0, 1), ret(RetAllow), ret(RetKillProcess)},
		"allowed if high32(instruction pointer) == 0x7fff && instruction pointer >= 0x7ffff0000000 (else KILL_PROCESS)"},
	{"one argument against another", "x86-64", 1, Program{ld(low(0)), {Code: opTax}, ld(low(1)), jump(opJeqX, 0, 1, 0), jump(opJgtX, 0, 0, 1), ret(RetAllow), ret(RetErrno | 1)},
		"allowed if low32(arg1) == low32(arg0) || low32(arg0) < low32(arg1) (else ERRNO EPERM)"},
	{"through scratch memory", "x86-64", 1, Program{ld(low(3)), st(2), alu(opLdImm, 7), {Code: opLdxMem, K: 2}, {Code: opTxa}, jump(opJeqK, 7, 0, 1), ret(RetTrace | 3), ret(RetUserNotif)},
		"left to a tracer if low32(arg3) == 7 (else left to a supervisor)"},
	{"the number through scratch memory and X", "x86-64", 59, Program{ld(offsetNR), st(1), ld(low(0)), {Code: opLdxMem, K: 1}, {Code: opTxa}, jump(opJeqK, 59, 0, 1), ret(RetErrno), ret(RetAllow)},
		"denied (ERRNO 0)"},
	{"arithmetic on the number", "x86-64", 59, Program{ld(offsetNR), alu(opSubK, 50), alu(opMulK, 3), jump(opJeqK, 27, 0, 1), ret(RetErrno | 1), ret(RetAllow)},
		"denied (ERRNO EPERM)"},
	{"a table of returns by the number", "x86-64", 3, Program{ld(offsetNR), alu(opAndK, 3), alu(opOrK, RetErrno), {Code: opRetA}},
		"denied (ERRNO ESRCH)"},
	{"any x32 number by its bit", "x32", 0x40000001, Program{ld(offsetNR), jump(opJsetK, 0x40000000, 0, 1), ret(RetKillProcess), ret(RetAllow)},
		"denied (KILL_PROCESS)"},
	{"and its negative, which x86-64 has too", "x86-64", 0x80000001, Program{ld(offsetNR), jump(opJgtK, 0x3fffffff, 0, 1), ret(RetKillProcess), ret(RetAllow)},
		"denied (KILL_PROCESS)"},
	{"no architecture check", "i386", 11, Program{ld(offsetNR), jump(opJeqK, 59, 0, 1), ret(RetErrno | 1), ret(RetAllow)}, "allowed"},
	{"another architecture", "i386", 11, Program{ld(offsetArch), jump(opJeqK, 0xc000003e, 1, 0), ret(RetKillProcess), ret(RetAllow)}, "denied (KILL_PROCESS)"},
	{"its length", "x86-64", 11, Program{{Code: opLdLen}, jump(opJeqK, 64, 0, 1), ret(RetErrno | 1), ret(RetAllow)}, "denied (ERRNO EPERM)"},
	{"few values returned", "x86-64", 11, Program{ld(low(0)), alu(opAndK, 1), alu(opOrK, RetErrno), {Code: opRetA}},
		"denied (ERRNO 0) unless arg0 & 0x1 (else ERRNO EPERM)"},
	{"any value returned", "x86-64", 11, Program{ld(low(0)), {Code: opRetA}}, "undecided: " + undecidedValue},
	{"any value returned under one flag", "x86-64", 11, Program{ld(low(0)), jump(opJsetK, 2, 0, 1), {Code: opRetA}, ret(RetAllow)},
		"allowed unless arg0 & 0x2 (else undecided)"},
	{"a division by what may be 0", "x86-64", 11, Program{ld(low(0)), {Code: opTax}, alu(opLdImm, 100), {Code: opDivX}, jump(opJgtK, 9, 0, 1), ret(RetErrno | 1), ret(RetAllow)},
		"allowed if low32(arg0) != 0 && (100 / low32(arg0)) < 10; denied (KILL_THREAD) if low32(arg0) == 0; else denied (ERRNO EPERM)"},
	{"a value that cannot be", "x86-64", 11, Program{ld(low(0)), alu(opAndK, 0xf0), jump(opJeqK, 0xf1, 0, 1), ret(RetKillProcess), ret(RetAllow)}, "allowed"},
	{"two values at once", "x86-64", 11, Program{ld(low(0)), jump(opJeqK, 1, 0, 3), ld(low(0)), jump(opJeqK, 2, 0, 1), ret(RetAllow), ret(RetErrno | 1)}, "denied (ERRNO EPERM)"},
	{"an action without a name", "x86-64", 11, Program{ret(0x12340001)}, "denied (KILL_PROCESS)"},
	{"three outcomes", "x86-64", 11, Program{ld(low(0)), jump(opJeqK, 1, 1, 0), jump(opJeqK, 2, 1, 2), ret(RetAllow), ret(RetTrap), ret(RetErrno | 1)},
		"allowed if low32(arg0) == 1; denied (TRAP) if low32(arg0) == 2; else denied (ERRNO EPERM)"},
}

func TestShapes(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			if err := s.program.Validate(); err != nil {
				t.Fatal(err)
			}
			a := abi(t, s.abi)
			stack := []Program{s.program}
			ranges := Evaluate(stack, a, Options{})
			checkCover(t, ranges, a)
			r, ok := find(ranges, s.nr)
			if !ok {
				t.Fatal("no range")
			}
			if r.Summary != s.want {
				t.Errorf("got  %s\nwant %s", r.Summary, s.want)
			}
			random := randomSource(4)
			var asked []uint32
			for _, in := range s.program {
				asked = append(asked, in.K, in.K+1)
			}
			for range 300 {
				d := randomCall(random, a, asked)
				d.NR = s.nr
				compareOne(t, stack, ranges, &d)
			}
		})
	}
}

func TestNoFilter(t *testing.T) {
	for _, name := range allABIs {
		a := abi(t, name)
		ranges := Evaluate(nil, a, Options{})
		checkCover(t, ranges, a)
		for _, r := range ranges {
			if w := r.Ways[0]; len(r.Ways) != 1 || r.Summary != "allowed" || w.Ret != RetAllow || w.Filter != NoFilter || w.Offset != -1 || !w.Condition.Always() {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

// TestStack looks at which of several filters decides, and by which of its
// instructions.
func TestStack(t *testing.T) {
	deny := func(ret1 uint32) Program { return onlyFor(1, Program{ret(ret1)}) }
	onArg := onlyFor(1, Program{ld(low(0)), jump(opJeqK, 5, 0, 1), ret(RetErrno | 7), ret(RetAllow)})
	tests := []struct {
		name  string
		stack []Program
		want  []Way
	}{
		{"the newest of equals", []Program{deny(RetErrno | 1), deny(RetErrno | 2)}, []Way{{Ret: RetErrno | 2, Filter: 1, Offset: 3}}},
		{"the more severe", []Program{deny(RetTrap | 9), deny(RetErrno | 2)}, []Way{{Ret: RetTrap | 9, Filter: 0, Offset: 3}}},
		{"KILL_PROCESS is below KILL_THREAD", []Program{deny(RetKillProcess), deny(RetKillThread)}, []Way{{Ret: RetKillProcess, Filter: 0, Offset: 3}}},
		{"all allow", []Program{{ret(RetAllow)}, {ret(RetAllow | 5)}}, []Way{{Ret: RetAllow, Filter: 1, Offset: 0}}},
		{"one looks at an argument", []Program{onArg, {ret(RetAllow)}}, []Way{
			{Ret: RetAllow, Filter: 1, Offset: 0, When: "low32(arg0) != 5"}, {Ret: RetErrno | 7, Filter: 0, Offset: 5, When: "low32(arg0) == 5"}}},
		{"the other denies anyway", []Program{onArg, deny(RetKillThread)}, []Way{{Ret: RetKillThread, Filter: 1, Offset: 3}}},
		{"both do, one wins where both deny", []Program{onArg, onlyFor(1, Program{ld(low(0)), jump(opJgtK, 4, 0, 1), ret(RetTrap), ret(RetLog)})}, []Way{
			{Ret: RetLog, Filter: 1, Offset: 6, When: "low32(arg0) < 5"}, {Ret: RetTrap, Filter: 1, Offset: 5, When: "low32(arg0) >= 5"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _ := find(Evaluate(test.stack, abi(t, "x86-64"), Options{}), 1)
			if len(r.Ways) != len(test.want) {
				t.Fatalf("%+v", r.Ways)
			}
			for i, w := range test.want {
				got := r.Ways[i]
				if got.Ret != w.Ret || got.Filter != w.Filter || got.Offset != w.Offset || got.When != w.When {
					t.Errorf("got %+v, want %+v", got, w)
				}
			}
		})
	}
}

func TestMaxPaths(t *testing.T) {
	p := Program{ld(offsetNR), jump(opJeqK, 2, 1, 0), ret(RetAllow), ld(low(0))}
	for i := range uint32(10) {
		p = append(p, jump(opJeqK, 3*i, 0, 1), ret(RetErrno|1))
	}
	p = append(p, ret(RetAllow))
	for most, want := range map[int]bool{0: false, 11: false, 10: true, 3: true} {
		ranges := Evaluate([]Program{p}, abi(t, "x86-64"), Options{MaxPaths: most})
		for nr := range uint32(5) {
			r, _ := find(ranges, nr)
			if undecided := r.Ways[0].Undecided != ""; undecided != (want && nr == 2) {
				t.Errorf("at most %d: number %d: %s", most, nr, r.Summary)
			}
		}
	}
}

// TestWidths looks at the notes on arguments of which the kernel reads more or
// fewer bits than a filter compares.
func TestWidths(t *testing.T) {
	both := func(arg, v uint32, yes, no uint32) Program {
		return Program{ld(high(arg)), jump(opJeqK, 0, 0, 3), ld(low(arg)), jump(opJeqK, v, 0, 1), ret(yes), ret(no)}
	}
	lowOnly := func(code uint16, arg, v uint32, yes, no uint32) Program {
		return Program{ld(low(arg)), jump(code, v, 0, 1), ret(yes), ret(no)}
	}
	deny := uint32(RetErrno | 1)
	tests := []struct {
		name    string
		abi     string
		nr      uint32
		program Program
		want    string
	}{
		{"ioctl's command denied with 64 bits", "x86-64", 16, both(1, 0x5412, deny, RetAllow), "0x100005412 gets through, and means 0x5412"},
		{"ioctl's command allowed with 64 bits", "x86-64", 16, both(1, 0x5412, RetAllow, deny), ""},
		{"ioctl's command denied with 32 bits", "x86-64", 16, lowOnly(opJeqK, 1, 0x5412, deny, RetAllow), ""},
		{"personality denied with 64 bits", "x86-64", 135, both(0, 8, deny, RetAllow), "0x100000008 gets through, and means 0x8"},
		{"write's size with 32 bits", "x86-64", 1, lowOnly(opJeqK, 2, 16, RetAllow, deny), "0x100000010 is taken for 0x10"},
		{"write's size at most, with 32 bits", "x86-64", 1, lowOnly(opJgtK, 2, 16, deny, RetAllow), "0x100000010 is taken for 0x10"},
		{"write's size with 64 bits", "x86-64", 1, both(2, 16, RetAllow, deny), ""},
		{"clone's flags, of which the low ones matter", "x86-64", 56, lowOnly(opJsetK, 0, 0x7e020000, deny, RetAllow), ""},
		{"int 0x80 with high words", "i386", 54, both(1, 0x5412, deny, RetAllow), "0x100005412 gets through, and means 0x5412"},
		{"arm has no high words", "arm", 54, both(1, 0x5412, deny, RetAllow), ""},
		{"a mode of 16 bits", "x86-64", 90, lowOnly(opJeqK, 1, 0o4755, deny, RetAllow), "0x109ed gets through, and means 0x9ed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _ := find(Evaluate([]Program{test.program}, abi(t, test.abi), Options{}), test.nr)
			var notes []string
			for _, w := range r.Ways {
				notes = append(notes, w.Notes...)
			}
			got := strings.Join(notes, "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("%s: %q, want %q", r.Summary, got, test.want)
			}
		})
	}
}
