package seccomp

import "testing"

// BenchmarkEvaluate evaluates real stacks for every number of every ABI of
// amd64. For Docker's default profile, 1,012 instructions, the aim is less than
// a millisecond; systemd's is 26 filters.
func BenchmarkEvaluate(b *testing.B) {
	for _, name := range []string{"docker-default-amd64", "systemd-system-service-amd64", "chronyd-amd64"} {
		b.Run(name, func(b *testing.B) {
			stack := loadFilters(b, name)
			b.ReportAllocs()
			for b.Loop() {
				for _, a := range []string{"x86-64", "x32", "i386"} {
					if len(Evaluate(stack, abi(b, a), Options{})) == 0 {
						b.Fatal("no verdicts")
					}
				}
			}
		})
	}
}
