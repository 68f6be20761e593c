package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/selfaudit/selfaudit/internal/child"
)

// comparedPrograms is how many random programs the suite runs in the kernel.
const comparedPrograms = 12000

// short divides how many programs are tried where -short asks for less: in a
// virtual machine without acceleration, say.
func short(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

// trial is a program and the calls that are made under it.
type trial struct {
	program, wrapped Program
	load             child.Step
	calls            []call
}

// call is what a filter sees, and the step that made it so.
type call struct {
	data Data
	step child.Step
}

// strangeNumbers are bases for system call numbers that no kernel has.
var strangeNumbers = []uint32{1000, 0x4000_1000, 0x7fff_0000, 0x8000_0000, 0xffff_0000}

// randomCalls returns some calls with edges among their arguments, each three
// times, once for each slice of the value.
func randomCalls(r *rand.Rand, nr uint32, ip uint64) []call {
	var out []call
	for range 2 {
		d := Data{NR: nr, Arch: nativeArch(), IP: ip}
		for i := range d.Args {
			d.Args[i] = uint64(number(r, nil))<<32 | uint64(number(r, nil))
			if ^uintptr(0)>>32 == 0 {
				d.Args[i] &= 0xffffffff
			}
		}
		for s := range slices32 {
			d.Args[5] = d.Args[5]&^0xffffffff | uint64(s)
			out = append(out, call{data: d})
		}
	}
	return out
}

// randomTrial returns a random program for the number nr.
func randomTrial(r *rand.Rand, nr uint32, ip uint64) trial {
	for {
		t := trial{calls: randomCalls(r, nr, ip)}
		t.program, _ = generate(r, 60, slices.Concat(t.calls[0].data.words(), t.calls[3].data.words()))
		var ok bool
		if t.wrapped, ok = wrap(t.program, nr); ok {
			return t
		}
	}
}

// Each of many random programs is loaded in a child, and called with known
// arguments. Every bit of its value is what Run says.
func TestRunAsTheKernel(t *testing.T) {
	needKernel(t)
	ip := instructionPointer(t)
	r := randomSource(1)
	var seen coverage
	for seen.programs < short(comparedPrograms) && !t.Failed() {
		b := newBench(t)
		var trials []trial
		for {
			nr := pick(r, strangeNumbers) + uint32(len(trials))
			tr := randomTrial(r, nr, ip)
			if !b.roomFor(tr.wrapped, len(tr.calls)) {
				break
			}
			b.append(&tr)
			trials = append(trials, tr)
		}
		b.run(func() {
			for i := range trials {
				b.compare(&trials[i], &seen)
			}
		})
	}
	t.Logf("%d programs compared by %d calls: %d values, %d of them neither 0 nor all ones; %d divisions by zero",
		seen.programs, seen.calls, seen.values, seen.telling, seen.killed)
	if seen.programs < short(10000) {
		t.Errorf("%d programs compared, not %d", seen.programs, short(10000))
	}
	if seen.killed < short(100) || seen.telling < seen.values/2 {
		t.Error("the programs are too dull to prove much")
	}
	for code, n := range seen.executed {
		if form := (Instruction{Code: uint16(code)}).form(); (form != formUnknown) != (n > 0) || form != formUnknown && n < short(100) {
			t.Errorf("code %#x was executed %d times", code, n)
		}
	}
}

// append adds the calls of a trial as one unit, so that a child that dies in it
// takes no other trial along.
func (b *bench) append(tr *trial) {
	tr.load = b.load(tr.wrapped, 0)
	for i := range tr.calls {
		tr.calls[i].step = b.enter(&tr.calls[i].data, 0)
	}
	b.End()
}

// coverage is what the compared programs did.
type coverage struct {
	programs, calls, values, telling, killed int
	executed                                 [256]int
}

// compare holds what became of a trial's calls against Run.
func (b *bench) compare(tr *trial, seen *coverage) {
	t := b.t
	t.Helper()
	b.loaded(tr.load, tr.wrapped)
	seen.programs++
	for i := range tr.calls {
		c := &tr.calls[i]
		o, want, plain := b.Outcome(c.step), tr.wrapped.Run(&c.data), tr.program.Run(&c.data)
		seen.calls++
		if i%slices32 == 0 {
			seen.trace(tr.program, &c.data)
		}
		if killed(o) {
			seen.killed++
			if want != RetKillThread || plain != 0 {
				t.Errorf("the kernel killed the caller, Run returns %#x, %#x by itself\n%s%+v", want, plain, text(tr.wrapped), c.data)
			}
			return // the unit ended here
		}
		seen.values++
		if plain != 0 && plain != ^uint32(0) {
			seen.telling++
		}
		slice := sliceMark | plain>>(sliceBits*(i%slices32))&(sliceMark-1)
		if got := RetErrno | uint32(errnoOf(o)); !o.Made || got != want || got != RetErrno|slice {
			t.Errorf("%+v: the kernel has %#x, Run returns %#x, and %#x by itself\n%s%+v", o, got, want, plain, text(tr.wrapped), c.data)
			return
		}
	}
}

// trace counts the codes that a run of the program came by.
func (c *coverage) trace(p Program, d *Data) {
	// A copy that ends at each instruction in turn would be slow: a program
	// has no loops, so what it came by is found by making each one a return.
	for pc := range p {
		was := p[pc]
		p[pc] = Instruction{Code: opRetK, K: 0xabcdef01}
		if p.Run(d) == 0xabcdef01 {
			c.executed[was.Code]++
		}
		p[pc] = was
	}
}
