package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// asksFilter is a policy that asks what the filter does, so that it is tried
// live too.
const asksFilter = `apiVersion: selfaudit/v1
kind: Policy
metadata: {name: filter}
process: {noNewPrivileges: true, threads: uniform}
seccomp: {mode: filter, deny: [io_uring_setup, keyctl, add_key]}
probes: {reescalation: true, syscalls: true}
`

// beside are other tools that look at a process or at their own, as whole
// processes. Those that are not there are left out, and said to be.
var beside = [][]string{
	{"capsh", "--print"},
	{"getpcaps", "PID"},
	{"pscap", "-p", "PID"},
	{"pscap", "-a"},
	// They look at the container that they are in, and may change it: it is
	// one that is made for them.
	{"unshare", "-mpnuif", "--mount-proc", "true"},
	{"unshare", "-mpnuif", "--mount-proc", "runtimetest", "--path", "DIR"},
	{"unshare", "-mpnuif", "--mount-proc", "amicontained"},
}

// BenchmarkCheckPid prints what auditctl check --pid costs as a whole process, on
// a service with ten threads, beside other tools, as multiples of a program that
// does nothing. Nobody else tries anything in another process's place: the tools
// show what else is paid for a look at one.
func BenchmarkCheckPid(b *testing.B) {
	launch.NeedRoot(b)
	dir := b.TempDir()
	auditctl, floor := filepath.Join(dir, "auditctl"), "/bin/true"
	launch.Static(b, auditctl, "github.com/selfaudit/selfaudit/cmd/auditctl")
	policy := filepath.Join(dir, "filter.yaml")
	write(b, policy, asksFilter)
	launch.Need(b, "runc")
	launch.Output(b, nil, "runc", "spec", "--bundle", dir)
	server, _ := launch.Server(b, fixture.Clean(), 10)
	pid := strconv.Itoa(server)
	commands := []struct {
		name string
		args []string
		// exit is the status where it is not 0.
		exits []int
	}{
		{"floor", []string{floor}, nil},
		{"auditctl-version", []string{auditctl, "version"}, nil},
		{"facts", []string{auditctl, "check", "--pid", pid, "--probes", "off"}, []int{3}},
		{"replica", []string{auditctl, "check", "--pid", pid}, []int{0}},
		{"live-scan", []string{auditctl, "check", "--pid", pid, "--seccomp-filter", "--policy", policy}, []int{0, 3}},
	}
	for _, args := range beside {
		args = slices.Clone(args)
		tool := args[0]
		if tool == "unshare" {
			tool = args[3]
		}
		if _, err := exec.LookPath(tool); err != nil {
			b.Logf("left out: %v", err)
			continue
		}
		name := tool
		if tool == "true" {
			name = "unshare"
		}
		for i := range args {
			switch {
			case args[i] == "PID":
				args[i] = pid
			case args[i] == "DIR":
				args[i] = dir
			case i > 0 && args[0] != "unshare" && args[i][0] == '-':
				name += args[i]
			}
		}
		commands = append(commands, struct {
			name  string
			args  []string
			exits []int
		}{name, args, nil})
	}
	// In turns, so that what else the machine does falls on all alike.
	times := make([][]time.Duration, len(commands))
	for range max(min(b.N, 100), 20) {
		for i, c := range commands {
			cmd := exec.Command(c.args[0], c.args[1:]...)
			begin := time.Now()
			err := cmd.Run()
			times[i] = append(times[i], time.Since(begin))
			if cmd.ProcessState == nil {
				b.Fatal(err)
			}
			if exit := cmd.ProcessState.ExitCode(); c.exits != nil && !slices.Contains(c.exits, exit) {
				b.Fatalf("%v: exit status %d", c.args, exit)
			}
		}
	}
	least := middle(times[0])
	b.ReportMetric(float64(least.Microseconds()), "floor-µs")
	for i, c := range commands[1:] {
		b.ReportMetric(float64(middle(times[i+1]))/float64(least), c.name)
	}
	b.ReportMetric(0, "ns/op")
}

func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func write(b *testing.B, file, text string) {
	b.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}
