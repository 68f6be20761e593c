package cli

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

func way(a posture.Action, value uint16, when string) posture.Way {
	return posture.Way{Action: a, Value: value, When: when}
}

// What is undecided once is undecided, and what some arguments are let do is
// not denied.
func TestVerdictOf(t *testing.T) {
	allow, log, deny := way(posture.ActionAllow, 0, ""), way(posture.ActionLog, 0, ""), way(posture.ActionErrno, 1, "")
	kill, trace, notify, open := way(posture.ActionKillThread, 0, ""), way(posture.ActionTrace, 0, ""), way(posture.ActionNotify, 0, ""), way(posture.ActionUndecided, 0, "")
	for _, c := range []struct {
		want string
		ways []posture.Way
	}{
		{render.VerdictAllowed, []posture.Way{allow}},
		{render.VerdictAllowed, []posture.Way{allow, log}},
		{render.VerdictDenied, []posture.Way{deny, kill}},
		{render.VerdictDelegated, []posture.Way{trace, notify}},
		{render.VerdictConditional, []posture.Way{allow, deny}},
		{render.VerdictConditional, []posture.Way{trace, deny}},
		{render.VerdictConditional, []posture.Way{allow, trace}},
		{render.VerdictUndecided, []posture.Way{allow, open}},
		{render.VerdictUndecided, []posture.Way{deny, deny, open}},
		{render.VerdictUndecided, nil},
		{render.VerdictUndecided, []posture.Way{{}}},
	} {
		if got := verdictOf(c.ways); got != c.want {
			t.Errorf("%v: %s, want %s", c.ways, got, c.want)
		}
	}
}

// A class is known only where its mode and what was read of it agree.
func TestClassOf(t *testing.T) {
	filters := posture.Of(posture.Filters{Digest: "d", Programs: [][]byte{make([]byte, 8)}}, "", "")
	none := posture.Of(posture.Filters{}, "", "")
	for name, c := range map[string]struct {
		mode    posture.Fact[int]
		filters posture.Fact[posture.Filters]
		state   string
		abis    bool
	}{
		"filter":                {posture.Of(2, "", ""), filters, "known", false},
		"filter, not read":      {posture.Of(2, "", ""), posture.Failed[posture.Filters]("", "refused"), "unreadable", false},
		"filter, and none read": {posture.Of(2, "", ""), none, "unreadable", false},
		"disabled":              {posture.Of(0, "", ""), none, "known", true},
		"disabled, and one":     {posture.Of(0, "", ""), filters, "unreadable", false},
		"disabled, doubted":     {posture.Of(0, "", ""), posture.Failed[posture.Filters]("", "contradict"), "unreadable", false},
		"strict":                {posture.Of(1, "", ""), none, "known", true},
		"mode not known, none":  {posture.Failed[int]("", "no"), none, "unreadable", false},
		"no such line":          {posture.None[int]("", "no"), posture.None[posture.Filters]("", "no"), "absent", false},
	} {
		got := classOf(&posture.Class{Thread: posture.Thread{SeccompMode: c.mode, Filters: c.filters}, TIDs: []int{1}}, nil)
		if got.State != c.state || (len(got.ABIs) > 0) != c.abis || (got.State == "known") != (got.Why == "") {
			t.Errorf("%s: %s (%s), %d ABIs", name, got.State, got.Why, len(got.ABIs))
		}
	}
}

// Modes without filters have a verdict on every number.
func TestWithoutFilter(t *testing.T) {
	for _, mode := range []string{modeDisabled, modeStrict} {
		abis := withoutFilter(mode, nil)
		if len(abis) != len(names.ABIs(runtime.GOARCH)) {
			t.Fatalf("%s: %d ABIs", mode, len(abis))
		}
		if err := whole(&render.SeccompClass{State: stateKnown, ABIs: abis}); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		for _, a := range abis {
			var allowed []string
			for _, r := range a.Calls {
				if r.Verdict == render.VerdictAllowed {
					for _, c := range r.Calls {
						allowed = append(allowed, c.Name)
					}
				}
			}
			slices.Sort(allowed)
			want := slices.Sorted(slices.Values(strictCalls[a.ABI]))
			if mode == modeStrict && !slices.Equal(allowed, want) || mode == modeDisabled && len(allowed) < 300 {
				t.Errorf("%s, %s: %q", mode, a.ABI, allowed)
			}
		}
	}
}

func ranges(all ...render.SeccompCalls) *render.SeccompABI {
	return &render.SeccompABI{ABI: "i386", Calls: all}
}

func calls(first, last uint32, ways ...posture.Way) render.SeccompCalls {
	c := render.SeccompCalls{First: first, Last: last, Verdict: verdictOf(ways), Summary: verdictOf(ways)}
	for _, w := range ways {
		c.Ways = append(c.Ways, wayOf(w))
	}
	return c
}

func TestChanges(t *testing.T) {
	allow, deny, other := way(posture.ActionAllow, 0, ""), way(posture.ActionErrno, 1, ""), way(posture.ActionErrno, 38, "")
	some, rest := way(posture.ActionAllow, 0, "arg0 == 1"), way(posture.ActionErrno, 1, "arg0 != 1")
	undecided := way(posture.ActionUndecided, 0, "")
	max := uint32(math.MaxUint32)
	for name, c := range map[string]struct {
		here, there *render.SeccompABI
		want        string
	}{
		"equal":      {ranges(calls(0, max, allow)), ranges(calls(0, 9, allow), calls(10, max, allow)), ""},
		"here only":  {ranges(calls(0, max, allow)), ranges(calls(0, 4, allow), calls(5, 7, deny), calls(8, max, allow)), "here-only 5-7"},
		"other only": {ranges(calls(0, max, deny)), ranges(calls(0, 4, deny), calls(5, max, some, rest)), "other-only 5-4294967295"},
		"condition":  {ranges(calls(0, max, allow)), ranges(calls(0, max, some, rest)), "condition 0-4294967295"},
		"action":     {ranges(calls(0, max, deny)), ranges(calls(0, 2, other), calls(3, max, deny)), "action 0-2"},
		"undecided":  {ranges(calls(0, max, undecided)), ranges(calls(0, max, undecided)), "unknown 0-4294967295"},
		"edges": {
			ranges(calls(0, 1, allow), calls(2, 3, deny), calls(4, max, deny)), ranges(calls(0, 2, deny), calls(3, max, deny)),
			"here-only 0-1",
		},
	} {
		var got []string
		for _, change := range changesOf(c.here, c.there) {
			got = append(got, change.Kind+" "+itoa(change.First)+"-"+itoa(change.Last))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// A file that leaves numbers out must not read as one that denies them.
func TestWholeRefuses(t *testing.T) {
	allow := way(posture.ActionAllow, 0, "")
	max := uint32(math.MaxUint32)
	for name, c := range map[string]render.SeccompClass{
		"no ABI":    {State: stateKnown},
		"empty":     {State: stateKnown, ABIs: []render.SeccompABI{*ranges()}},
		"beginning": {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(1, max, allow))}},
		"end":       {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(0, 5, allow))}},
		"hole":      {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(0, 5, allow), calls(7, max, allow))}},
		"twice":     {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(0, 5, allow), calls(5, max, allow))}},
		"backwards": {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(0, 5, allow), calls(6, 3, allow), calls(4, max, allow))}},
		"no way":    {State: stateKnown, ABIs: []render.SeccompABI{*ranges(calls(0, max))}},
		"stranger":  {State: stateKnown, ABIs: []render.SeccompABI{{ABI: "vax", Calls: []render.SeccompCalls{calls(0, max, allow)}}}},
	} {
		if whole(&c) == nil {
			t.Errorf("%s: taken for whole", name)
		}
	}
}

func TestAgrees(t *testing.T) {
	known := func(w posture.Way) posture.Fact[posture.Way] { return posture.Of(w, "", "") }
	allow, eperm, kill := known(way(posture.ActionAllow, 0, "")), known(way(posture.ActionErrno, 1, "")), known(way(posture.ActionKillProcess, 0, ""))
	success, trap, trace := known(way(posture.ActionErrno, 0, "")), known(way(posture.ActionTrap, 0, "")), known(way(posture.ActionTrace, 0, ""))
	const agree, open, differ = "agree", "open", "differ"
	for name, c := range map[string]struct {
		seen posture.Scanned
		want string
	}{
		"allowed, reached":       {posture.Scanned{Answer: posture.AnswerReachable, Filtered: allow}, agree},
		"allowed, no such call":  {posture.Scanned{Answer: posture.AnswerNoCall, Filtered: allow}, agree},
		"allowed, denied":        {posture.Scanned{Answer: posture.AnswerDenied, Filtered: allow}, differ},
		"denied, denied so":      {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Errno: 1, Returned: true, Filtered: eperm}, agree},
		"denied, otherwise":      {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Errno: 13, Returned: true, Filtered: eperm}, differ},
		"denied, reached":        {posture.Scanned{Answer: posture.AnswerReachable, Errno: 14, Returned: true, Filtered: eperm}, differ},
		"denied, no such call":   {posture.Scanned{Answer: posture.AnswerNoCall, Errno: 38, Returned: true, Filtered: eperm}, differ},
		"denied with a success":  {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Returned: true, Filtered: success}, agree},
		"killed, either way":     {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionKillThread, Signal: 31, Filtered: kill}, agree},
		"killed, came back":      {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionErrno, Errno: 1, Returned: true, Filtered: kill}, differ},
		"trapped":                {posture.Scanned{Answer: posture.AnswerDenied, By: posture.ActionTrap, Signal: 31, Filtered: trap}, agree},
		"traced, nobody there":   {posture.Scanned{Answer: posture.AnswerDenied, Errno: 38, Returned: true, Filtered: trace}, agree},
		"traced, reached":        {posture.Scanned{Answer: posture.AnswerReachable, Errno: 14, Returned: true, Filtered: trace}, differ},
		"not seen":               {posture.Scanned{Filtered: eperm, Detail: "blocked"}, open},
		"not evaluated":          {posture.Scanned{Answer: posture.AnswerDenied}, open},
		"evaluated to the bound": {posture.Scanned{Answer: posture.AnswerDenied, Filtered: known(posture.Way{Why: "too many paths"})}, open},
	} {
		got := differ
		switch ok, why := agrees(&c.seen); {
		case ok:
			got = agree
		case why != "":
			got = open
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What is left out on request is named, and nothing else is.
func TestChoose(t *testing.T) {
	deny, allow := way(posture.ActionErrno, 1, ""), way(posture.ActionAllow, 0, "")
	document := func() *render.Seccomp {
		a := calls(0, 9, deny)
		a.Calls = []render.SeccompCall{{Number: 1, Name: "exit"}, {Number: 3, Name: "read"}}
		b := calls(10, math.MaxUint32, allow)
		b.Calls = []render.SeccompCall{{Number: 11, Name: "execve"}}
		return &render.Seccomp{Classes: []render.SeccompClass{{ABIs: []render.SeccompABI{*ranges(a, b), {ABI: "x86-64"}}}}}
	}
	for name, c := range map[string]struct {
		run  seccompRun
		want string
	}{
		"all":      {seccompRun{}, "0-9 10-4294967295"},
		"allowed":  {seccompRun{allowed: true}, "10-4294967295"},
		"by name":  {seccompRun{syscalls: []string{"read", "execve"}}, "3-3 11-11"},
		"both":     {seccompRun{syscalls: []string{"read", "execve"}, allowed: true}, "11-11"},
		"this ABI": {seccompRun{abis: []string{"i386"}}, "0-9 10-4294967295"},
	} {
		d := document()
		c.run.choose(d)
		var got []string
		for _, r := range d.Classes[0].ABIs[0].Calls {
			got = append(got, itoa(r.First)+"-"+itoa(r.Last))
		}
		if strings.Join(got, " ") != c.want || (d.Selection == nil) != (name == "all") || (len(d.Classes[0].ABIs) == 1) != (name == "this ABI") {
			t.Errorf("%s: %q, selection %+v, %d ABIs", name, got, d.Selection, len(d.Classes[0].ABIs))
		}
	}
}

// A file that holds a part only, or nothing that can be compared, is refused.
func TestReadDocument(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":     {"read write", "invalid character"},
		"a part":      {`{"schema": "selfaudit.seccomp/v1", "selection": {"allowed": true}, "classes": [{"threads": [1], "state": "known"}]}`, "only a part"},
		"from inside": {`{"schema": "selfaudit.seccomp/v1", "classes": [], "scan": []}`, "no filters"},
		"a report":    {`{"schema": "selfaudit.report/v1"}`, "schema is selfaudit.report/v1"},
		"hostile":     {`{"schema": "selfaudit.seccomp/v1", "classes": [{"threads": [1], "state": "unreadable", "digest": "\u001b[2J"}]}`, `"\x1b[2J": not hexadecimal`},
		"torn":        {`{"schema": "selfaudit.seccomp/v1", "classes": [{"threads": [1], "mode": "filter", "state": "known", "abis": []}]}`, "no ABI"},
	} {
		file := filepath.Join(t.TempDir(), "document.json")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readDocument(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A named pipe without a writer is empty, and does not hold the command up.
func TestReadDocumentFromPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := readDocument(file)
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("an empty pipe is a document")
		}
	case <-time.After(5 * time.Second):
		t.Error("waits for a writer")
	}
}

// A difference goes before what is not known, and that before success.
func TestSeccompExitCode(t *testing.T) {
	class := func(state, verdict string) []render.SeccompClass {
		return []render.SeccompClass{{State: state, ABIs: []render.SeccompABI{{Calls: []render.SeccompCalls{{Verdict: verdict}}}}}}
	}
	good := class(stateKnown, render.VerdictAllowed)
	diff := func(kind string) *render.SeccompDiff {
		return &render.SeccompDiff{Pairs: []render.SeccompDiffPair{{Changes: []render.SeccompChange{{Kind: kind}}}}}
	}
	compared := func(o ...render.SeccompOpen) *render.SeccompComparison {
		return &render.SeccompComparison{ABIs: []render.SeccompCompared{{ABI: "x86-64", Open: o}}}
	}
	scan := func(answer, why string) []render.SeccompScan {
		return []render.SeccompScan{{Why: why, Calls: []render.SeccompScanned{{Answer: answer}}}}
	}
	use := []render.SeccompUse{{Name: "read"}}
	for name, c := range map[string]struct {
		run  seccompRun
		d    render.Seccomp
		want int
	}{
		"table":                   {seccompRun{}, render.Seccomp{Classes: good}, 0},
		"undecided":               {seccompRun{}, render.Seccomp{Classes: class(stateKnown, render.VerdictUndecided)}, 3},
		"one class not read":      {seccompRun{}, render.Seccomp{Classes: append(class("unreadable", ""), good...)}, 3},
		"no difference":           {seccompRun{}, render.Seccomp{Classes: good, Diff: &render.SeccompDiff{Pairs: []render.SeccompDiffPair{{}}}}, 0},
		"difference":              {seccompRun{}, render.Seccomp{Classes: good, Diff: diff(render.ChangeHereOnly)}, 1},
		"difference, and unknown": {seccompRun{}, render.Seccomp{Classes: class("unreadable", ""), Diff: diff(render.ChangeAction)}, 1},
		"difference not known":    {seccompRun{}, render.Seccomp{Classes: good, Diff: diff(render.ChangeUnknown)}, 3},
		"agrees":                  {seccompRun{}, render.Seccomp{Classes: good, Comparison: compared()}, 0},
		"let through, not made":   {seccompRun{}, render.Seccomp{Classes: good, Comparison: compared(render.SeccompOpen{Evaluated: "ALLOW"})}, 0},
		"denied, not seen":        {seccompRun{}, render.Seccomp{Classes: good, Comparison: compared(render.SeccompOpen{Evaluated: "TRAP"})}, 3},
		"not evaluated":           {seccompRun{}, render.Seccomp{Classes: good, Comparison: compared(render.SeccompOpen{Number: 1})}, 3},
		"asked no filter":         {seccompRun{}, render.Seccomp{Classes: good, Comparison: compared(render.SeccompOpen{Number: 335})}, 0},
		"disagrees": {seccompRun{}, render.Seccomp{Classes: good, Comparison: &render.SeccompComparison{
			Disagreements: []render.SeccompDisagreement{{}}}}, 1},
		"used as let through":   {seccompRun{}, render.Seccomp{Classes: good, Used: []render.SeccompUsed{{}}}, 0},
		"unused":                {seccompRun{}, render.Seccomp{Classes: good, Used: []render.SeccompUsed{{Unused: use}}}, 1},
		"used and denied":       {seccompRun{}, render.Seccomp{Classes: good, Used: []render.SeccompUsed{{Denied: use}}}, 1},
		"used, undecided":       {seccompRun{}, render.Seccomp{Classes: good, Used: []render.SeccompUsed{{Undecided: use}}}, 3},
		"scan":                  {seccompRun{}, render.Seccomp{Scan: scan("reachable", "")}, 0},
		"scan, unknown":         {seccompRun{}, render.Seccomp{Scan: scan("unknown", "")}, 3},
		"scan without a filter": {seccompRun{unfiltered: true}, render.Seccomp{Scan: scan("unknown", "")}, 0},
		"scan cut short":        {seccompRun{unfiltered: true}, render.Seccomp{Scan: scan("reachable", "out of time")}, 3},
	} {
		if got := c.run.exitCode(&c.d); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
