package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// BenchmarkCheckConfined prints what a whole audit with probes under the
// profile "confined" costs, as a multiple of reading the same files and one
// bare fork. More than three is too much.
func BenchmarkCheckConfined(b *testing.B) {
	var costs struct{ Check, Files, Fork, Threads float64 }
	measure(b, &costs)
	b.ReportMetric(costs.Check, "audit-ns")
	b.ReportMetric(costs.Files, "files-ns")
	b.ReportMetric(costs.Fork, "fork-ns")
	b.ReportMetric(costs.Threads, "threads")
	b.ReportMetric(costs.Check/(costs.Files+costs.Fork), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkScan prints what a live scan of the native ABI costs under a filter
// that answers errno to all but what a Go program needs, as a multiple of as
// many bare system calls that fail and one fork.
func BenchmarkScan(b *testing.B) {
	var costs struct{ Scan, Bare, Fork, Calls float64 }
	measure(b, &costs, "-scan")
	b.ReportMetric(costs.Scan, "scan-ns")
	b.ReportMetric(costs.Bare, "bare-ns")
	b.ReportMetric(costs.Fork, "fork-ns")
	b.ReportMetric(costs.Calls, "calls")
	b.ReportMetric(costs.Scan/(costs.Bare+costs.Fork), "ratio")
	b.ReportMetric(0, "ns/op")
}

// measure builds and runs the program of that name, and reads what it prints.
func measure(b *testing.B, costs any, flags ...string) {
	b.Helper()
	launch.NeedRoot(b)
	program := filepath.Join(b.TempDir(), "measure")
	build := exec.Command("go", "build", "-o", program, "./measure")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	b.ResetTimer()
	out, err := exec.Command(program, append(flags, "-rounds", strconv.Itoa(max(b.N, 20)))...).Output()
	if err != nil {
		b.Fatalf("measure: %v", err)
	}
	if err := json.Unmarshal(out, costs); err != nil {
		b.Fatal(err)
	}
}
