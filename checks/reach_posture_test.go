package checks_test

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// askReach adds to a policy everything that can be asked of what a process can reach.
func askReach(pol *policy.Policy) {
	askOpened(&pol.Descriptors)
	askAccess(&pol.Filesystem)
	some := uint64(1024)
	pol.Process.Rlimits = []policy.Rlimit{{Type: "RLIMIT_NOFILE", Soft: &some, Hard: &some}}
	pol.Process.AppArmorProfile, pol.Process.SELinuxLabel, pol.Landlock = "service", "u:r:service_t:s0", true
	pol.Network.NoAbstract = true
	askNetwork(&pol.Network)
	pol.Namespaces = policy.Namespaces{Private: names.NamespaceNames(), IDMap: policy.IDMap{Size: 1, NotHostRoot: true}}
}

// confineReach gives a process what passes all of that.
func confineReach(p *posture.Process) {
	confineOpened(p)
	confineAccess(p)
	confineNetwork(p)
	p.MakeReach().Programs = fact(posture.ProgramWalk{Files: 100, Counts: fact(true, "ns/mnt", "counts")}, "/", "programs")
	p.MakeReach().AbstractSockets = fact(posture.AbstractSockets{Own: 2}, "/proc/10/task/10/net/unix", "names")
	p.MakeReach().Rlimits = fact([]posture.Limit{{Name: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}}, "/proc/10/task/10/limits", "limits")
	one := []posture.MapEntry{{Inside: 1000, Outside: 65532, Size: 1}}
	p.UserNamespace = posture.UserNamespace{
		Same: fact(false, "/proc/10/task/10/ns/user", "user"), Outermost: fact(true, "/proc/9/task/9/ns/user", "user"),
		UIDMap: fact(one, "/proc/10/task/10/uid_map", "map"), GIDMap: fact(slices.Clone(one), "/proc/10/task/10/gid_map", "map"),
	}
	p.MakeReach().Labels = []posture.Label{
		{Module: "apparmor", Text: fact("service", "/proc/10/task/10/attr/apparmor/current", "label"), Mode: "enforce", TIDs: threadsOf(p)},
		{Module: "selinux", Text: fact("u:r:service_t:s0", "/proc/10/task/10/attr/current", "label"), Mode: "enforcing", TIDs: threadsOf(p)},
	}
	p.MakeReach().Landlock = fact(1, "landlock_restrict_self(2)", "domains")
	for _, name := range names.NamespaceNames() {
		source := "/proc/10/task/10/ns/" + name
		p.MakeReach().Namespaces = append(p.MakeReach().Namespaces, posture.Namespace{
			Type: name, TIDs: threadsOf(p), Link: fact(name+":[4026532000]", source, name), Initial: fact(false, source, name), Shared: fact(false, source, name),
		})
	}
}

func threadsOf(p *posture.Process) (tids []int) {
	for i := range p.Classes {
		tids = append(tids, p.Classes[i].TIDs...)
	}
	return tids
}
