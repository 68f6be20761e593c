package sandboxes

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// masks replace what differs between two runs, or between two machines, and
// nothing that a finding could depend on.
type masks []struct {
	pattern     *regexp.Regexp
	replacement string
}

// always is masked wherever the test runs.
var always = masks{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`), "TIME"},
	{regexp.MustCompile(`"durationNs": \d+`), `"durationNs": DURATION`},
	{regexp.MustCompile(`; took [\d.]+ (µs|ms|s)\.`), "; took DURATION."},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b(pipe|socket):\[\d+\]`), "${1}:[INODE]"},
	// Those of initial namespaces are below 0xf0000000, and the same everywhere.
	{regexp.MustCompile(`\[40265(318[4-9]\d|319\d\d|3[2-9]\d{3}|[4-9]\d{4})\]`), "[INODE]"},
}

// ofMachine are the names of control groups, and, left out, how many processes the auditor may not look at, where it
// has most privileges but not all.
var ofMachine = masks{
	{regexp.MustCompile(`\n +- whether\s+it\s+traces\s+or\s+shares\s+memory\s+with\s+\d+\s+other\s+process(es)?\s+that\s+could\s+not\s+be\s+looked\s+at\s+is\s+not\s+known`), ""},
	{regexp.MustCompile(`,\s*"whether it traces or shares memory with \d+ other process(es)? that could not be looked at is not known"`), ""},
	{regexp.MustCompile(`"whether it traces or shares memory with \d+ other process(es)? that could not be looked at is not known",\s*`), ""},
	{regexp.MustCompile(`\(/sys/fs/cgroup[^)]*\)`), "(CGROUP)"},
}

// ofProcess are the places where a report has process and thread ids.
var ofProcess = masks{
	{regexp.MustCompile(`"pid": \d+`), `"pid": PID`},
	{regexp.MustCompile(`\b(process|pid|thread|task)( |\n +|/)\d+\b`), "${1}${2}PID"},
	{regexp.MustCompile(`/proc/\d+\b`), "/proc/PID"},
	{regexp.MustCompile(`(\n  process +)\d+,`), "${1}PID,"},
	{regexp.MustCompile(`("threads": \[\s+)\d+(\s+\])`), "${1}PID${2}"},
}

// masksFor returns the masks of this run.
func masksFor(t *testing.T, dir string) masks {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	own := masks{
		{regexp.MustCompile(regexp.QuoteMeta(dir)), "DIR"},
		{regexp.MustCompile(`\b` + regexp.QuoteMeta(strings.TrimSpace(string(release))) + `\b`), "RELEASE"},
	}
	return append(append(append(own, always...), ofMachine...), ofProcess...)
}

func (m masks) apply(text string) string {
	for _, one := range m {
		text = one.pattern.ReplaceAllString(text, one.replacement)
	}
	return text
}

// TestMasks: what must go goes, and what a finding could say stays.
func TestMasks(t *testing.T) {
	m := append(append(masks{}, always...), ofProcess...)
	for _, c := range []struct{ in, want string }{
		{`"startTime": "2026-11-21T21:07:24.12Z",`, `"startTime": "TIME",`},
		{"  started  2026-11-22 04:16:43 UTC", "  started  TIME"},
		{`"durationNs": 812345,`, `"durationNs": DURATION,`},
		{"0 unknown, 24 not asked for; took 428 µs.", "0 unknown, 24 not asked for; took DURATION."},
		{"  sha256   " + strings.Repeat("7f", 32), "  sha256   DIGEST"},
		{"/proc/2328/task/2330/status: Uid: 2328 0 0 0", "/proc/PID/task/PID/status: Uid: 2328 0 0 0"},
		{"EXPOSED: process 2328 (web) can", "EXPOSED: process PID (web) can"},
		{"\n  process  2328, web, /web, 1 thread", "\n  process  PID, web, /web, 1 thread"},
		{"thread\n    2330: real user id is 1000", "thread\n    PID: real user id is 1000"},
		{"\"threads\": [\n        2330\n      ],", "\"threads\": [\n        PID\n      ],"},
		{"5 values of 1 threads", "5 values of 1 threads"},
		{"none of 5 open descriptors", "none of 5 open descriptors"},
		{"user:[4026531837] mnt:[4026532217]", "user:[4026531837] mnt:[INODE]"},
		{"net:[4026531840] and pipe:[97531]", "net:[INODE] and pipe:[INODE]"},
		{"CapEff: 00000000a80425fb", "CapEff: 00000000a80425fb"},
		{"/proc/self/status and 974 instructions", "/proc/self/status and 974 instructions"},
	} {
		if got := m.apply(c.in); got != c.want {
			t.Errorf("%q is masked as %q, want %q", c.in, got, c.want)
		}
	}
}
