package seccomp

import (
	"testing"
	"time"
)

// Short forms for programs by hand.
func ld(k uint32) Instruction               { return Instruction{Code: opLdAbs, K: k} }
func ret(k uint32) Instruction              { return Instruction{Code: opRetK, K: k} }
func st(k uint32) Instruction               { return Instruction{Code: opSt, K: k} }
func ldm(k uint32) Instruction              { return Instruction{Code: opLdMem, K: k} }
func alu(code uint16, k uint32) Instruction { return Instruction{Code: code, K: k} }
func jump(code uint16, k uint32, jt, jf uint8) Instruction {
	return Instruction{code, jt, jf, k}
}

// low and high are where a filter finds an argument.
func low(arg uint32) uint32  { return offsetArgs + 8*arg }
func high(arg uint32) uint32 { return offsetArgs + 8*arg + 4 }

// onlyFor returns a program that allows all but one number, for which it does
// what the instructions do.
func onlyFor(nr uint32, body Program) Program {
	return append(Program{ld(offsetNR), jump(opJeqK, nr, 1, 0), ret(RetAllow)}, body...)
}

// bitwise tests bits of arguments in turn, and makes of each answer what mix
// says, so that with a good mix no two paths are alike.
func bitwise(bits int, mix Instruction) Program {
	p := Program{alu(opLdImm, 0), st(0)}
	for i := range bits {
		p = append(p, ld(low(uint32(i/32%6))), jump(opJsetK, 1<<(i%32), 0, 3), ldm(0), mix, st(0), ldm(0), alu(opMulK, 3), st(0))
	}
	return append(p, ldm(0), alu(opAndK, RetAllow|1), Instruction{Code: opRetA})
}

// hostile are programs that are made to take long.
var hostile = []struct {
	name string
	make func() []Program
	// undecided says whether number 1 must be.
	undecided bool
}{
	{"each bit of every argument", func() []Program { return []Program{onlyFor(1, bitwise(190, alu(opAddK, 1)))} }, true},
	{"each bit, in every number", func() []Program { return []Program{bitwise(500, alu(opAddK, 7))} }, true},
	{"each bit, in eight filters", func() []Program {
		var stack []Program
		for i := range 8 {
			stack = append(stack, bitwise(500, alu(opXorK, uint32(i)+1)))
		}
		return stack
	}, true},
	{"bits that are merely counted", func() []Program {
		p := Program{alu(opLdImm, 0), st(0)}
		for i := range 32 {
			p = append(p, ld(low(0)), jump(opJsetK, 1<<i, 0, 3), ldm(0), alu(opAddK, 1), st(0))
		}
		return []Program{append(p, ldm(0), jump(opJeqK, 33, 1, 0), ret(RetErrno|1), ret(RetAllow))}
	}, false},
	{"four thousand values with returns of their own", func() []Program {
		p := Program{ld(low(1))}
		for i := range uint32(2000) {
			p = append(p, jump(opJeqK, 7*i, 0, 1), ret(RetErrno|i))
		}
		return []Program{append(p, ret(RetAllow))}
	}, true},
	{"a thousand values with three returns", func() []Program {
		p := Program{ld(low(1))}
		for i := range uint32(1000) {
			p = append(p, jump(opJeqK, 7*i, 0, 1), ret(RetErrno|i%2+1))
		}
		return []Program{append(p, ret(RetAllow))}
	}, false},
	{"masks without end", func() []Program {
		r := randomSource(5)
		p := Program{ld(low(1))}
		for range 150 {
			p = append(p, jump(opJsetK, r.Uint32()|r.Uint32(), 1, 0), ret(RetErrno|r.Uint32()&3))
		}
		return []Program{append(p, ret(RetAllow))}
	}, false},
	{"equations of masks", func() []Program {
		r := randomSource(6)
		var p Program
		for range 1000 {
			mask := r.Uint32() & r.Uint32()
			p = append(p, ld(low(r.Uint32()&1)), alu(opAndK, mask), jump(opJeqK, mask&r.Uint32(), 0, 1), ret(RetErrno|r.Uint32()&3))
		}
		return []Program{append(p, ret(RetAllow))}
	}, true},
	{"six thousand filters", func() []Program {
		stack := make([]Program, 6500)
		for i := range stack {
			stack[i] = Program{ret(RetAllow)}
		}
		return stack
	}, false},
	{"two thousand filters with arguments", func() []Program {
		stack := make([]Program, 2000)
		for i := range stack {
			stack[i] = Program{ld(low(uint32(i % 6))), jump(opJeqK, uint32(i), 1, 0), ret(RetAllow), ret(RetErrno | uint32(i)%4)}
		}
		return stack
	}, true},
	{"eight long filters of numbers", func() []Program {
		var stack []Program
		for i := range uint32(8) {
			p := Program{ld(offsetNR)}
			for j := range uint32(2000) {
				p = append(p, jump(opJeqK, 8*j+i, 0, 1), ret(RetErrno|j))
			}
			stack = append(stack, append(p, ret(RetAllow)))
		}
		return stack
	}, false},
	{"low bits of the number", func() []Program {
		p := Program{ld(offsetNR)}
		for i := range uint32(2000) {
			p = append(p, jump(opJsetK, 1<<(i%32)|1<<(i%7), 0, 1), ret(RetErrno|i%5))
		}
		return []Program{append(p, ret(RetAllow))}
	}, false},
	{"the number halved again and again, and then computed with", func() []Program {
		p := Program{ld(offsetNR)}
		for i := range 600 {
			p = append(p, jump(opJgeK, uint32(i)<<20, 0, 1), alu(opLdxImm, uint32(i)))
		}
		for i := range uint32(800) {
			p = append(p, alu(opAddK, i), alu(opXorK, 3*i), jump(opJsetK, i, 0, 0))
		}
		return []Program{append(p, Instruction{Code: opRetA})}
	}, false},
	{"a number that doubles", func() []Program {
		p := Program{ld(low(0))}
		for range 2000 {
			p = append(p, Instruction{Code: opTax}, Instruction{Code: opAddX})
		}
		return []Program{append(p, jump(opJeqK, 5, 0, 1), ret(RetErrno), ret(RetAllow))}
	}, true},
	{"a test of its own for each number", func() []Program {
		var p Program
		for i := range uint32(400) {
			p = append(p, ld(offsetNR), jump(opJeqK, i, 0, 5), ld(low(i%6)), jump(opJsetK, i, 0, 3), ld(high(i%5)), jump(opJgtK, i, 0, 1), ret(RetErrno|i))
		}
		return []Program{append(p, ret(RetAllow))}
	}, false},
	{"every number bit by bit", func() []Program {
		p := Program{ld(offsetNR), jump(opJeqK, 0, 0, 0)}
		return []Program{append(append(p, ld(offsetNR), st(1)), bitwise(500, Instruction{Code: opLdMem, K: 1})...)}
	}, true},
}

// TestHostileFilters runs against programs that want the evaluation to take
// forever, or to give up in silence.
func TestHostileFilters(t *testing.T) {
	a := abi(t, "x86-64")
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			stack := h.make()
			for i, p := range stack {
				if err := p.Validate(); err != nil {
					t.Fatalf("filter %d: %v", i, err)
				}
			}
			start := time.Now()
			ranges := Evaluate(stack, a, Options{})
			took := time.Since(start)
			t.Logf("%v, %d ranges", took.Round(time.Microsecond), len(ranges))
			if took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			checkCover(t, ranges, a)
			one, _ := find(ranges, 1)
			undecided := false
			for _, w := range one.Ways {
				undecided = undecided || w.Undecided != ""
			}
			if undecided != h.undecided {
				t.Errorf("number 1: %.300s", one.Summary)
			}
			r := randomSource(9)
			for range 200 {
				d := randomCall(r, a, interestingFor(r, a))
				compareOne(t, stack, ranges, &d)
			}
		})
	}
}
