package checks_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// not returns the findings that are not pass, as "id subject" and status.
func not(findings []report.Finding) map[string]report.Status {
	out := map[string]report.Status{}
	for _, f := range findings {
		if f.Status != report.Pass {
			out[strings.TrimSpace(f.ID+" "+f.Subject)] = f.Status
		}
	}
	return out
}

func TestConfinedPasses(t *testing.T) {
	got := checks.Run(confined(1), everything())
	if rest := not(got); len(rest) > 0 {
		t.Errorf("a confined process of one thread: %v", rest)
	}
	if _, v := report.Decide(got); v != report.Confined {
		t.Errorf("verdict %s", v)
	}
	// With more threads nobody can know the others' securebits and domains.
	want := map[string]report.Status{"capabilities.securebits": report.Unknown, "lsm landlock": report.Unknown}
	if rest := not(checks.Run(confined(3), everything())); !reflect.DeepEqual(rest, want) {
		t.Errorf("a confined process of three threads: %v", rest)
	}
}

// TestNothingAskedIsSkipped: one skipped finding an id; a contradiction is
// always asked for.
func TestNothingAskedIsSkipped(t *testing.T) {
	got := checks.Run(confined(1), &policy.Policy{})
	if len(got) != len(checks.Catalog()) {
		t.Errorf("%d findings for %d ids", len(got), len(checks.Catalog()))
	}
	for _, f := range got {
		want := report.Skipped
		if f.ID == "contradiction" {
			want = report.Pass
		}
		if f.Status != want {
			t.Errorf("%s is %s", f.ID, f.Status)
		}
	}
}

// TestNothingKnownIsNeverPass: the zero posture passes nothing, with no
// exception, and is never confined.
func TestNothingKnownIsNeverPass(t *testing.T) {
	known := map[string]bool{}
	for _, m := range checks.Catalog() {
		known[m.ID] = true
	}
	for _, p := range []*posture.Process{nil, {}, {PID: 10}, {Classes: []posture.Class{{}}}, {Kernel: []posture.Thread{{}}},
		{PID: 10, Threads: fact(1, "a", "b"), Classes: []posture.Class{{TIDs: []int{11}}}}} {
		got := checks.Run(p, everything())
		asked := map[string]bool{}
		for _, f := range got {
			asked[f.ID] = true
			if f.Status != report.Unknown {
				t.Errorf("%+v: %s %s is %s: %s", p, f.ID, f.Subject, f.Status, f.Message)
			}
			if !known[f.ID] {
				t.Errorf("%s is not in the catalogue", f.ID)
			}
		}
		if len(asked) != len(known) {
			t.Errorf("%d ids of %d", len(asked), len(known))
		}
		if _, v := report.Decide(got); v != report.Inconclusive {
			t.Errorf("verdict %s", v)
		}
		for _, profile := range policy.Profiles() {
			if _, v := report.Decide(checks.Run(p, profile.Policy())); v == report.Confined {
				t.Errorf("%+v is confined under %s", p, profile.Name)
			}
		}
	}
	if _, v := report.Decide(checks.Run(nil, nil)); v == report.Confined {
		t.Error("nothing known and nothing asked is confined")
	}
}

// forget makes one fact unreadable or absent, wherever in v it lies, chosen by
// its number. It returns the facts' count.
func forget(v reflect.Value, number int, state posture.State) int {
	n := 0
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if f := v.FieldByName("State"); f.IsValid() && f.Type() == reflect.TypeFor[posture.State]() {
				if n == number {
					f.Set(reflect.ValueOf(state))
					// The value left behind is the one that would pass.
				}
				n++
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	return n
}

// TestForgettingNeverHelps: whatever single fact is taken from an exposed
// process's posture, and whatever its state then, no finding turns from gap or
// unknown to pass. Where one source remains that shows it, the gap stays.
func TestForgettingNeverHelps(t *testing.T) {
	worse := func(f *posture.Thread) {
		f.UID.Value.Saved, f.GID.Value.Real = mapped(0), mapped(0)
		f.Groups.Value = []posture.ID{mapped(0)}
		for _, set := range []*posture.Fact[posture.CapSet]{&f.Caps.Inheritable, &f.Caps.Permitted, &f.Caps.Effective, &f.Caps.Bounding, &f.Caps.Ambient} {
			set.Value = capSysAdmin
		}
		f.NoNewPrivs.Value, f.SeccompMode.Value, f.SeccompFilters.Value = false, 0, 0
	}
	exposed := func() *posture.Process {
		p := confined(2)
		worse(apart(p, 11))
		p.Root.Host.Value, p.Root.ReadOnly.Value, p.Root.CwdOutside.Value = true, false, true
		p.Descriptors.Value[2].Kept = false
		return p
	}
	total := forget(reflect.ValueOf(exposed()).Elem(), -1, posture.Unreadable)
	if total < 50 {
		t.Fatalf("only %d facts", total)
	}
	for _, make := range []func() *posture.Process{exposed, func() *posture.Process { return confined(2) }} {
		before := not(checks.Run(make(), everything()))
		for n := range total {
			for _, state := range []posture.State{posture.Unreadable, posture.Absent} {
				p := make()
				forget(reflect.ValueOf(p).Elem(), n, state)
				after := checks.Run(p, everything())
				for _, f := range after {
					key := strings.TrimSpace(f.ID + " " + f.Subject)
					was, bad := before[key]
					// A contradiction needs both its ends.
					if bad && f.Status == report.Pass && f.ID != "contradiction" {
						t.Errorf("fact %d forgotten: %s turned from %s to pass: %s", n, key, was, f.Message)
					}
				}
				if _, v := report.Decide(after); v == report.Confined {
					t.Errorf("fact %d forgotten: confined", n)
				}
			}
		}
	}
}

// TestOneThreadAsked: every fact of a process with one thread and without a
// second source is needed: forgetting it leaves some finding unknown.
func TestOneThreadAsked(t *testing.T) {
	fresh := func() *posture.Process {
		p := confined(1)
		mute(p)
		return p
	}
	base := len(not(checks.Run(fresh(), everything())))
	for name, f := range map[string]func(*posture.Process) *posture.State{
		"Threads":     func(p *posture.Process) *posture.State { return &p.Threads.State },
		"UID":         func(p *posture.Process) *posture.State { return &p.Classes[0].UID.State },
		"GID":         func(p *posture.Process) *posture.State { return &p.Classes[0].GID.State },
		"Groups":      func(p *posture.Process) *posture.State { return &p.Classes[0].Groups.State },
		"Inheritable": func(p *posture.Process) *posture.State { return &p.Classes[0].Caps.Inheritable.State },
		"Permitted":   func(p *posture.Process) *posture.State { return &p.Classes[0].Caps.Permitted.State },
		"Effective":   func(p *posture.Process) *posture.State { return &p.Classes[0].Caps.Effective.State },
		"Bounding":    func(p *posture.Process) *posture.State { return &p.Classes[0].Caps.Bounding.State },
		"Ambient":     func(p *posture.Process) *posture.State { return &p.Classes[0].Caps.Ambient.State },
		"NoNewPrivs":  func(p *posture.Process) *posture.State { return &p.Classes[0].NoNewPrivs.State },
		"SeccompMode": func(p *posture.Process) *posture.State { return &p.Classes[0].SeccompMode.State },
		"Host":        func(p *posture.Process) *posture.State { return &p.Root.Host.State },
		"Chroot":      func(p *posture.Process) *posture.State { return &p.Root.Chroot.State },
		"ReadOnly":    func(p *posture.Process) *posture.State { return &p.Root.ReadOnly.State },
		"CwdOutside":  func(p *posture.Process) *posture.State { return &p.Root.CwdOutside.State },
		"RootOutside": func(p *posture.Process) *posture.State { return &p.Root.RootOutside.State },
		"Descriptors": func(p *posture.Process) *posture.State { return &p.Descriptors.State },
	} {
		for _, state := range []posture.State{posture.Unreadable, posture.Absent} {
			p := fresh()
			*f(p) = state
			if got := not(checks.Run(p, everything())); len(got) <= base {
				t.Errorf("%s %s: nothing more is unknown: %v", name, state, got)
			}
		}
	}
}

// TestRunIsDeterministic: the same findings in the same order every time, and
// in the report's order.
func TestRunIsDeterministic(t *testing.T) {
	p := confined(4)
	apart(p, 12).Caps.Permitted.Value = capSysAdmin
	apart(p, 13).NoNewPrivs.Value = false
	p.Kernel[0].UID.Value = sameIDs(0)
	first, err := json.Marshal(checks.Run(p, everything()))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		findings := checks.Run(p, everything())
		again, err := json.Marshal(findings)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(first) {
			t.Fatal("two runs differ")
		}
		rand.Shuffle(len(findings), func(i, j int) { findings[i], findings[j] = findings[j], findings[i] })
		report.Sort(findings)
		sorted, err := json.Marshal(findings)
		if err != nil {
			t.Fatal(err)
		}
		if string(sorted) != string(first) {
			t.Fatal("the findings are not in the report's order, or two of them have one id and subject")
		}
	}
}

// TestRunChangesNothing: the posture and the policy stay as they were.
func TestRunChangesNothing(t *testing.T) {
	p, pol := confined(3), everything()
	apart(p, 12).Caps.Permitted.Value = capSysAdmin
	before, _ := json.Marshal([]any{p, pol})
	checks.Run(p, pol)
	if after, _ := json.Marshal([]any{p, pol}); string(after) != string(before) {
		t.Error("Run changed what it was given")
	}
}

// TestEveryFindingIsFilledIn: a gap has all that a reader needs, and lists in
// the JSON form are lists.
func TestEveryFindingIsFilledIn(t *testing.T) {
	for _, h := range slices.Concat(holes, filterHoles, scanHoles, reachHoles) {
		p, pol := h.make()
		for _, f := range checks.Run(p, pol) {
			if f.Evidence == nil {
				t.Errorf("%s: %s: evidence is null", h.name, f.ID)
			}
			if f.Message == "" || strings.Contains(f.Message, "%!") {
				t.Errorf("%s: %s: message %q", h.name, f.ID, f.Message)
			}
			if f.Status != report.Gap {
				continue
			}
			if f.Expected == "" || f.Observed == "" || f.Remedy == "" || len(f.Evidence) == 0 {
				t.Errorf("%s: the gap is not filled in: %+v", h.name, f)
			}
			for _, e := range f.Evidence {
				if e.Source == "" || e.Value == "" {
					t.Errorf("%s: %s: empty evidence %+v", h.name, f.ID, e)
				}
			}
		}
	}
}

// TestEveryCheckHasItsHole: the table below shows a gap of each id that is no
// attempt, and the attempts go one way.
func TestEveryCheckHasItsHole(t *testing.T) {
	opened := map[string]bool{}
	for _, h := range slices.Concat(holes, reachHoles) {
		for key, status := range h.want {
			if id, _, _ := strings.Cut(key, " "); status == report.Gap {
				opened[id] = true
			}
		}
	}
	for _, m := range checks.Catalog() {
		if !opened[m.ID] && !strings.HasPrefix(m.ID, "probe.") {
			t.Errorf("no hole opens %s", m.ID)
		}
	}
}

func find(t *testing.T, findings []report.Finding, id, subject string) report.Finding {
	t.Helper()
	i := slices.IndexFunc(findings, func(f report.Finding) bool { return f.ID == id && f.Subject == subject })
	if i < 0 {
		t.Fatalf("no finding %s %s", id, subject)
	}
	return findings[i]
}
