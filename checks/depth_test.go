package checks_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
)

// initial are the id maps of the machine's initial user namespace, nested those
// of one with a single id.
var (
	initial = posture.UserNamespace{UIDMap: idMap(posture.MapEntry{Size: 1<<32 - 1}), GIDMap: idMap(posture.MapEntry{Size: 1<<32 - 1})}
	nested  = posture.UserNamespace{UIDMap: idMap(posture.MapEntry{Inside: 1000, Outside: 1000, Size: 1}), GIDMap: idMap(posture.MapEntry{Inside: 1000, Outside: 1000, Size: 1})}
)

func idMap(m ...posture.MapEntry) posture.Fact[[]posture.MapEntry] {
	return fact(m, "/proc/10/uid_map", "map")
}

func stoppedBy(name string, by, also posture.Stopper, tids ...int) posture.Attempt {
	return posture.Attempt{Name: name, TIDs: tids, Outcome: posture.Stopped, By: by, Also: also, Evidence: []posture.Evidence{{Source: name, Value: "EPERM"}}}
}

const (
	byUnknown    = posture.StoppedUnknown
	byFilter     = posture.StoppedByFilter
	byCapability = posture.StoppedByCapability
	byPermission = posture.StoppedByPermission
	byKernel     = posture.StoppedByKernel
)

// noNamespace are the attempts at a user namespace, all of them stopped.
func noNamespace() []posture.Attempt {
	return []posture.Attempt{stoppedBy("userns", byFilter, 0), stoppedBy("userns-clone", byFilter, 0), stoppedBy("userns-clone3", byFilter, 0)}
}

// attacked is a confined process of one thread in the initial user namespace, as
// it is seen from outside, where just these attempts were made.
func attacked(filter filterSpec, attempts ...posture.Attempt) *posture.Process {
	p := confined(1)
	mute(p)
	p.Self, p.UserNamespace = false, initial
	p.Classes[0].Filters = filter.fetched()
	p.Attempts = attempts
	return p
}

// with changes a process.
func with(p *posture.Process, change ...func(*posture.Thread)) *posture.Process {
	for _, c := range change {
		c(&p.Classes[0].Thread)
	}
	return p
}

func layersOf(t *testing.T, p *posture.Process, attack string) report.Depth {
	t.Helper()
	all := checks.Depths(p)
	i := slices.IndexFunc(all, func(d report.Depth) bool { return d.Attack == attack })
	if i < 0 {
		t.Fatalf("no depth of %s among %v", attack, all)
	}
	return all[i]
}

func permitted(set posture.CapSet) func(*posture.Thread) {
	return func(t *posture.Thread) { t.Caps.Permitted.Value = set }
}

// TestDepthLayers: what counts as a layer, what does not, and what is not known.
func TestDepthLayers(t *testing.T) {
	denies, allows := denyList("mount setuid socket bpf setgroups settimeofday capset prctl io_uring_setup bind"), denyList("reboot")
	i386 := func(name string, w []posture.Way) filterSpec {
		return denies.otherwise("i386", refused).with("i386", name, w...)
	}
	conditional := ways(posture.ActionAllow, posture.ActionErrno)
	plus := func(one posture.Attempt, more ...posture.Attempt) []posture.Attempt { return append(more, one) }
	for _, c := range []struct {
		name    string
		p       *posture.Process
		attack  string
		layers  string
		unknown string
		note    string
	}{
		// Filter and capability, one behind the other.
		{"filter and capability", attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), "mount", "filter capability", "", "mount is denied whatever its arguments"},
		{"the attempt alone, no filter read", with(attacked(denies, plus(stoppedBy("mount", byFilter, 0), noNamespace()...)...), func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }),
			"mount", "filter capability", "", "a filter answered the attempt"},
		{"no filter read, and none that answered", with(attacked(denies, plus(stoppedBy("mount", byCapability, 0), noNamespace()...)...), func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }),
			"mount", "capability", "filter", "EACCES"},
		{"capability alone", attacked(allows, plus(stoppedBy("mount", byCapability, 0), noNamespace()...)...), "mount", "capability", "", "filter: x86-64 165 (mount) is allowed"},
		{"no filter at all", with(attacked(allows, plus(stoppedBy("mount", byCapability, 0), noNamespace()...)...), noFilter), "mount", "capability", "", "no filter is loaded"},
		{"filter alone: the capability is there", with(attacked(denies, plus(stoppedBy("mount", byFilter, 0), noNamespace()...)...), permitted(capSysAdmin), func(t *posture.Thread) { t.Caps.Effective.Value = capSysAdmin }),
			"mount", "filter", "", "CAP_SYS_ADMIN is effective"},
		{"filter alone: the capability is permitted", with(attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), permitted(capSysAdmin)), "mount", "filter", "", "CAP_SYS_ADMIN is permitted"},
		{"the sets are not known", with(attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), func(t *posture.Thread) { t.Caps.Effective = unreadable[posture.CapSet]() }),
			"mount", "filter", "capability", "the effective set"},
		{"an execve grants it", with(attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), func(t *posture.Thread) {
			t.UID.Value.Saved, t.Caps.Bounding.Value, t.NoNewPrivs.Value = mapped(0), capSysAdmin, false
		}), "mount", "filter", "", "an execve(2) of any program grants CAP_SYS_ADMIN"},
		{"no_new_privs keeps an execve from that", with(attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), func(t *posture.Thread) {
			t.UID.Value.Saved, t.Caps.Bounding.Value = mapped(0), capSysAdmin
		}), "mount", "filter capability", "", ""},
		{"whether an execve grants it is not known", with(attacked(denies, plus(stoppedBy("mount", byFilter, byCapability), noNamespace()...)...), func(t *posture.Thread) {
			t.NoNewPrivs = unreadable[bool]()
		}), "mount", "filter", "capability", "what an execve(2) grants is not known"},

		// A user namespace gives some capabilities.
		{"a user namespace gives it", attacked(denies, stoppedBy("mount", byFilter, byCapability), posture.Attempt{Name: "userns", Outcome: posture.Succeeded}), "mount", "filter", "", "a user namespace, which can be made (userns)"},
		{"a user namespace gives it, where it was all", attacked(allows, stoppedBy("mount", byCapability, 0), posture.Attempt{Name: "userns-clone3", Outcome: posture.Succeeded}), "mount", "", "", "userns-clone3"},
		{"whether one can be made was not tried", attacked(denies, stoppedBy("mount", byFilter, byCapability)), "mount", "filter", "capability", "whether one can be made (userns-clone3) is not known"},
		{"not tried, and the kernel refused", attacked(allows, stoppedBy("mount", byCapability, 0)), "mount", "capability", "", ""},
		{"it does not give the clock", attacked(denies, stoppedBy("settimeofday", byFilter, byCapability), posture.Attempt{Name: "userns", Outcome: posture.Succeeded}), "settimeofday", "filter capability", "", ""},
		{"in a user namespace the clock is out of reach", func() *posture.Process {
			p := attacked(denies, stoppedBy("settimeofday", byFilter, 0))
			p.UserNamespace = nested
			return p
		}(), "settimeofday", "filter capability namespace", "", "not the machine's initial one"},
		{"with all capabilities of it too", func() *posture.Process {
			p := with(attacked(allows, stoppedBy("settimeofday", byPermission, 0)), permitted(1<<41-1))
			p.UserNamespace = nested
			return p
		}(), "settimeofday", "namespace", "", ""},
		{"which user namespace is not known", func() *posture.Process {
			p := attacked(denies, stoppedBy("settimeofday", byFilter, 0))
			p.UserNamespace = posture.UserNamespace{}
			return p
		}(), "settimeofday", "filter capability", "namespace", ""},
		{"no id 0 in it", func() *posture.Process {
			p := attacked(allows, stoppedBy("setuid-root", byPermission, 0))
			p.UserNamespace = nested
			return p
		}(), "setuid-root", "namespace", "", "has no user id 0"},

		// ABIs, arguments, io_uring.
		{"i386 lets it through", attacked(i386("mount", allowed), stoppedBy("mount", byFilter, 0)), "mount", "", "capability", "i386 21 (mount) is allowed"},
		{"i386 leaves it to a tracer", attacked(i386("mount", traced), stoppedBy("mount", byCapability, 0)), "mount", "capability", "filter", "left to a tracer"},
		{"x32 lets it through, which this kernel lacks", attacked(denies.otherwise("x32", allowed), stoppedBy("settimeofday", byFilter, 0)), "settimeofday", "filter capability", "", ""},
		{"x32 lets it through, and nobody asked whether there is one", func() *posture.Process {
			p := attacked(denies.otherwise("x32", allowed), stoppedBy("settimeofday", byCapability, 0))
			p.ABIs = nil
			return p
		}(), "settimeofday", "capability", "filter", "whether this kernel has x32 is not known"},
		{"some arguments are denied", attacked(denies.with("x86-64", "bpf", conditional...), stoppedBy("bpf", byCapability, 0)), "bpf", "capability", "filter", "with other arguments it is denied"},
		{"some arguments, the attempt's among them", attacked(denies.with("x86-64", "bpf", conditional...), stoppedBy("bpf", byFilter, 0)), "bpf", "filter", "capability", "a filter answered the attempt"},
		{"only logged", attacked(denies.with("x86-64", "settimeofday", logged...), stoppedBy("settimeofday", byCapability, 0)), "settimeofday", "capability", "", "only logged"},
		{"left to a supervisor", attacked(denies.with("x86-64", "settimeofday", notified...), stoppedBy("settimeofday", byCapability, 0)), "settimeofday", "capability", "filter", "left to a supervisor"},
		{"two sources disagree", attacked(allows, stoppedBy("settimeofday", byFilter, 0)), "settimeofday", "capability", "filter", "two sources disagree"},
		{"a filter answered, and this thread has none", with(attacked(allows, stoppedBy("settimeofday", byFilter, 0)), noFilter), "settimeofday", "capability", "", "no filter is loaded"},
		{"io_uring does it unseen", attacked(denies.with("x86-64", "io_uring_setup", allowed...), plus(stoppedBy("raw-socket", byFilter, byCapability), noNamespace()...)...), "raw-socket", "filter capability", "", "a filter answered"},
		{"io_uring does it unseen, and can be used", attacked(denies.with("x86-64", "io_uring_setup", allowed...),
			append(noNamespace(), stoppedBy("raw-socket", byFilter, byCapability), posture.Attempt{Name: "io-uring-setup", Outcome: posture.Succeeded})...), "raw-socket", "capability", "", "IORING_OP_SOCKET"},
		{"a proven filter answered in place of the capability", with(attacked(denies, stoppedBy("settimeofday", byCapability, 0)), permitted(1<<25)), "settimeofday", "filter", "", ""},
		{"a proven filter answered in place of a setting", attacked(denies, stoppedBy("bpf", byPermission, 0)), "bpf", "filter", "capability", ""},
		{"a proven filter answered, and the sets are not known", with(attacked(denies, stoppedBy("settimeofday", byCapability, 0)), func(t *posture.Thread) { t.Caps.Effective = unreadable[posture.CapSet]() }),
			"settimeofday", "filter", "capability", ""},
		{"strict mode", with(attacked(denies, stoppedBy("settimeofday", byFilter, 0)), func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }), "settimeofday", "filter capability", "", ""},

		// Who answered is not known, or something else.
		{"a filter or the capability", with(attacked(denies, stoppedBy("settimeofday", byUnknown, 0)), func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }), "settimeofday", "capability", "filter", ""},
		{"nobody knows", with(attacked(denies, stoppedBy("io-uring-setup", byUnknown, 0)), func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }), "io-uring-setup", "unknown", "filter", ""},
		{"a setting", attacked(allows, stoppedBy("bpf", byPermission, 0)), "bpf", "permission", "", ""},
		{"a setting behind the filter", attacked(denies, stoppedBy("bpf", byFilter, byCapability)), "bpf", "filter", "capability", "may permit it without CAP_BPF or CAP_SYS_ADMIN"},
		{"the kernel lacks it", attacked(allows, stoppedBy("kexec-load", byKernel, 0)), "kexec-load", "capability kernel", "", ""},

		// Ids and sets.
		{"no id to go back to", attacked(denies, stoppedBy("setuid-root", byFilter, byCapability)), "setuid-root", "filter capability", "", ""},
		{"a saved id of 0 takes no capability", with(attacked(denies, stoppedBy("setuid-root", byFilter, byCapability)), uid(func(i *posture.IDs) { i.Saved = mapped(0) })), "setuid-root", "filter", "", "one of its ids is 0"},
		{"nothing permitted to raise", attacked(denies, stoppedBy("capset", byFilter, 0)), "capset", "filter capability", "", "nothing is permitted that is not effective"},
		{"something permitted to raise", with(attacked(denies, stoppedBy("capset", byFilter, 0)), permitted(capSysAdmin)), "capset", "filter", "", "CAP_SYS_ADMIN is permitted and not effective"},
		{"something permitted, behind prctl", with(attacked(denies, stoppedBy("ambient-raise", byFilter, 0)), permitted(capChown)), "ambient-raise", "filter", "", "CAP_CHOWN is permitted"},

		// How it ended.
		{"it succeeded", attacked(denies, posture.Attempt{Name: "settimeofday", Outcome: posture.Succeeded}), "settimeofday", "", "", ""},
		{"nothing to try it on", attacked(denies, posture.Attempt{Name: "settimeofday", Outcome: posture.NoObject}), "settimeofday", "", "", ""},
		{"it is undecided", attacked(denies, posture.Attempt{Name: "settimeofday", Detail: "the replica differs"}), "settimeofday", "", "", "the replica differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := layersOf(t, c.p, c.attack)
			if got := strings.Join(d.Layers, " "); got != c.layers {
				t.Errorf("layers %q, want %q", got, c.layers)
			}
			if got := strings.Join(d.Unknown, " "); got != c.unknown {
				t.Errorf("unknown %q, want %q", got, c.unknown)
			}
			if !strings.Contains(strings.Join(d.Notes, "\n"), c.note) {
				t.Errorf("%q is not said", c.note)
			}
			if t.Failed() {
				t.Log(strings.Join(d.Notes, "\n"))
			}
		})
	}
}

func deep(n int, attempts ...string) *policy.Policy {
	return &policy.Policy{Probes: policy.Probes{Syscalls: attempts, MinimumDepth: n}}
}

// TestDepthFinding: gap, unknown and pass by how many layers are asked for.
func TestDepthFinding(t *testing.T) {
	denies := denyList("settimeofday")
	both := attacked(denies, stoppedBy("settimeofday", byFilter, byCapability))
	noSets := with(attacked(denies, stoppedBy("settimeofday", byFilter, byCapability)), func(t *posture.Thread) { t.Caps.Effective = unreadable[posture.CapSet]() })
	for _, c := range []struct {
		name    string
		p       *posture.Process
		want    int
		subject string
		status  report.Status
		says    string
	}{
		{"as many as asked", both, 2, "", report.Pass, "at least 2 layers"},
		{"fewer than asked", both, 3, "settimeofday", report.Gap, "stopped by 2 layers (filter, capability), and 3 are asked for"},
		{"it may be enough", noSets, 2, "settimeofday", report.Unknown, "capability: the effective set"},
		{"it cannot be enough", noSets, 3, "settimeofday", report.Gap, "stopped by 1 layer (filter)"},
		{"it is enough as it is", noSets, 1, "", report.Pass, ""},
		{"it succeeded", attacked(denies, posture.Attempt{Name: "settimeofday", Outcome: posture.Succeeded}), 1, "settimeofday", report.Gap, "no layer stops that"},
		{"undecided", attacked(denies, posture.Attempt{Name: "settimeofday", Detail: "the replica differs"}), 1, "settimeofday", report.Unknown, "the replica differs"},
		{"no object", attacked(denies, posture.Attempt{Name: "settimeofday", Outcome: posture.NoObject}), 7, "", report.Pass, ""},
		{"not tried", attacked(denies), 1, "", report.Unknown, "not among those that were made"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := find(t, checks.Run(c.p, deep(c.want, "settimeofday")), "probe.depth", c.subject)
			if f.Status != c.status || !strings.Contains(f.Message, c.says) || f.Status != report.Unknown && len(f.Evidence) == 0 || f.Status == report.Gap && f.Remedy == "" {
				t.Errorf("%+v", f)
			}
		})
	}
	if f := find(t, checks.Run(both, deep(1)), "probe.depth", ""); f.Status != report.Unknown {
		t.Errorf("a depth asked of no attempt: %+v", f)
	}
	if f := find(t, checks.RunWithoutFilters(both, deep(1, "settimeofday")), "probe.depth", ""); f.Status != report.Unknown {
		t.Errorf("a depth that is left out: %+v", f)
	}
}

// TestDepthOfThreads: the thread that meets the fewest layers decides, and is
// named; an unknown of one class hides no gap of another.
func TestDepthOfThreads(t *testing.T) {
	denies := denyList("settimeofday")
	make := func(change func(*posture.Process, *posture.Thread)) *posture.Process {
		p := confined(3)
		mute(p)
		other := apart(p, 11)
		p.Self, p.UserNamespace = false, initial
		for i := range p.Classes {
			p.Classes[i].Filters = denies.fetched()
		}
		p.Attempts = []posture.Attempt{stoppedBy("settimeofday", byFilter, 0, 10, 12), stoppedBy("settimeofday", byFilter, 0, 11)}
		change(p, other)
		return p
	}
	for _, c := range []struct {
		name    string
		change  func(*posture.Process, *posture.Thread)
		status  report.Status
		threads []int
		layers  string
	}{
		{"alike", func(*posture.Process, *posture.Thread) {}, report.Pass, nil, "filter capability"},
		{"one with the capability", func(_ *posture.Process, o *posture.Thread) { o.Caps.Permitted.Value = 1 << 25 }, report.Gap, []int{11}, "filter"},
		{"one without a filter", func(p *posture.Process, o *posture.Thread) {
			noFilter(o)
			p.Attempts[1].By = byCapability
		}, report.Gap, []int{11}, "capability"},
		{"one that can", func(p *posture.Process, o *posture.Thread) { p.Attempts[1].Outcome = posture.Succeeded }, report.Gap, []int{11}, ""},
		{"one that can, and one that is unknown", func(p *posture.Process, o *posture.Thread) {
			p.Attempts[0].Outcome, p.Attempts[1].Outcome = posture.Undecided, posture.Succeeded
		}, report.Gap, []int{11}, ""},
		{"one that is unknown", func(p *posture.Process, o *posture.Thread) { p.Attempts[1].Outcome = posture.Undecided }, report.Unknown, []int{11}, ""},
		{"one that was not tried", func(p *posture.Process, o *posture.Thread) { p.Attempts = p.Attempts[:1] }, report.Unknown, []int{11}, ""},
		{"threads that were not seen", func(p *posture.Process, o *posture.Thread) { p.Threads = unreadable[int]() }, report.Unknown, []int{10, 11, 12}, "filter capability"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := make(c.change)
			subject := "settimeofday"
			if c.status == report.Pass {
				subject = ""
			}
			f := find(t, checks.Run(p, deep(2, "settimeofday")), "probe.depth", subject)
			if f.Status != c.status || !slices.Equal(f.Threads, c.threads) {
				t.Errorf("%s %v %q", f.Status, f.Threads, f.Message)
			}
			if d := layersOf(t, p, "settimeofday"); strings.Join(d.Layers, " ") != c.layers || !slices.Equal(d.Threads, c.threads) {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestDepthNeverGrowsByForgetting: whatever single fact is not known any more,
// no attack meets a layer that it did not meet before, but for the capability or
// the permission whose reason was the fact that is gone.
func TestDepthNeverGrowsByForgetting(t *testing.T) {
	make := func() *posture.Process {
		p := attacked(denyList("mount setuid bpf"))
		for i, a := range names.Attempts() {
			p.Attempts = append(p.Attempts, stoppedBy(a.Name, posture.Stopper(i%5), posture.Stopper(i/5%3)))
		}
		p.Classes[0].UID.Value.Saved, p.Classes[0].Caps.Permitted.Value = mapped(0), capSysAdmin
		return p
	}
	before := map[string]int{}
	for _, d := range checks.Depths(make()) {
		before[d.Attack] = len(d.Layers)
	}
	total := forget(reflect.ValueOf(make()).Elem(), -1, posture.Unreadable)
	for n := range total {
		for _, state := range []posture.State{posture.Unreadable, posture.Absent} {
			p := make()
			forget(reflect.ValueOf(p).Elem(), n, state)
			for _, d := range checks.Depths(p) {
				// What the attempt itself met counts where no fact speaks against it.
				own := p.Attempts[slices.IndexFunc(p.Attempts, func(a posture.Attempt) bool { return a.Name == d.Attack })]
				if len(d.Layers) > before[d.Attack] && own.By == byUnknown && own.Also == byUnknown {
					t.Errorf("fact %d forgotten: %s had %d layers, now %q", n, d.Attack, before[d.Attack], d.Layers)
				}
			}
		}
	}
}

// TestDepthOfAnything: whatever the posture, an attack that succeeded has no
// layer, one that is undecided is no pass, a layer is never known and unknown,
// and asking for more never turns a finding better.
func TestDepthOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"filter", "capability", "namespace", "permission", "kernel", "unknown"}
	for range 100 {
		p := randomAttacked(r)
		all := checks.Depths(p)
		for _, d := range all {
			if d.Outcome == "succeeded" && len(d.Layers) > 0 || d.Layers == nil {
				t.Fatalf("%+v", d)
			}
			for i, l := range d.Layers {
				if !slices.Contains(words, l) || slices.Contains(d.Layers[:i], l) || slices.Contains(d.Unknown, l) {
					t.Fatalf("%+v", d)
				}
			}
		}
		last := map[string]report.Status{}
		for n := 1; n <= 7; n++ {
			for _, d := range all {
				_, v := report.Decide(slices.DeleteFunc(checks.Run(p, deep(n, d.Attack)), func(f report.Finding) bool { return f.ID != "probe.depth" }))
				status := map[report.Verdict]report.Status{report.Confined: report.Pass, report.Exposed: report.Gap}[v]
				if status == report.Pass && (d.Outcome == "succeeded" || d.Outcome == "undecided" || d.Outcome == "stopped" && len(d.Layers) < n) {
					t.Fatalf("%d asked, passed: %+v", n, d)
				}
				was, seen := last[d.Attack]
				if seen && (was == report.Gap && status != report.Gap || was == report.Unknown && status == report.Pass) {
					t.Fatalf("%d asked: %s after %s: %+v", n, status, was, d)
				}
				last[d.Attack] = status
			}
		}
	}
}

func randomAttacked(r *rand.Rand) *posture.Process {
	pick := func(n int) bool { return r.IntN(n) == 0 }
	p := confined(3)
	mute(p)
	p.Self = false
	p.UserNamespace = []posture.UserNamespace{initial, nested, {}}[r.IntN(3)]
	other := apart(p, 11)
	for i, t := range []*posture.Thread{&p.Classes[0].Thread, other} {
		t.Caps.Permitted.Value = posture.CapSet(r.Uint64() & r.Uint64() & (1<<41 - 1))
		t.NoNewPrivs.Value = pick(2)
		if pick(3) {
			t.Caps.Effective = unreadable[posture.CapSet]()
		}
		if pick(3) {
			noFilter(t)
		} else if pick(3) {
			t.Filters = unreadable[posture.Filters]()
		} else {
			spec := denyList("mount setuid unshare clone clone3 bpf").with("x86-64", "socket", ways(posture.Action(r.IntN(9)), posture.Action(r.IntN(9)))...)
			t.Filters = spec.otherwise([]string{"x86-64", "i386", "x32"}[i], allowed).fetched()
		}
	}
	p.Attempts = nil
	for _, a := range names.Attempts() {
		one := func(tids ...int) posture.Attempt {
			return posture.Attempt{Name: a.Name, TIDs: tids, Outcome: posture.Outcome(r.IntN(4)), By: posture.Stopper(r.IntN(5)), Also: posture.Stopper(r.IntN(5))}
		}
		switch r.IntN(4) {
		case 0:
		case 1:
			p.Attempts = append(p.Attempts, one())
		case 2:
			p.Attempts = append(p.Attempts, one(10, 12))
		default:
			p.Attempts = append(p.Attempts, one(10, 12), one(11))
		}
	}
	return p
}

// TestNeedsAreComplete: every attempt has what it needs in the table, in the
// order of the catalogue, and its call exists where it can be made.
func TestNeedsAreComplete(t *testing.T) {
	for _, a := range names.Attempts() {
		need, found := names.NeedOf(a.Name)
		if !found || need.Call == "" || !names.IsSyscall(need.Call) {
			t.Errorf("%s: %+v", a.Name, need)
		}
		if (need.Asked == names.AskedNever) != (len(need.Capabilities) == 0) || need.Nested && need.Asked == names.AskedNever {
			t.Errorf("%s: %+v", a.Name, need)
		}
		if need.ABI != "" {
			if _, known := names.FindABI(need.ABI); !known {
				t.Errorf("%s: %+v", a.Name, need)
			}
		}
	}
}
