//go:build linux && (amd64 || arm64)

package kernels

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
	"github.com/selfaudit/selfaudit/internal/seccomp"
	"github.com/selfaudit/selfaudit/probes"
)

func TestMain(m *testing.M) { launch.Main(m) }

// wantABIs names the ABIs that the kernel is known to have, apart by commas.
// Whoever starts the kernel sets it.
const wantABIs = "SELFAUDIT_ABIS"

// TestABIs asks the kernel which ABIs it has, without a filter.
func TestABIs(t *testing.T) {
	have := strings.Join(presentABIs(t), ",")
	if want := os.Getenv(wantABIs); want != "" && have != want {
		t.Errorf("ABIs %s, want %s", have, want)
	}
}

func presentABIs(t *testing.T) (have []string) {
	t.Helper()
	found, err := probes.ABIs(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found {
		present, known := a.Present.Get()
		t.Logf("%s: present %t, known %t: %s%s", a.Name, present, known, a.Present.Raw, a.Present.Err)
		if present {
			have = append(have, a.Name)
		}
	}
	return have
}

// TestNumbersOfThisKernel scans without any filter: nothing is denied, and what
// is reachable has a name.
func TestNumbersOfThisKernel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	have := presentABIs(t)
	scans, err := probes.Scan(ctx, probes.ScanInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scans {
		count := map[posture.Answer]int{}
		var missing []string
		for _, c := range s.Calls {
			count[c.Answer]++
			name := nameOf(s.ABI, c.Number)
			switch {
			case c.Answer == posture.AnswerDenied:
				t.Errorf("%s: %d (%s) denied without a filter: %s", s.ABI, c.Number, name, c.Detail)
			case c.Answer == posture.AnswerReachable && name == "":
				t.Errorf("%s: %d is reachable and has no name: %s", s.ABI, c.Number, c.Detail)
			case c.Answer == posture.AnswerUnknown:
				t.Logf("%s: %d (%s): %s", s.ABI, c.Number, name, c.Detail)
			case c.Answer == posture.AnswerNoCall && name != "":
				missing = append(missing, name)
			}
		}
		t.Logf("%s: %d reachable, %d not in this kernel, %d unknown. %s", s.ABI, count[posture.AnswerReachable], count[posture.AnswerNoCall], count[posture.AnswerUnknown], s.Why)
		if !slices.Contains(have, s.ABI) {
			if count[posture.AnswerReachable] > 0 {
				t.Errorf("%s: %d calls are reachable in an ABI that this kernel does not have", s.ABI, count[posture.AnswerReachable])
			}
			continue
		}
		t.Logf("%s: known, and not in this kernel: %s", s.ABI, strings.Join(missing, " "))
		if count[posture.AnswerReachable] < 250 {
			t.Errorf("%s: %d calls are reachable", s.ABI, count[posture.AnswerReachable])
		}
	}
}

// TestProcessesAgree has auditctl read the filters of a process, evaluate them,
// scan under them and compare.
func TestProcessesAgree(t *testing.T) {
	launch.NeedRoot(t)
	auditctl := command(t)
	abis := strings.Join(presentABIs(t), ",")
	allow := fixture.Clean()
	allow.Only = names.ExpandSyscalls([]string{"@system-service", "seccomp"})
	for name, settings := range map[string]fixture.Settings{"a deny-list": fixture.Clean(), "an allow-list": allow} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			pid := launch.Wait(t, nil, settings)
			var stderr bytes.Buffer
			cmd := exec.CommandContext(ctx, auditctl, "seccomp", "--pid", strconv.Itoa(pid), "--scan", "--abi", abis, "--timeout", "100s", "--output", "json")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("auditctl seccomp --scan: %v\n%s", err, &stderr)
			}
			var document render.Seccomp
			if err := json.Unmarshal(out, &document); err != nil || document.Comparison == nil {
				t.Fatalf("%v\n%s%s", err, out, &stderr)
			}
			for _, d := range document.Comparison.Disagreements {
				t.Errorf("%s: %d (%s): evaluated %s, seen %s", d.ABI, d.Number, d.Name, d.Evaluated, d.Seen)
			}
			for _, c := range document.Comparison.ABIs {
				t.Logf("%s: %d agree, %d disagree, %d open. %s", c.ABI, c.Agreed, c.Disagree, len(c.Open), c.Why)
				for _, o := range c.Open {
					t.Logf("%s: open: %d (%s), evaluated %q: %s", c.ABI, o.Number, o.Name, o.Evaluated, o.Why)
				}
				if c.Why == "" && (c.Agreed < 400 || len(c.Open) > 6) {
					t.Errorf("%s: %d agree, %d open", c.ABI, c.Agreed, len(c.Open))
				}
			}
		})
	}
}

// command returns the path of auditctl: built beforehand where there is no go
// command, or built here.
func command(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(launch.Prebuilt); dir != "" {
		return filepath.Join(dir, "auditctl")
	}
	path := filepath.Join(t.TempDir(), "auditctl")
	build := exec.Command("go", "build", "-o", path, "../../cmd/auditctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// stripes returns a filter that looks at three bits of the number alone, in
// every ABI: of eight numbers that follow each other in that it answers ERRNO
// to one, raises a trap for one, kills for one, and lets the others through.
func stripes(shift uint32) []byte {
	const (
		loadNumber = 0x20
		shiftRight = 0x74
		and        = 0x54
		jumpEqual  = 0x15
		ret        = 0x06
	)
	var raw []byte
	add := func(code uint16, jt, jf uint8, k uint32) {
		raw = binary.NativeEndian.AppendUint16(raw, code)
		raw = append(raw, jt, jf)
		raw = binary.NativeEndian.AppendUint32(raw, k)
	}
	add(loadNumber, 0, 0, 0)
	add(shiftRight, 0, 0, shift)
	add(and, 0, 0, 7)
	for stripe, action := range []uint32{1: 0x00050000 | 71, 2: 0x00030000, 3: 0x80000000} {
		if action != 0 {
			add(jumpEqual, 0, 1, uint32(stripe))
			add(ret, 0, 0, action)
		}
	}
	add(ret, 0, 0, 0x7fff0000)
	return raw
}

// TestStripesAgree has every action met by numbers of every ABI that the kernel
// has, and compares with what the filters were written to do. All of them let
// seccomp(2) itself through: else the later ones could not be loaded.
func TestStripesAgree(t *testing.T) {
	for name, filters := range map[string][][]byte{
		"one": {stripes(0)}, "three stacked": {stripes(2), stripes(0), stripes(6)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			scans, err := probes.Scan(ctx, probes.ScanInput{Filters: filters})
			if err != nil {
				t.Fatal(err)
			}
			var abis []seccomp.ABI
			for _, a := range names.ABIs(runtime.GOARCH) {
				abi, _ := seccomp.FindABI(a.Name)
				abis = append(abis, abi)
			}
			f, err := collect.Verdicts(filters, abis)
			if err != nil {
				t.Fatal(err)
			}
			collect.Predict(&f, scans)
			for _, s := range scans {
				agree(t, s, f)
			}
		})
	}
}

// agree holds one ABI's scan against what the filters do, number by number.
func agree(t *testing.T, s posture.Scan, f posture.Filters) {
	t.Helper()
	at := slices.IndexFunc(f.ABIs, func(a posture.FilteredABI) bool { return a.ABI == s.ABI })
	agreed, open := 0, 0
	for _, c := range s.Calls {
		name := nameOf(s.ABI, c.Number)
		way, known := c.Filtered.Get()
		if !known || c.Answer == posture.AnswerUnknown {
			open++
			t.Logf("%s: open: %d (%s): %s %s", s.ABI, c.Number, name, c.Detail, c.Filtered.Why())
			continue
		}
		if !met(c, way) {
			t.Errorf("%s: %d (%s): evaluated %v(%d), seen %v: %s", s.ABI, c.Number, name, way.Action, way.Value, c.Answer, c.Detail)
			continue
		}
		i := slices.IndexFunc(f.ABIs[at].Calls, func(r posture.FilteredCalls) bool { return r.First <= c.Number && c.Number <= r.Last })
		if i < 0 || !slices.ContainsFunc(f.ABIs[at].Calls[i].Ways, func(w posture.Way) bool { return w.Action == way.Action && w.Value == way.Value }) {
			t.Errorf("%s: %d (%s): the table has no way of %v(%d)", s.ABI, c.Number, name, way.Action, way.Value)
			continue
		}
		agreed++
	}
	t.Logf("%s: %d agree, %d open. %s", s.ABI, agreed, open, s.Why)
	if s.Why == "" && (agreed < 400 || open > 6) {
		t.Errorf("%s: %d agree, %d open", s.ABI, agreed, open)
	}
}

// met says that what was seen is what a filter does. An errno of the filter's
// own comes from nowhere else.
func met(c posture.Scanned, way posture.Way) bool {
	switch way.Action {
	case posture.ActionErrno:
		return c.Answer == posture.AnswerDenied && c.Returned && c.Errno == int(way.Value)
	case posture.ActionTrap:
		return c.Answer == posture.AnswerDenied && c.By == posture.ActionTrap
	case posture.ActionKillProcess:
		return c.Answer == posture.AnswerDenied && (c.By == posture.ActionKillProcess || c.By == posture.ActionKillThread)
	default:
		return c.Answer == posture.AnswerReachable || c.Answer == posture.AnswerNoCall
	}
}

func nameOf(abi string, nr uint32) string {
	a, _ := names.FindABI(abi)
	name, _ := names.SyscallName(a.Arch, nr)
	return name
}
