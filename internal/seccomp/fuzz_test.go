package seccomp

import (
	"bytes"
	"io"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

// addSeeds gives a fuzz target the programs of the goldens and random ones.
func addSeeds(f *testing.F) {
	f.Helper()
	for _, c := range listed {
		f.Add(c.p.Encode(), uint64(1))
	}
	r := randomSource(6)
	for range 20 {
		p, _ := generate(r, 30, edges)
		f.Add(p.Encode(), r.Uint64())
	}
	f.Add(slicer().Encode(), uint64(2))
}

// Whatever the bytes are, nothing panics or runs on: decoding, judging, running
// and writing down.
func FuzzProgram(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		p, err := Decode(raw)
		if fits := len(raw) > 0 && len(raw)%instructionSize == 0 && len(raw)/instructionSize <= MaxInstructions; fits != (err == nil) {
			t.Fatalf("%d bytes: %v", len(raw), err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), raw) {
			t.Fatal("encoded, it differs")
		}
		valid := p.Validate() == nil
		r := randomSource(seed)
		d := Data{NR: number(r, nil), Arch: number(r, nil), IP: r.Uint64(), Args: [6]uint64{r.Uint64(), uint64(number(r, nil))}}
		ret, filter := Compose([]Program{p, p}, &d)
		if want := p.Run(&d); valid && filter == 1 && ret != want || filter != 1 && (filter != NoFilter || ret != RetAllow) {
			t.Fatalf("twice the same: %#x of filter %d, by itself %#x", ret, filter, want)
		}
		if err := Disassemble(io.Discard, p, names.ABIs("amd64")); err != nil {
			t.Fatal(err)
		}
	})
}
