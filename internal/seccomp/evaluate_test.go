package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

var allABIs = []string{"x86-64", "x32", "i386", "arm64", "arm"}

// find returns the range that a number is in.
func find(ranges []Range, nr uint32) (*Range, bool) {
	i, ok := slices.BinarySearchFunc(ranges, nr, func(r Range, nr uint32) int {
		switch {
		case r.Last < nr:
			return -1
		case r.First > nr:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, false
	}
	return &ranges[i], true
}

// checkCover fails unless the ranges are the ABI's numbers, in order.
func checkCover(t *testing.T, ranges []Range, a names.ABI) {
	t.Helper()
	i := 0
	for _, sp := range numbersOf(a) {
		next := uint64(sp.first)
		for next <= uint64(sp.last) {
			if i == len(ranges) || uint64(ranges[i].First) != next || ranges[i].Last < ranges[i].First || ranges[i].Last > sp.last {
				t.Fatalf("%s: no range begins at %#x", a.Name, next)
			}
			next = uint64(ranges[i].Last) + 1
			i++
		}
	}
	if i != len(ranges) {
		t.Fatalf("%s: ranges beyond the ABI's numbers: %+v", a.Name, ranges[i])
	}
}

// compareOne holds what Evaluate says of one call against what the filters
// return, and reports whether it was decided.
func compareOne(t *testing.T, stack []Program, ranges []Range, d *Data) bool {
	t.Helper()
	r, ok := find(ranges, d.NR)
	if !ok {
		t.Fatalf("no range for %#x", d.NR)
	}
	var holding *Way
	for i := range r.Ways {
		if r.Ways[i].Condition.Eval(d) {
			if holding != nil {
				t.Fatalf("%+v: two ways: %+v and %+v\n%v", *d, *holding, r.Ways[i], stack)
			}
			holding = &r.Ways[i]
		}
	}
	if holding == nil {
		t.Fatalf("%+v: no way holds: %s %+v\n%v", *d, r.Summary, r.Ways, stack)
	}
	if holding.Undecided != "" {
		return false
	}
	if ret, _ := Compose(stack, d); ret != holding.Ret {
		t.Fatalf("%+v: the filters return %#x, the evaluation says %+v\n%v", *d, ret, *holding, stack)
	}
	if code := stack[holding.Filter][holding.Offset].Code; code != opRetK && code != opRetA && code != opDivX {
		t.Fatalf("way %+v names an instruction %#x, no return", *holding, code)
	}
	return true
}

// shaped returns a random program as compilers of filters write them: loads,
// masks and comparisons, few of the rest.
func shaped(r *rand.Rand, interesting []uint32) Program {
	var p Program
	n := 3 + r.IntN(40)
	for len(p) < n {
		left := n - len(p)
		branch := func(code uint16, k uint32) {
			p = append(p, Instruction{code, uint8(r.IntN(min(left, 6))), uint8(r.IntN(min(left, 6))), k})
		}
		switch r.IntN(12) {
		case 0, 1, 2:
			p = append(p, Instruction{Code: opLdAbs, K: 4 * uint32(r.IntN(words))})
		case 3:
			p = append(p, Instruction{Code: opLdAbs, K: 4 * uint32(r.IntN(2)*wordArgs+r.IntN(2))})
		case 4:
			p = append(p, Instruction{Code: pick(r, []uint16{opAndK, opAndK, opAndK, opOrK, opXorK, opAddK, opSubK, opTax, opTxa, opNeg}), K: pick(r, interesting)})
		case 5:
			p = append(p, Instruction{Code: pick(r, []uint16{opRshK, opLshK}), K: uint32(r.IntN(32))})
		case 6:
			p = append(p, Instruction{Code: opRetK, K: pick(r, returns) | uint32(r.IntN(2))})
		case 7:
			branch(pick(r, []uint16{opJeqX, opJgtX, opJgeX, opJsetX}), 0)
		default:
			branch(pick(r, []uint16{opJeqK, opJeqK, opJeqK, opJgtK, opJgeK, opJsetK}), pick(r, interesting))
		}
	}
	return append(p, Instruction{Code: opRetK, K: pick(r, returns)})
}

var returns = []uint32{RetAllow, RetAllow, RetAllow, RetErrno, RetErrno, RetKillProcess, RetKillThread, RetTrap, RetTrace, RetUserNotif, RetLog, 0x12340000}

// interestingFor returns few numbers, so that programs and calls meet in them.
func interestingFor(r *rand.Rand, a names.ABI) []uint32 {
	return []uint32{0, 1, 2, 3, 5, 0x40000000, 0x80000000, a.Audit, a.NumberBit | 1, a.NumberBit | 2, a.NumberBit | 334,
		0xffffffff, 0xffff0000, 0xff, 0x7e020000, r.Uint32(), r.Uint32() & r.Uint32() & r.Uint32(), uint32(r.IntN(500))}
}

// randomCall returns a call of the ABI that is close to what programs ask for.
func randomCall(r *rand.Rand, a names.ABI, interesting []uint32) Data {
	word := func() uint64 {
		v := pick(r, interesting)
		if r.IntN(4) == 0 {
			v += uint32(r.IntN(3)) - 1
		}
		return uint64(v)
	}
	set := numbersOf(a)
	d := Data{NR: uint32(word()), Arch: a.Audit, IP: word()<<32 | word()}
	for !slices.ContainsFunc(set, func(sp span) bool { return sp.first <= d.NR && d.NR <= sp.last }) {
		d.NR ^= 0x40000000
	}
	for i := range d.Args {
		d.Args[i] = word()
		if a.Arch != "arm" && r.IntN(2) == 0 {
			d.Args[i] |= word() << 32
		}
	}
	return d
}

// TestEvaluateAgainstRun compares with the interpreter, of which the tests
// compare with the kernel.
func TestEvaluateAgainstRun(t *testing.T) {
	r := randomSource(1)
	compared, undecided := 0, 0
	for i := range 6000 {
		a := abi(t, allABIs[i%len(allABIs)])
		interesting := interestingFor(r, a)
		var stack []Program
		anything := i%4 == 0
		for range 1 + r.IntN(3) {
			p := shaped(r, interesting)
			if anything {
				p, _ = generate(r, 30, interesting)
			}
			stack = append(stack, p)
		}
		ranges := Evaluate(stack, a, Options{})
		checkCover(t, ranges, a)
		for range 40 {
			d := randomCall(r, a, interesting)
			compared++
			if compareOne(t, stack, ranges, &d) {
				continue
			}
			// A program of any instructions may return what it computed.
			if undecided++; !anything {
				t.Fatalf("%+v is undecided\n%v", d, stack)
			}
		}
	}
	t.Logf("%d compared, %d undecided", compared, undecided)
	if undecided > compared/8 {
		t.Errorf("%d of %d undecided", undecided, compared)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(uint64(1), []byte{})
	for _, name := range []string{"docker-default-amd64", "chronyd-amd64"} {
		f.Add(uint64(2), loadFilters(f, name)[0].Encode())
	}
	f.Fuzz(func(t *testing.T, seed uint64, raw []byte) {
		r := randomSource(seed)
		a := abi(t, allABIs[seed%uint64(len(allABIs))])
		p, err := Decode(raw)
		if err != nil || p.Validate() != nil {
			p = shaped(r, interestingFor(r, a))
		}
		interesting := interestingFor(r, a)
		for _, in := range p {
			interesting = append(interesting, in.K)
		}
		stack := []Program{p, shaped(r, interesting)}
		ranges := Evaluate(stack, a, Options{})
		checkCover(t, ranges, a)
		for range 50 {
			d := randomCall(r, a, interesting)
			compareOne(t, stack, ranges, &d)
		}
	})
}
