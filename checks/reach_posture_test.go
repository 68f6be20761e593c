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
	askMounts(&pol.Filesystem)
	some := uint64(1024)
	pol.Process.Rlimits = []policy.Rlimit{{Type: "RLIMIT_NOFILE", Soft: &some, Hard: &some}}
	pol.Process.AppArmorProfile, pol.Process.SELinuxLabel, pol.Landlock = "service", "u:r:service_t:s0", true
	pol.Resources = policy.Resources{Memory: 1 << 20, PIDs: 16, CPUQuota: 50000}
	pol.Network.NoAbstract = true
	askNetwork(&pol.Network)
	askMemory(pol)
	pol.Namespaces = policy.Namespaces{Private: names.NamespaceNames(), IDMap: policy.IDMap{Size: 1, NotHostRoot: true}}
}

// confineReach gives a process what passes all of that.
func confineReach(p *posture.Process) {
	confineOpened(p)
	confineAccess(p)
	confineMounts(p)
	confineNetwork(p)
	confineMemory(p)
	p.MakeReach().Programs = fact(posture.ProgramWalk{Files: 100, Counts: fact(true, "ns/mnt", "counts")}, "/", "programs")
	p.MakeReach().AbstractSockets = fact(posture.AbstractSockets{Own: 2}, "/proc/10/task/10/net/unix", "names")
	p.MakeReach().Rlimits = fact([]posture.Limit{{Name: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}}, "/proc/10/task/10/limits", "limits")
	confineResources(p)
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

// confineResources gives the process limits that it cannot undo, whatever its ids
// and capabilities: each is in a cgroup whose files nobody may write.
func confineResources(p *posture.Process) {
	nobody := posture.ID{Value: 65534, Outside: 65534, Unmapped: true}
	owned := posture.Permission{UID: fact(nobody, "statx(2)", ""), GID: fact(nobody, "statx(2)", ""), Mode: 0o444, ACL: fact(false, "statx(2)", "")}
	level := func(file string, limit, period uint64) posture.CgroupLevel {
		l := posture.CgroupLevel{File: file, Limit: limit, Period: period, Shown: true, Sets: []posture.Permission{owned}, Joins: []posture.Permission{owned}}
		l.Raw = "max"
		return l
	}
	p.MakeReach().CgroupLimits = nil
	for _, r := range [...]struct {
		name          string
		limit, period uint64
	}{{"memory", 1 << 20, 0}, {"pids", 16, 0}, {"cpu", 5000, 10000}} {
		p.MakeReach().CgroupLimits = append(p.MakeReach().CgroupLimits, posture.CgroupLimits{
			Resource: r.name, TIDs: threadsOf(p), Whole: true, FileSystem: cgroupDevice, Mounts: fact(0, "/proc/10/task/10/mountinfo", "2 mounts").Origin,
			Levels: fact([]posture.CgroupLevel{
				level("/sys/fs/cgroup/a/b/"+r.name+".max", posture.CgroupUnlimited, r.period),
				level("/sys/fs/cgroup/a/"+r.name+".max", r.limit, r.period),
				level("/sys/fs/cgroup/"+r.name+".max", posture.CgroupUnlimited, 0),
			}, "/sys/fs/cgroup/a/b", "/a/b"),
		})
	}
}

func threadsOf(p *posture.Process) (tids []int) {
	for i := range p.Classes {
		tids = append(tids, p.Classes[i].TIDs...)
	}
	return tids
}
