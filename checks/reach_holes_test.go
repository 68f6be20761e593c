package checks_test

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// namespaceOf returns the entry of that type.
func namespaceOf(p *posture.Process, name string) *posture.Namespace {
	i := slices.IndexFunc(p.MakeReach().Namespaces, func(ns posture.Namespace) bool { return ns.Type == name })
	return &p.MakeReach().Namespaces[i]
}

// reachHoles are those of the checks of what a process can reach.
var reachHoles = slices.Concat(namespaceHoles, withoutNetwork(openedHoles), limitHoles, cgroupHoles, moduleHoles, networkHoles, socketHoles, controlHoles, accessHoles, mountHoles, memoryHoles, runtimeHoles)

var namespaceHoles = []hole{
	{name: "the machine's network", change: func(p *posture.Process) { namespaceOf(p, "net").Initial.Value = true },
		want: want{"namespace net": gap}, says: "network namespace is the machine's own"},
	{name: "one thread in the machine's network", threads: 2, tids: []int{11}, change: func(p *posture.Process) {
		ns := namespaceOf(p, "net")
		ns.TIDs = []int{10}
		other := *ns
		other.TIDs, other.Initial.Value, other.Link.Value = []int{11}, true, "net:[4026531833]"
		p.MakeReach().Namespaces = append(p.MakeReach().Namespaces, other)
	}, want: want{"namespace net": gap}, says: "network"},
	{name: "one thread whose network is not known", threads: 2, tids: []int{11}, change: func(p *posture.Process) {
		ns := namespaceOf(p, "net")
		ns.TIDs = []int{10}
		other := *ns
		other.TIDs, other.Initial = []int{11}, posture.Failed[bool]("/proc/1/task/1/ns/net", "EACCES")
		p.MakeReach().Namespaces = append(p.MakeReach().Namespaces, other)
	}, want: want{"namespace net": unknown}, says: "EACCES"},
	{name: "no time namespaces in this kernel", change: func(p *posture.Process) {
		namespaceOf(p, "time").Initial = posture.None[bool]("/proc/10/task/10/ns/time", "this kernel has no time namespaces")
	}, want: want{"namespace time": unknown}, says: "this kernel has no time namespaces"},
	{name: "namespaces not looked at", change: func(p *posture.Process) { p.MakeReach().Namespaces = nil },
		ask: func(pol *policy.Policy) { pol.Namespaces.Private = []string{"net"} }, want: want{"namespace net": unknown}, says: "not looked at"},
	{name: "no such namespace", ask: func(pol *policy.Policy) { pol.Namespaces.Private = []string{"network"} },
		want: want{"namespace network": unknown}, says: "no such type"},
	{name: "two ids mapped", change: func(p *posture.Process) { p.UserNamespace.UIDMap.Value[0].Size = 2 },
		want: want{"idmap uid_map": gap}, says: "maps 2 ids"},
	{name: "two ids mapped by two lines", change: func(p *posture.Process) {
		p.UserNamespace.GIDMap.Value = append(p.UserNamespace.GIDMap.Value, posture.MapEntry{Inside: 1, Outside: 1, Size: 1})
	}, want: want{"idmap gid_map": gap}, says: "maps 2 ids"},
	{name: "the machine's root mapped", change: func(p *posture.Process) { p.UserNamespace.UIDMap.Value[0].Outside = 0 },
		want: want{"idmap uid_map": gap}, says: "id 1000 is the machine's id 0"},
	{name: "no user namespace of its own", change: func(p *posture.Process) {
		all := []posture.MapEntry{{Size: 1<<32 - 1}}
		p.UserNamespace = posture.UserNamespace{Same: fact(true, "self", "user"), UIDMap: fact(all, "uid_map", "map"), GIDMap: fact(all, "gid_map", "map")}
	}, want: want{"idmap uid_map": gap, "idmap gid_map": gap}, says: "4294967295 ids"},
	{name: "seen from inside", change: func(p *posture.Process) {
		p.UserNamespace.Outermost = posture.Failed[bool]("self", "cannot be told from within")
	}, want: want{"idmap uid_map": unknown, "idmap gid_map": unknown}, says: "from within"},
	{name: "seen from another user namespace", change: func(p *posture.Process) { p.UserNamespace.Outermost.Value = false },
		want: want{"idmap uid_map": unknown, "idmap gid_map": unknown}, says: "not the machine's first"},
	{name: "map not readable", change: func(p *posture.Process) {
		p.UserNamespace.UIDMap = posture.Failed[[]posture.MapEntry]("uid_map", "EACCES")
	}, want: want{"idmap uid_map": unknown}, says: "EACCES"},
}

var limitHoles = []hole{
	{name: "soft limit", change: func(p *posture.Process) { p.MakeReach().Rlimits.Value[0].Soft = 1025 },
		want: want{"limit.rlimit RLIMIT_NOFILE": gap}, says: "soft RLIMIT_NOFILE is 1025"},
	{name: "hard limit", change: func(p *posture.Process) { p.MakeReach().Rlimits.Value[0].Hard = posture.RlimInfinity },
		want: want{"limit.rlimit RLIMIT_NOFILE": gap}, says: "hard RLIMIT_NOFILE is unlimited"},
	{name: "a limit that it may raise", threads: 2, ask: func(pol *policy.Policy) {
		pol.Namespaces, pol.Process.Capabilities = policy.Namespaces{}, policy.Capabilities{}
	},
		change: func(p *posture.Process) {
			all := []posture.MapEntry{{Size: 1<<32 - 1}}
			p.UserNamespace.UIDMap, p.UserNamespace.GIDMap = fact(all, "uid_map", "map"), fact(all, "gid_map", "map")
			apart(p, 11).Caps.Permitted.Value = 1 << 24
		}, want: want{"limit.rlimit RLIMIT_NOFILE": gap, "threads.uniform": gap}, says: ""},
	{name: "limits not readable", change: func(p *posture.Process) {
		p.MakeReach().Rlimits = posture.Failed[[]posture.Limit]("/proc/10/task/10/limits", "EACCES")
	}, want: want{"limit.rlimit RLIMIT_NOFILE": unknown}, says: "EACCES"},
	{name: "no such limit", change: func(p *posture.Process) { p.MakeReach().Rlimits.Value = nil },
		want: want{"limit.rlimit RLIMIT_NOFILE": unknown}, says: "no resource limit"},
	{name: "neither value asked", ask: func(pol *policy.Policy) { pol.Process.Rlimits = []policy.Rlimit{{Type: "RLIMIT_NOFILE"}} },
		want: want{"limit.rlimit RLIMIT_NOFILE": unknown}, says: "neither"},
}

// label returns the label of a module.
func label(p *posture.Process, module string) *posture.Label {
	i := slices.IndexFunc(p.MakeReach().Labels, func(l posture.Label) bool { return l.Module == module })
	return &p.MakeReach().Labels[i]
}

var moduleHoles = []hole{
	{name: "no profile", change: func(p *posture.Process) { l := label(p, "apparmor"); l.Text.Value, l.Mode = "unconfined", "unconfined" },
		want: want{"lsm apparmor": gap}, says: `"unconfined"`},
	{name: "a profile that complains", change: func(p *posture.Process) { label(p, "apparmor").Mode = "complain" },
		want: want{"lsm apparmor": gap}, says: "denies nothing"},
	{name: "profiles of two modes", change: func(p *posture.Process) { label(p, "apparmor").Mode = "mixed" },
		want: want{"lsm apparmor": unknown}, says: "mixed"},
	{name: "a profile of unknown mode", change: func(p *posture.Process) { l := label(p, "apparmor"); l.Mode, l.ModeWhy = "", "no mode" },
		want: want{"lsm apparmor": unknown}, says: "no mode"},
	{name: "one thread without a profile", threads: 2, tids: []int{11}, ask: func(pol *policy.Policy) { pol.Landlock = false }, change: func(p *posture.Process) {
		label(p, "apparmor").TIDs = []int{10}
		other := *label(p, "apparmor")
		other.TIDs, other.Text.Value, other.Mode = []int{11}, "unconfined", "unconfined"
		p.MakeReach().Labels = append(p.MakeReach().Labels, other)
	}, want: want{"lsm apparmor": gap}, says: `"unconfined"`},
	{name: "no AppArmor", change: func(p *posture.Process) {
		label(p, "apparmor").Text = posture.None[string]("attr/current", "no such module")
	},
		want: want{"lsm apparmor": unknown}, says: "no such module"},
	{name: "labels not looked at", change: func(p *posture.Process) { p.MakeReach().Labels = nil },
		want: want{"lsm apparmor": unknown, "lsm selinux": unknown}, says: "not looked at"},
	{name: "another context", change: func(p *posture.Process) { label(p, "selinux").Text.Value = "u:r:unconfined_t:s0" },
		want: want{"lsm selinux": gap}, says: "unconfined_t"},
	{name: "permissive", change: func(p *posture.Process) { label(p, "selinux").Mode = "permissive" },
		want: want{"lsm selinux": gap}, says: "permissive"},
	{name: "no Landlock domain", change: func(p *posture.Process) { p.MakeReach().Landlock.Value = 0 }, want: want{"lsm landlock": gap}, says: "no Landlock domain"},
	{name: "Landlock not tried", change: func(p *posture.Process) { p.MakeReach().Landlock = posture.Fact[int]{} }, want: want{"lsm landlock": unknown}, says: "not collected"},
	{name: "Landlock of one thread", threads: 2, ask: func(pol *policy.Policy) { pol.Landlock, pol.Filesystem = true, policy.Filesystem{} }, want: want{"lsm landlock": unknown}, says: "the other threads"},
}

var networkHoles = []hole{
	{name: "abstract sockets of others", change: func(p *posture.Process) {
		p.MakeReach().AbstractSockets.Value.Others = []posture.AbstractSocket{{Name: "bus", Kind: "stream", Inode: 7}}
	}, want: want{"network.abstract": gap}, says: "abstract socket"},
}
