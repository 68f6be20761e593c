package checks_test

import (
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

const (
	gap     = report.Gap
	unknown = report.Unknown
)

// hole is a confined process with something changed, and every finding that is
// then not pass. Threads are 1 unless said; the policy asks for everything.
type hole struct {
	name    string
	threads int
	change  func(*posture.Process)
	ask     func(*policy.Policy)
	want    map[string]report.Status
	// says must be in the message of every finding wanted; tids are the
	// threads that every gap and unknown finding wanted names.
	says string
	tids []int
}

func (h hole) make() (*posture.Process, *policy.Policy) {
	p, pol := confined(max(h.threads, 1)), everything()
	if h.threads > 1 {
		pol.Process.Securebits, pol.Landlock = nil, false
	}
	if h.ask != nil {
		h.ask(pol)
	}
	if h.change != nil {
		h.change(p)
	}
	return p, pol
}

type want = map[string]report.Status

// both changes the class of the leader and the kernel's answer alike.
func both(change func(*posture.Thread)) func(*posture.Process) {
	return func(p *posture.Process) {
		change(&p.Classes[0].Thread)
		change(&p.Kernel[0])
	}
}

// file changes what the status file shows of the leader, and leaves no second
// source.
func file(change func(*posture.Thread)) func(*posture.Process) {
	return func(p *posture.Process) {
		mute(p)
		change(&p.Classes[0].Thread)
	}
}

// one changes the second thread alone.
func one(change func(*posture.Thread)) func(*posture.Process) {
	return func(p *posture.Process) { change(apart(p, 11)) }
}

func uid(change func(*posture.IDs)) func(*posture.Thread) {
	return func(t *posture.Thread) { change(&t.UID.Value) }
}

func noBounds(pol *policy.Policy) {
	pol.Process.Capabilities.Bounding, pol.Process.Capabilities.Exec = nil, nil
}

func execOnly(pol *policy.Policy) {
	*pol = policy.Policy{Process: policy.Process{Capabilities: policy.Capabilities{Exec: new(policy.CapSet)}}}
}

var outsideRoot = fact(true, "statx(2)", "cwd")

func cwd(f posture.Fact[bool]) func(*posture.Process) {
	return func(p *posture.Process) { p.Root.CwdOutside = f }
}

func onlyRoot(root policy.Root) func(*policy.Policy) {
	return func(pol *policy.Policy) { *pol = policy.Policy{Filesystem: policy.Filesystem{Root: root}} }
}

func onlyDescriptors(pol *policy.Policy) {
	*pol = policy.Policy{Descriptors: policy.Descriptors{NoneOutsideRoot: true}}
}

func uniformOnly(pol *policy.Policy) {
	*pol = policy.Policy{Process: policy.Process{UniformThreads: true}}
}

func onlyGroups(g policy.Groups, gid *policy.ID) func(*policy.Policy) {
	return func(pol *policy.Policy) {
		pol.Process.User = policy.User{AdditionalGIDs: &g, GID: gid}
	}
}

func unreadable[T any]() posture.Fact[T] {
	return posture.Failed[T]("somewhere", "read somewhere: EACCES")
}
func absent[T any]() posture.Fact[T] { return posture.None[T]("somewhere", "somewhere: no such line") }

// alone are the findings that lack a second source. For a contradiction there
// is one still: the filters that were read.
func alone(w want) want {
	w["capabilities.securebits"] = unknown
	return w
}

// noFilter takes a thread's filters away, as every source shows it.
func noFilter(t *posture.Thread) {
	t.SeccompMode.Value, t.SeccompFilters.Value = 0, 0
	t.Filters.Value = posture.Filters{}
}

// unasked has the policy not ask what filters do.
func unasked(pol *policy.Policy) { pol.Seccomp = policy.Seccomp{Mode: pol.Seccomp.Mode} }

// unread has the filters of every thread not be read.
func unread(p *posture.Process) {
	for i := range p.Classes {
		p.Classes[i].Filters = unreadable[posture.Filters]()
	}
}

// openFilters are all gaps of a thread without a filter.
func openFilters(w want) want {
	for _, key := range []string{"seccomp.mode", "seccomp.filter", "seccomp.abi i386", "seccomp.surplus", "seccomp.syscall mount", "seccomp.syscall ptrace"} {
		w[key] = gap
	}
	return w
}

// closedFilters are the findings of a thread whose filters are not known.
func closedFilters(w want) want {
	for key := range openFilters(want{}) {
		if key != "seccomp.mode" {
			w[key] = unknown
		}
	}
	return w
}

var holes = []hole{
	// identity.uid, identity.gid
	{name: "saved uid 0", change: both(uid(func(i *posture.IDs) { i.Saved = mapped(0) })), want: want{"identity.uid": gap}, says: "saved user id is 0"},
	{name: "real uid 0, with noroot", change: both(uid(func(i *posture.IDs) { i.Real = mapped(0) })), want: want{"identity.uid": gap}, says: "real user id is 0"},
	{name: "effective uid 0, with noroot", change: both(uid(func(i *posture.IDs) { i.Effective = mapped(0) })), want: want{"identity.uid": gap}, says: "effective user id is 0"},
	{name: "file system uid 0", change: both(uid(func(i *posture.IDs) { i.FS = mapped(0) })), want: want{"identity.uid": gap}, says: "file system user id is 0"},
	{name: "saved gid 0", change: both(func(t *posture.Thread) { t.GID.Value.Saved = mapped(0) }), want: want{"identity.gid": gap}, says: "saved group id is 0"},
	{name: "uid unreadable", change: file(func(t *posture.Thread) { t.UID = unreadable[posture.IDs]() }),
		want: alone(want{"identity.uid": unknown, "capabilities.exec": unknown})},
	{name: "gid absent", change: file(func(t *posture.Thread) { t.GID = absent[posture.IDs]() }), want: alone(want{"identity.gid": unknown})},
	{name: "another uid than the exact one", change: both(uid(func(i *posture.IDs) { i.Saved = mapped(7) })),
		ask: func(pol *policy.Policy) { pol.Process.User.UID = &policy.ID{Exact: 1000} }, want: want{"identity.uid": gap}, says: "saved user id is 7"},
	{name: "exact uid", ask: func(pol *policy.Policy) { pol.Process.User.UID = &policy.ID{Exact: 1000} }, want: want{}},
	{name: "exact uid 0, and it is not", ask: func(pol *policy.Policy) { pol.Process.User.UID = &policy.ID{} }, want: want{"identity.uid": gap}},
	{name: "0 outside, 5 inside", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Value: 5} })), want: want{}},
	{name: "0 inside, 100000 outside", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Outside: 100000} })), want: want{"identity.uid": gap}},
	{name: "unmapped, 0 outside", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Value: 65534, Unmapped: true} })),
		want: want{"identity.uid": gap}, says: "0 outside"},
	{name: "unmapped, 1000 outside", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Value: 65534, Outside: 1000, Unmapped: true} })), want: want{}},
	{name: "unmapped on both sides", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Value: 65534, Outside: 65534, Unmapped: true} })),
		want: want{"identity.uid": unknown}, says: "not mapped"},
	{name: "unmapped on both sides, in two threads", threads: 2, change: both(func(t *posture.Thread) {
		t.GID.Value.Saved = posture.ID{Value: 65534, Outside: 65534, Unmapped: true}
	}), want: want{"identity.gid": unknown, "threads.uniform": unknown}},
	{name: "unmapped groups of two threads", threads: 2, ask: uniformOnly, change: both(func(t *posture.Thread) {
		t.Groups.Value = []posture.ID{{Value: 65534, Outside: 65534, Unmapped: true}}
	}), want: want{"threads.uniform": unknown}},
	{name: "unmapped groups of two threads, seen from outside", threads: 2, ask: uniformOnly, change: both(func(t *posture.Thread) {
		t.Groups.Value = []posture.ID{{Value: 65534, Outside: 1000, Unmapped: true}}
	}), want: want{}},
	{name: "unmapped, exact", change: both(uid(func(i *posture.IDs) { i.Saved = posture.ID{Value: 65534, Outside: 1000, Unmapped: true} })),
		ask: func(pol *policy.Policy) { pol.Process.User.UID = &policy.ID{Exact: 65534} }, want: want{"identity.uid": gap}, says: "real user id is 1000"},
	{name: "all unmapped, exact", change: both(uid(func(i *posture.IDs) {
		u := posture.ID{Value: 65534, Outside: 65534, Unmapped: true}
		*i = posture.IDs{Real: u, Effective: u, Saved: u, FS: u}
	})), ask: func(pol *policy.Policy) { pol.Process.User.UID = &policy.ID{Exact: 65534} }, want: want{"identity.uid": unknown}},

	// identity.groups
	{name: "group 0", change: both(func(t *posture.Thread) { t.Groups.Value = []posture.ID{mapped(0)} }), want: want{"identity.groups": gap}},
	{name: "group 0 that is primary", change: both(func(t *posture.Thread) { t.GID.Value = sameIDs(0); t.Groups.Value = []posture.ID{mapped(0)} }),
		want: want{"identity.groups": gap, "identity.gid": gap}},
	{name: "group not on the list", ask: onlyGroups(policy.Groups{}, nil), want: want{"identity.uid": report.Skipped, "identity.gid": report.Skipped, "identity.groups": gap}},
	{name: "the primary group and one on the list", ask: onlyGroups(policy.Groups{Allowed: []uint32{44}}, nil),
		want: want{"identity.uid": report.Skipped, "identity.gid": report.Skipped}},
	{name: "a primary group that is itself a gap", ask: onlyGroups(policy.Groups{Allowed: []uint32{44}}, &policy.ID{Exact: 5}),
		want: want{"identity.uid": report.Skipped, "identity.gid": gap, "identity.groups": gap}},
	{name: "no groups", change: both(func(t *posture.Thread) { t.Groups.Value = nil }), ask: onlyGroups(policy.Groups{}, nil),
		want: want{"identity.uid": report.Skipped, "identity.gid": report.Skipped}},
	{name: "groups absent", change: file(func(t *posture.Thread) { t.Groups = absent[[]posture.ID]() }), want: alone(want{"identity.groups": unknown})},
	{name: "primary group unreadable", change: file(func(t *posture.Thread) { t.GID = unreadable[posture.IDs]() }),
		ask: onlyGroups(policy.Groups{Allowed: []uint32{44}}, nil), want: alone(want{"identity.uid": report.Skipped, "identity.gid": report.Skipped, "identity.groups": unknown})},
	{name: "unmapped group", change: both(func(t *posture.Thread) {
		t.Groups.Value = []posture.ID{{Value: 65534, Outside: 65534, Unmapped: true}}
	}), want: want{"identity.groups": unknown}},
	{name: "unmapped group 0", change: both(func(t *posture.Thread) { t.Groups.Value = []posture.ID{{Value: 65534, Unmapped: true}} }), want: want{"identity.groups": gap}},

	// capabilities
	{name: "effective", change: both(func(t *posture.Thread) { t.Caps.Effective.Value = capSysAdmin }), want: want{"capabilities.effective": gap}, says: "CAP_SYS_ADMIN"},
	{name: "permitted", change: both(func(t *posture.Thread) { t.Caps.Permitted.Value = capSysAdmin }), want: want{"capabilities.permitted": gap}, says: "CAP_SYS_ADMIN"},
	{name: "inheritable", change: both(func(t *posture.Thread) { t.Caps.Inheritable.Value = capSysAdmin }),
		ask: func(pol *policy.Policy) { pol.Process.Capabilities.Exec = nil }, want: want{"capabilities.inheritable": gap, "capabilities.exec": report.Skipped, "contradiction execve": gap}},
	{name: "ambient", change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.Caps.Ambient.Value = capSysAdmin })(p)
		p.AfterExec.Value = posture.CapSets{Ambient: capSysAdmin, Permitted: capSysAdmin, Effective: capSysAdmin}
	}, want: want{"capabilities.ambient": gap, "capabilities.exec": gap}, says: "CAP_SYS_ADMIN"},
	{name: "bounding", change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.Caps.Bounding.Value = capSysAdmin })(p)
		p.AfterExec.Value.Bounding = capSysAdmin
	}, want: want{"capabilities.bounding": gap}, says: "CAP_SYS_ADMIN"},
	{name: "a bit above the last capability", change: both(func(t *posture.Thread) { t.Caps.Effective.Value = 1 << 63 }), want: want{"capabilities.effective": gap}, says: "capability 63"},
	{name: "allowed", change: both(func(t *posture.Thread) { t.Caps.Effective.Value, t.Caps.Permitted.Value = capNetBind, capNetBind }),
		ask: func(pol *policy.Policy) {
			c := policy.CapSet(capNetBind | capChown)
			pol.Process.Capabilities.Effective, pol.Process.Capabilities.Permitted = &c, &c
		}, want: want{}},
	{name: "permitted unreadable", change: file(func(t *posture.Thread) { t.Caps.Permitted = unreadable[posture.CapSet]() }),
		want: alone(want{"capabilities.permitted": unknown, "capabilities.exec": unknown, "network.egress": unknown, "network.raw raw sockets": unknown, "network.raw packet sockets": unknown})},
	{name: "ambient absent", change: file(func(t *posture.Thread) { t.Caps.Ambient = absent[posture.CapSet]() }),
		want: alone(want{"capabilities.ambient": unknown, "capabilities.exec": unknown})},

	// capabilities.securebits
	{name: "keep-caps", change: func(p *posture.Process) { p.Kernel[0].Securebits.Value |= names.SecbitKeepCaps }, want: want{"capabilities.securebits": gap}, says: "keep-caps"},
	{name: "keep-caps that the policy lists", change: func(p *posture.Process) { p.Kernel[0].Securebits.Value |= names.SecbitKeepCaps },
		ask: func(pol *policy.Policy) { pol.Process.Securebits.Set |= names.SecbitKeepCaps }, want: want{}},
	{name: "noroot missing", change: func(p *posture.Process) { p.Kernel[0].Securebits.Value = 0 }, want: want{"capabilities.securebits": gap}, says: "without noroot"},
	{name: "another process's securebits", change: func(p *posture.Process) { p.Self = false; mute(p) }, want: alone(want{})},
	{name: "other threads' securebits", threads: 3, ask: func(pol *policy.Policy) { pol.Process.Securebits = &policy.Securebits{} },
		want: want{"capabilities.securebits": unknown}, says: "the thread itself alone", tids: []int{11, 12}},
	{name: "keep-caps, and other threads", threads: 3, change: func(p *posture.Process) { p.Kernel[0].Securebits.Value = names.SecbitKeepCaps },
		ask: func(pol *policy.Policy) { pol.Process.Securebits = &policy.Securebits{} }, want: want{"capabilities.securebits": gap}, tids: []int{10}},

	// privilege.no_new_privs, seccomp.mode
	{name: "no_new_privs not set", change: both(func(t *posture.Thread) { t.NoNewPrivs.Value = false }), want: want{"privilege.no_new_privs": gap}},
	{name: "no_new_privs absent", change: file(func(t *posture.Thread) { t.NoNewPrivs = absent[bool]() }),
		want: alone(want{"privilege.no_new_privs": unknown, "capabilities.exec": unknown})},
	{name: "no_new_privs absent, prctl knows", change: func(p *posture.Process) { p.Classes[0].NoNewPrivs = absent[bool]() }, want: want{}},
	{name: "no_new_privs absent, prctl knows of one thread", threads: 2, change: func(p *posture.Process) { p.Classes[0].NoNewPrivs = absent[bool]() },
		want: want{"privilege.no_new_privs": unknown, "capabilities.exec": unknown, "threads.uniform": unknown}},
	{name: "seccomp disabled", change: both(noFilter), want: openFilters(want{})},
	{name: "seccomp strict for filter", ask: unasked, change: both(func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }), want: want{}},
	{name: "seccomp filter for strict", ask: func(pol *policy.Policy) { pol.Seccomp.Mode = policy.ModeStrict }, want: want{"seccomp.mode": gap}},
	{name: "seccomp mode without a name", change: both(func(t *posture.Thread) { t.SeccompMode.Value = 3 }), want: closedFilters(want{"seccomp.mode": unknown})},
	{name: "seccomp unreadable", change: file(func(t *posture.Thread) { t.SeccompMode = unreadable[int]() }), want: alone(want{"seccomp.mode": unknown})},

	// one thread of several
	{name: "one thread with a capability", threads: 3, change: one(func(t *posture.Thread) { t.Caps.Permitted.Value = capSysAdmin }),
		want: want{"capabilities.permitted": gap, "threads.uniform": gap}, says: "thread 11", tids: []int{11}},
	{name: "one thread with saved uid 0", threads: 2, change: one(uid(func(i *posture.IDs) { i.Saved = mapped(0) })),
		want: want{"identity.uid": gap, "threads.uniform": gap}, says: "thread 11", tids: []int{11}},
	{name: "one thread without seccomp", threads: 2, change: one(noFilter),
		want: openFilters(want{"threads.uniform": gap}), tids: []int{11}},
	{name: "one thread with more filters", threads: 2, ask: unasked, change: func(p *posture.Process) { apart(p, 11).SeccompFilters.Value = 2; unread(p) }, want: want{"threads.uniform": gap}, says: "Seccomp_filters", tids: []int{11}},
	{name: "one thread with less", threads: 2, change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.Groups.Value = []posture.ID{mapped(1000)} })(p)
		apart(p, 11)
	}, want: want{"threads.uniform": gap}, says: "Groups", tids: []int{11}},
	{name: "one thread unreadable", threads: 2, change: one(func(t *posture.Thread) { t.Caps.Permitted = unreadable[posture.CapSet]() }),
		ask: noRaw, want: want{"capabilities.permitted": unknown, "capabilities.exec": unknown, "threads.uniform": unknown}, tids: []int{11}},
	{name: "a gap outweighs what is unknown elsewhere", threads: 3, change: func(p *posture.Process) {
		apart(p, 11).Caps.Permitted = unreadable[posture.CapSet]()
		apart(p, 12).Caps.Permitted.Value = capSysAdmin
	}, ask: noRaw, want: want{"capabilities.permitted": gap, "capabilities.exec": unknown, "threads.uniform": gap}},
	{name: "ids that differ outside only", threads: 2, change: one(uid(func(i *posture.IDs) { i.Real.Outside = 5 })), want: want{"threads.uniform": gap}, tids: []int{11}},
	{name: "groups in another order", threads: 2, change: one(func(t *posture.Thread) { t.Groups.Value = []posture.ID{mapped(44), mapped(1000), mapped(44)} }), want: want{}},
	{name: "filters not counted, seccomp disabled", threads: 2, change: func(p *posture.Process) {
		p.Kernel = p.Kernel[:1]
		both(func(t *posture.Thread) { noFilter(t); t.SeccompFilters = absent[int]() })(p)
	}, want: openFilters(want{})},
	{name: "filters not counted", threads: 2, ask: unasked, change: func(p *posture.Process) { p.Classes[0].SeccompFilters = absent[int](); unread(p) }, want: want{"threads.uniform": unknown}},
	{name: "filters not counted, and read", threads: 2, change: func(p *posture.Process) { p.Classes[0].SeccompFilters = absent[int]() }, want: want{}},
	{name: "one thread with another filter", threads: 2, change: one(func(t *posture.Thread) { t.Filters.Value.Digest = "0dd" }),
		want: want{"threads.uniform": gap}, says: "thread 11 differs from the thread group leader in filters 0dd instead of 5e1f", tids: []int{11}},
	{name: "filters that have no digest", threads: 2, change: both(func(t *posture.Thread) { t.Filters.Value.Digest = "" }), want: want{"threads.uniform": unknown}},
	{name: "the filters of one thread not read", threads: 2, ask: unasked, change: one(func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }), want: want{}},
	{name: "the leader has ended", threads: 2, change: func(p *posture.Process) { p.PID = 9 }, want: want{}},
	{name: "the leader has ended, and others differ", threads: 2, ask: unasked, change: func(p *posture.Process) {
		apart(p, 11).SeccompFilters.Value = 2
		unread(p)
		p.PID = 9
	}, want: want{"threads.uniform": gap}, says: "thread 11 differs from thread 10, the lowest one alive (the thread group leader has ended)", tids: []int{11}},
	{name: "the leader has ended, and of one thread a fact is not known", threads: 2, change: func(p *posture.Process) {
		apart(p, 11).Groups = unreadable[[]posture.ID]()
		p.PID = 9
	}, want: want{"threads.uniform": unknown, "identity.groups": unknown}, tids: []int{11}},
	{name: "the leader has ended, and of the lowest thread a fact is not known", threads: 2, ask: unasked, change: func(p *posture.Process) {
		p.Classes[0].SeccompFilters = absent[int]()
		apart(p, 11)
		unread(p)
		p.PID = 9
	}, want: want{"threads.uniform": unknown}},
	{name: "no leader, and not all threads were read", threads: 2, ask: uniformOnly, change: func(p *posture.Process) { p.PID, p.Threads.Value = 9, 3 },
		want: want{"threads.uniform": unknown}, says: "leader could not be read: only 2 of 3"},
	{name: "no leader, not all threads were read, and others differ", threads: 2, ask: uniformOnly, change: func(p *posture.Process) {
		apart(p, 11).SeccompFilters.Value = 2
		unread(p)
		p.PID, p.Threads = 9, unreadable[int]()
	}, want: want{"threads.uniform": gap}, says: "thread 11 differs from thread 10 in"},
	{name: "a capability that capget(2) alone shows", threads: 2, change: func(p *posture.Process) { p.Kernel[1].Caps.Permitted.Value = capSysAdmin },
		want: want{"capabilities.permitted": gap, "contradiction CapPrm": gap, "threads.uniform": gap}, says: "thread 11", tids: []int{11}},

	// capabilities.exec
	{name: "uid 0, empty sets, full bounding set", ask: execOnly, change: func(p *posture.Process) {
		both(func(t *posture.Thread) {
			t.UID.Value, t.Caps.Bounding.Value, t.NoNewPrivs.Value = sameIDs(0), capSysAdmin, false
		})(p)
		p.Kernel[0].Securebits.Value = 0
		p.AfterExec.Value = posture.CapSets{Permitted: capSysAdmin, Effective: capSysAdmin, Bounding: capSysAdmin}
	}, want: want{"capabilities.exec": gap}, says: "CAP_SYS_ADMIN"},
	{name: "real uid 0, empty sets, full bounding set", ask: execOnly, change: func(p *posture.Process) {
		both(func(t *posture.Thread) {
			t.UID.Value.Real, t.Caps.Bounding.Value, t.NoNewPrivs.Value = mapped(0), capSysAdmin, false
		})(p)
		p.Kernel[0].Securebits.Value = 0
		p.AfterExec.Value = posture.CapSets{Permitted: capSysAdmin, Bounding: capSysAdmin}
	}, want: want{"capabilities.exec": gap}},
	{name: "uid 0 under no_new_privs with nothing permitted", ask: execOnly, change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.UID.Value, t.Caps.Bounding.Value = sameIDs(0), capSysAdmin })(p)
		p.Kernel[0].Securebits.Value = 0
		p.AfterExec.Value = posture.CapSets{Bounding: capSysAdmin}
	}, want: want{}},
	{name: "uid 0 of another process", ask: execOnly, change: file(func(t *posture.Thread) {
		t.UID.Value, t.Caps.Bounding.Value, t.NoNewPrivs.Value = sameIDs(0), capSysAdmin, false
	}), want: want{"capabilities.exec": unknown}},
	{name: "uid 0 with ambient, of another process", ask: execOnly, change: file(func(t *posture.Thread) {
		t.UID.Value, t.Caps.Bounding.Value, t.Caps.Ambient.Value, t.NoNewPrivs.Value = sameIDs(0), capSysAdmin, capChown, false
	}), want: want{"capabilities.exec": gap}},
	{name: "uid 0 of another process, nothing to gain", ask: execOnly, change: file(func(t *posture.Thread) { t.UID.Value = sameIDs(0) }), want: want{}},
	{name: "user without no_new_privs, bounding set", ask: execOnly, change: func(p *posture.Process) {
		file(func(t *posture.Thread) { t.Caps.Bounding.Value, t.NoNewPrivs.Value = capSysAdmin, false })(p)
		p.MakeReach().Programs = posture.Fact[posture.ProgramWalk]{}
	}, want: want{"capabilities.exec": unknown}},
	{name: "user without no_new_privs, nothing in the bounding set", ask: execOnly, change: file(func(t *posture.Thread) { t.NoNewPrivs.Value = false }), want: want{}},
	{name: "uid 0, and other threads' securebits", threads: 2, ask: execOnly, change: func(p *posture.Process) {
		both(func(t *posture.Thread) {
			t.UID.Value, t.Caps.Bounding.Value, t.NoNewPrivs.Value = sameIDs(0), capSysAdmin, false
		})(p)
		p.Kernel[1].Caps.Bounding.Value = capSysAdmin
		p.AfterExec.Value = posture.CapSets{Bounding: capSysAdmin}
	}, want: want{"capabilities.exec": unknown}},

	// filesystem.root
	{name: "the machine's root", change: func(p *posture.Process) { p.Root.Host.Value = true }, want: want{"filesystem.root host": gap}},
	{name: "the machine's root, a root of its own asked", change: func(p *posture.Process) { p.Root.Host.Value = true },
		ask: func(pol *policy.Policy) { pol.Filesystem.Root.NotHost = false }, want: want{"filesystem.root chroot": gap}, says: "the machine's own"},
	{name: "whose root is not known, a root of its own asked", change: func(p *posture.Process) { p.Root.Host = unreadable[bool]() },
		ask: func(pol *policy.Policy) { pol.Filesystem.Root.NotHost = false }, want: want{"filesystem.root chroot": unknown}},
	{name: "a chroot", change: func(p *posture.Process) { p.Root.Chroot.Value = true }, want: want{"filesystem.root chroot": gap}},
	{name: "a chroot, where one is enough", change: func(p *posture.Process) { p.Root.Chroot.Value = true },
		ask: func(pol *policy.Policy) { pol.Filesystem.Root.NotChroot = false }, want: want{}},
	{name: "one thread in the host's root", threads: 2, tids: []int{11}, change: func(p *posture.Process) {
		p.Root.Host.Value, p.Root.Of.Host = true, 11
	}, want: want{"filesystem.root host": gap}, says: "thread 11"},
	{name: "a writable root", change: func(p *posture.Process) { p.Root.ReadOnly.Value = false }, want: want{"filesystem.root readonly": gap}},
	{name: "an unreadable root", change: func(p *posture.Process) {
		p.Root = posture.Root{Host: unreadable[bool](), Chroot: unreadable[bool](), ReadOnly: absent[bool]()}
	}, want: want{"filesystem.root host": unknown, "filesystem.root chroot": unknown, "filesystem.root readonly": unknown, "filesystem.cwd": unknown}},

	// filesystem.cwd
	{name: "a working directory outside", change: cwd(outsideRoot), want: want{"filesystem.cwd": gap}, says: "leads out of the root directory"},
	{name: "a working directory outside, any other root asked", ask: onlyRoot(policy.Root{NotHost: true}), change: cwd(outsideRoot), want: want{"filesystem.cwd": gap}},
	{name: "a working directory outside, a root of its own asked", ask: onlyRoot(policy.Root{NotChroot: true}), change: cwd(outsideRoot), want: want{"filesystem.cwd": gap}},
	{name: "a working directory outside, no descriptor outside asked", ask: onlyDescriptors, change: cwd(outsideRoot), want: want{"filesystem.cwd": gap}},
	{name: "a working directory outside, a read-only root asked", ask: onlyRoot(policy.Root{ReadOnly: true}), change: cwd(outsideRoot), want: want{"filesystem.cwd": report.Skipped}},
	{name: "a working directory within, no descriptor outside asked", ask: onlyDescriptors, want: want{}},
	{name: "a working directory that is unreadable", ask: onlyDescriptors, change: cwd(unreadable[bool]()), want: want{"filesystem.cwd": unknown}, says: "EACCES"},
	{name: "a working directory that is absent", ask: onlyRoot(policy.Root{NotHost: true}), change: cwd(absent[bool]()), want: want{"filesystem.cwd": unknown}},
	{name: "a working directory that was not looked at", change: cwd(posture.Fact[bool]{Value: true}), want: want{"filesystem.cwd": unknown}},

	{name: "a thread with a root of its own outside", threads: 2, tids: []int{11}, ask: onlyDescriptors, change: func(p *posture.Process) {
		p.Root.RootOutside.Value, p.Root.Of.RootOutside = true, 11
	}, want: want{"filesystem.cwd": gap}, says: "leads out of the thread group leader's"},
	{name: "a thread with a root that is unreadable", ask: onlyDescriptors, change: func(p *posture.Process) { p.Root.RootOutside = unreadable[bool]() },
		want: want{"filesystem.cwd": unknown}, says: "EACCES"},

	// fds.directory
	{name: "a directory outside", change: func(p *posture.Process) { p.Descriptors.Value[1].OutsideRoot.Value = true }, want: want{"fds.directory fd 3": gap}, says: `"/srv"`},
	{name: "what is kept, not kept by audit", change: func(p *posture.Process) { p.Descriptors.Value[2].Kept = false }, want: want{"fds.directory fd 4": gap}},
	{name: "a directory somewhere", change: func(p *posture.Process) { p.Descriptors.Value[1].OutsideRoot = unreadable[bool]() }, want: want{"fds.directory fd 3": unknown}},
	{name: "something outside", change: func(p *posture.Process) { p.Descriptors.Value[0].Directory = unreadable[bool]() }, want: want{"fds.directory fd 0": unknown}},
	{name: "something within", change: func(p *posture.Process) { p.Descriptors.Value[1].Directory = unreadable[bool]() }, want: want{}},
	{name: "descriptors unreadable", change: func(p *posture.Process) { p.Descriptors = unreadable[[]posture.Descriptor]() }, want: want{"fds.directory": unknown}},
	{name: "no descriptor at all", change: func(p *posture.Process) { p.Descriptors.Value = nil }, want: want{}},

	// contradiction
	{name: "prctl says otherwise", change: func(p *posture.Process) { p.Kernel[0].NoNewPrivs.Value = false },
		want: want{"contradiction NoNewPrivs": gap, "privilege.no_new_privs": gap, "threads.uniform": report.Pass}, says: "10"},
	{name: "status shows more than the kernel", change: func(p *posture.Process) { p.Classes[0].Caps.Effective.Value = capChown },
		want: want{"contradiction CapEff": gap, "capabilities.effective": gap}, says: "10"},
	{name: "execve leaves more than computed", change: func(p *posture.Process) { p.AfterExec.Value.Permitted = capChown }, want: want{"contradiction execve": gap}, says: "CAP_CHOWN"},
	{name: "execve leaves less than computed", change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.Caps.Ambient.Value = capChown })(p)
	}, ask: func(pol *policy.Policy) { pol.Process.Capabilities.Exec, pol.Process.Capabilities.Ambient = nil, nil },
		want: want{"contradiction execve": gap, "capabilities.exec": report.Skipped, "capabilities.ambient": report.Skipped}},

	{name: "the filters alone have two sources", change: mute, want: alone(want{})},
	{name: "other filters than the kernel counts", change: func(p *posture.Process) { p.Classes[0].SeccompFilters.Value = 2 },
		want: closedFilters(want{"contradiction filters": gap}), says: "1 filter could be read"},
	{name: "no filter read, and one that the kernel shows", change: func(p *posture.Process) { p.Classes[0].Filters.Value = posture.Filters{} },
		want: closedFilters(want{"contradiction filters": gap})},
	{name: "no filter read in filter mode, and none counted", change: func(p *posture.Process) {
		p.Classes[0].Filters.Value, p.Classes[0].SeccompFilters = posture.Filters{}, absent[int]()
	}, want: closedFilters(want{"contradiction filters": gap}), says: "0 filters could be read"},
	{name: "a filter read, and none that the kernel shows", change: both(func(t *posture.Thread) { t.SeccompMode.Value, t.SeccompFilters.Value = 0, 0 }),
		want: closedFilters(want{"contradiction filters": gap, "seccomp.mode": gap})},

	{name: "one source that is in both places", change: func(p *posture.Process) {
		p.Classes[0].Thread = p.Kernel[0]
		p.AfterExec = unreadable[posture.CapSets]()
	}, ask: unasked, want: want{"contradiction": unknown}},

	// threads that were not seen
	{name: "the thread set never stood still", threads: 2, change: func(p *posture.Process) { p.Threads = unreadable[int]() },
		ask: func(pol *policy.Policy) { noBounds(pol); unasked(pol) },
		want: want{"identity.uid": unknown, "process.tracer": unknown, "identity.gid": unknown, "identity.groups": unknown, "capabilities.effective": unknown, "capabilities.permitted": unknown,
			"capabilities.inheritable": unknown, "capabilities.ambient": unknown, "privilege.no_new_privs": unknown, "threads.uniform": unknown, "seccomp.mode": unknown,
			"network.control-socket threads": unknown, "network.egress": unknown, "network.raw raw sockets": unknown, "network.raw packet sockets": unknown,
			"capabilities.bounding": report.Skipped, "capabilities.exec": report.Skipped}},
	{name: "fewer threads read than there are", threads: 2, change: func(p *posture.Process) { p.Threads.Value = 3 },
		want: closedFilters(want{"identity.uid": unknown, "process.tracer": unknown, "identity.gid": unknown, "identity.groups": unknown, "capabilities.effective": unknown, "capabilities.permitted": unknown,
			"capabilities.inheritable": unknown, "capabilities.ambient": unknown, "capabilities.bounding": unknown, "capabilities.exec": unknown,
			"privilege.no_new_privs": unknown, "threads.uniform": unknown, "seccomp.mode": unknown,
			"network.control-socket threads": unknown, "network.egress": unknown, "network.raw raw sockets": unknown, "network.raw packet sockets": unknown})},
	{name: "the calling thread alone, by system calls", change: func(p *posture.Process) {
		p.Classes, p.Threads = nil, unreadable[int]()
		p.Kernel[0].Caps.Permitted.Value = capSysAdmin
	}, ask: func(pol *policy.Policy) {
		*pol = policy.Policy{Process: policy.Process{NoNewPrivileges: true, Capabilities: policy.Capabilities{Permitted: pol.Process.Capabilities.Permitted}}}
	}, want: want{"capabilities.permitted": gap, "privilege.no_new_privs": unknown}},
}

// TestHoles: each hole is found by the checks that ought to, and by no other.
func TestHoles(t *testing.T) {
	for _, h := range slices.Concat(holes, filterHoles, scanHoles, reachHoles) {
		t.Run(h.name, func(t *testing.T) {
			p, pol := h.make()
			findings := checks.Run(p, pol)
			got := not(findings)
			for key, status := range got {
				// How deep the defence is has a table of its own.
				_, named := h.want[key]
				if status == report.Skipped && !named || strings.HasPrefix(key, "probe.depth") {
					delete(got, key)
				}
			}
			wanted := want{}
			for key, status := range h.want {
				if status != report.Pass {
					wanted[key] = status
				}
			}
			if !reflect.DeepEqual(got, wanted) && !(len(got) == 0 && len(wanted) == 0) {
				t.Errorf("findings %v, want %v", got, wanted)
				for _, f := range findings {
					if f.Status != report.Pass && f.Status != report.Skipped {
						t.Logf("%s %s: %s", f.ID, f.Status, f.Message)
					}
				}
			}
			for _, f := range findings {
				status, named := h.want[strings.TrimSpace(f.ID+" "+f.Subject)]
				if !named || status == report.Skipped || status == report.Pass {
					continue
				}
				if h.says != "" && !strings.Contains(f.Message, h.says) {
					t.Errorf("%s: %q does not say %q", f.ID, f.Message, h.says)
				}
				if h.tids != nil && !slices.Equal(f.Threads, h.tids) {
					t.Errorf("%s: threads %v, want %v", f.ID, f.Threads, h.tids)
				}
			}
		})
	}
}
