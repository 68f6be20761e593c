package seccomp

import "testing"

// chain is a filter that compares with some numbers in turn, as compilers
// without a tree write them.
func chain(numbers int) Program {
	p := Program{{Code: opLdAbs, K: offsetNR}}
	for nr := range numbers {
		p = append(p, Instruction{Code: opJeqK, K: uint32(nr), JF: 1}, Instruction{Code: opRetK, K: RetAllow})
	}
	return append(p, Instruction{Code: opRetK, K: RetErrno | 1})
}

// The last of 1,000 comparisons decides.
func BenchmarkRunChain(b *testing.B) {
	p := chain(1000)
	d := Data{NR: 2000, Arch: 0xc000003e}
	for b.Loop() {
		if p.Run(&d) != RetErrno|1 {
			b.Fatal("another answer")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1002, "ns/instruction")
}

// Arithmetic of all sorts, 1,000 instructions.
func BenchmarkRunArithmetic(b *testing.B) {
	p := Program{{Code: opLdAbs, K: offsetArgs}, {Code: opTax}}
	for len(p) < 999 {
		p = append(p, Instruction{Code: opAddX}, Instruction{Code: opXorK, K: 0x5a5a}, Instruction{Code: opRshK, K: 1}, Instruction{Code: opSt})
	}
	p = append(p, Instruction{Code: opRetA})
	d := Data{Args: [6]uint64{12345}}
	for b.Loop() {
		p.Run(&d)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(p)), "ns/instruction")
}

func BenchmarkDecode(b *testing.B) {
	raw := chain(1000).Encode()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	p := chain(1000)
	for b.Loop() {
		if err := p.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
