package seccomp

import "testing"

// Whatever the bytes are, the kernel takes the program or refuses it as Validate
// does, and gets from it what Run does. Bytes that are no valid program stand
// for one that the seed makes.
func FuzzAsTheKernel(f *testing.F) {
	addSeeds(f)
	needKernel(f)
	ip := instructionPointer(f)
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		const nr = 1000
		r := randomSource(seed)
		tr := trial{calls: randomCalls(r, nr, ip)}
		p, err := Decode(raw)
		if err == nil {
			openGate(t).compare(p)
		}
		if err != nil || p.Validate() != nil {
			p, _ = generate(r, 40, tr.calls[0].data.words())
		}
		tr.program = p
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
