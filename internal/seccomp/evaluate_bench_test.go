package seccomp

import "testing"

// BenchmarkEvaluateDockerDefault evaluates Docker's default profile, 1,012
// instructions, for every number of every ABI of amd64. The aim is less than a
// millisecond.
func BenchmarkEvaluateDockerDefault(b *testing.B) {
	stack := loadFilters(b, "docker-default-amd64")
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range []string{"x86-64", "x32", "i386"} {
			if len(Evaluate(stack, abi(b, name), Options{})) < 2 {
				b.Fatal("one verdict for all numbers")
			}
		}
	}
}
