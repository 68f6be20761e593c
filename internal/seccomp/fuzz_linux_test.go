package seccomp

import "testing"

// Whatever the bytes are, the kernel takes the program or refuses it as Validate
// does, and gets from it what Run does.
func FuzzAsTheKernel(f *testing.F) {
	addSeeds(f)
	needKernel(f)
	ip := instructionPointer(f)
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		p, err := Decode(raw)
		if err != nil {
			return
		}
		openGate(t).compare(p)
		if p.Validate() != nil {
			return
		}
		const nr = 1000
		tr := trial{program: p, calls: randomCalls(randomSource(seed), nr, ip)}
		b := newBench(t)
		var ok bool
		if tr.wrapped, ok = wrap(p, nr); !ok || tr.wrapped.Validate() != nil || !b.roomFor(tr.wrapped, len(tr.calls)) {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		b.append(&tr)
		b.run(func() { b.compare(&tr, &coverage{}) })
	})
}
