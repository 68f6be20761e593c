package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// A diagnostic is one line of printable characters, whatever it is about.
func TestDiagnose(t *testing.T) {
	err := errors.Join(
		hint(errors.New("p.yaml:1:2: a\x1b[31m\u202eb"), "one", "", "two"),
		fmt.Errorf("x: %w", errors.Join(errors.New("first"), errors.New("second"))),
		hint(errors.New("third"), "one"),
	)
	var b bytes.Buffer
	diagnose(&b, err)
	want := `auctl: error: p.yaml:1:2: a\x1b[31m\u{202e}b
auctl: error: x: first
auctl: error: second
auctl: error: third
auctl: hint: one
auctl: hint: two
`
	if want = strings.ReplaceAll(want, "auctl", "auditctl"); b.String() != want {
		t.Errorf("got:\n%swant:\n%s", b.String(), want)
	}
}

// A report that nobody got is no success, however the output fails.
func TestRunNoticesLostOutput(t *testing.T) {
	for name, w := range map[string]io.Writer{"error": failing{}, "short": short{}} {
		var stderr bytes.Buffer
		code := Run(context.Background(), []string{"policy", "list"}, strings.NewReader(""), w, &stderr)
		if code != exitTrouble || !strings.HasPrefix(stderr.String(), "auditctl: error: standard output: ") {
			t.Errorf("%s: exit code %d, stderr %q", name, code, stderr.String())
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("lost") }

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) / 2, nil }

func TestSetsOfExecChild(t *testing.T) {
	sets := posture.CapSets{Inheritable: 1, Permitted: 1 << 40, Effective: 3, Bounding: 0x1ffffffffff, Ambient: 0}
	line := formatSets(sets)
	if got, err := parseSets(line); err != nil || got != sets {
		t.Errorf("%q reads %+v, %v", line, got, err)
	}
	for _, bad := range []string{
		"", "CapInh=0000000000000000", strings.Replace(line, "CapPrm", "CapEff", 1), strings.Replace(line, "CapAmb=0", "CapAmb=", 1),
		line + " ", line + " CapAmb=0000000000000000", strings.ReplaceAll(line, "=0000", "=+000"), line + "\n" + line,
	} {
		if got, err := parseSets(bad); err == nil || got != (posture.CapSets{}) {
			t.Errorf("%q reads %+v, %v", bad, got, err)
		}
	}
}

func FuzzParseSets(f *testing.F) {
	f.Add("CapInh=0000000000000000 CapPrm=0000000000000000 CapEff=0000000000000000 CapBnd=0000000000000000 CapAmb=0000000000000000")
	f.Add("CapInh=")
	f.Fuzz(func(t *testing.T, line string) {
		sets, err := parseSets(line)
		if err == nil && !strings.EqualFold(formatSets(sets), line) {
			t.Errorf("%q reads as %q", line, formatSets(sets))
		}
	})
}

// What a library reads is compared only with what was read here.
func TestAsk(t *testing.T) {
	thread := func(tid int) posture.Thread {
		ids := posture.IDs{Real: posture.ID{Value: 7, Outside: 1000}}
		return posture.Thread{TID: tid, UID: posture.Of(ids, "", ""),
			Caps: posture.CapFacts{Permitted: posture.Of(posture.CapSet(1), "", "")}}
	}
	p := &posture.Process{PID: 1, Classes: []posture.Class{{Thread: thread(1), TIDs: []int{1, 2}}}}
	for _, tc := range []struct {
		name   string
		read   func(pid, tid int) (values, error)
		said   []string
		differ bool
	}{
		{"agrees", func(int, int) (values, error) { return values{userIDs: "1000 0 0 0", permitted: "CAP_CHOWN"}, nil },
			[]string{"lib agrees on 4 values of 2 threads"}, false},
		{"not read here", func(int, int) (values, error) { return values{ambient: "none", groupIDs: "0 0 0 0"}, nil },
			[]string{"lib agrees on 0 values of 2 threads; 4 more could not be read here and were not compared"}, false},
		{"differs", func(_, tid int) (values, error) {
			return values{permitted: []string{"", "CAP_CHOWN", "none"}[tid]}, nil
		},
			[]string{"lib agrees on 1 value of 2 threads", "lib: thread 2: permitted set is none there, CAP_CHOWN here"}, true},
		{"panics", func(int, int) (values, error) { return values{permitted: strings.Fields("")[0]}, nil },
			[]string{"lib agrees on 0 values of 2 threads", "lib: thread 1 could not be read: the library panics: runtime error: index out of range [0] with length 0",
				"lib: thread 2 could not be read: the library panics: runtime error: index out of range [0] with length 0"}, true},
	} {
		said, differ := ask(library{"lib", tc.read}, p)
		if strings.Join(said, "\n") != strings.Join(tc.said, "\n") || differ != tc.differ {
			t.Errorf("%s: %q, %v", tc.name, said, differ)
		}
	}
}

func TestLinuxAuditOptions(t *testing.T) {
	for _, arg := range []string{"-l", "-s", "-w", "-a", "-A", "-d", "-D", "-e", "-e1", "-f", "-r", "-b", "-b8192", "-k", "-R", "-i", "-c", "-m", "-p", "-pwa", "-t", "-q", "-v", "-C", "-F", "-S", "-W", "--loginuid-immutable", "--reset-lost", "--signal", "--backlog_wait_time=60"} {
		if !isLinuxAudit(arg) {
			t.Errorf("%s is not taken for Linux Audit's", arg)
		}
	}
	for _, arg := range []string{"check", "-h", "--help", "-", "--", "--pid", "", "-x", "--signals"} {
		if isLinuxAudit(arg) {
			t.Errorf("%s is taken for Linux Audit's", arg)
		}
	}
}

func TestCommitOf(t *testing.T) {
	for want, settings := range map[string][]debug.BuildSetting{
		"unknown":       {{Key: "CGO_ENABLED", Value: "0"}},
		"abc":           {{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}},
		"def, modified": {{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "def"}},
	} {
		if got := commitOf(settings); got != want {
			t.Errorf("commitOf(%v) = %q, want %q", settings, got, want)
		}
	}
}
