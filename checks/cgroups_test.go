package checks_test

import (
	"slices"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// limitsOn returns the entry of a resource.
func limitsOn(p *posture.Process, resource string) *posture.CgroupLimits {
	all := p.MakeReach().CgroupLimits
	return &all[slices.IndexFunc(all, func(l posture.CgroupLimits) bool { return l.Resource == resource })]
}

// changeLimits returns what changes the levels of a resource, the innermost first.
func changeLimits(resource string, change func(*posture.CgroupLimits, []posture.CgroupLevel)) func(*posture.Process) {
	return func(p *posture.Process) {
		l := limitsOn(p, resource)
		change(l, l.Levels.Value)
	}
}

// cgroupDevice is the number of the hierarchy's file system.
const cgroupDevice = 0x1f

// openCgroup opens something of the hierarchy.
func openCgroup(kind posture.FileKind, write bool) func(*posture.Process) {
	return func(p *posture.Process) {
		holdOpen(p, posture.OpenFile{FD: 9, TID: 10, Path: "/a\x1b", Kind: fact(kind, openedSource, "/a"), FileSystem: cgroupDevice,
			Flags: fact(posture.OpenFlags{Write: write}, openedSource, "flags")})
	}
}

func mine(mode uint32) []posture.Permission {
	return []posture.Permission{{UID: fact(mapped(1000), "statx(2)", ""), GID: fact(posture.ID{}, "statx(2)", ""), Mode: mode, ACL: fact(false, "", "")}}
}

func anyones() []posture.Permission {
	all := mine(0o666)
	all[0].UID.Value = posture.ID{}
	return all
}

var memoryGap, memoryUnknown = want{"limit.cgroup memory": gap}, want{"limit.cgroup memory": unknown}

func boundMemory(pol *policy.Policy) {
	*pol = policy.Policy{Resources: policy.Resources{Memory: 1 << 20}}
}

var cgroupHoles = []hole{
	{name: "a byte more", change: changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Limit = 1<<20 + 1 }),
		want: memoryGap, says: "to 1048577 bytes, and at most 1048576 bytes is allowed"},
	{name: "no limit on processes", change: changeLimits("pids", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Limit = posture.CgroupUnlimited }),
		want: want{"limit.cgroup pids": gap}, says: "set no limit on its number of processes"},
	{name: "a quota of a shorter period", change: changeLimits("cpu", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Period = 9999 }),
		want: want{"limit.cgroup cpu": gap}, says: "5000 us in 9999, and at most 50000 us in 100000"},
	{name: "a quota that the longer period exceeds", ask: func(pol *policy.Policy) { pol.Resources = policy.Resources{CPUQuota: 1 << 62, CPUPeriod: 1 << 62} },
		change: changeLimits("cpu", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Limit = 1<<63 + 1; l[1].Period = 1 << 63 }),
		want:   want{"limit.cgroup cpu": gap}, says: ""},
	{name: "what lies above cannot be seen", change: changeLimits("memory", func(c *posture.CgroupLimits, l []posture.CgroupLevel) { c.Whole, l[1].Limit = false, 1<<21 }),
		want: memoryUnknown, says: "cannot be seen from here, and one may set a lower limit"},
	{name: "its own limit", change: changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Sets = mine(0o600) }),
		want: memoryGap, says: `it may write "/sys/fs/cgroup/a/memory.max"`},
	{name: "everybody's limit", change: changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Sets = anyones() }),
		want: memoryGap, says: "does not hold"},
	{name: "a cgroup above that is its own", change: changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[2].Joins = mine(0o644) }),
		want: memoryGap, says: `may join the cgroup of "/sys/fs/cgroup/memory.max" above it`},
	{name: "a limit of unknown owner", change: changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) {
		l[1].Sets = mine(0o644)
		l[1].Sets[0].UID = posture.Failed[posture.ID]("statx(2)", "may stand for any")
	}), want: memoryUnknown, says: "may stand for any"},
	{name: "its own limit, mounts not readable", change: changeLimits("memory", func(c *posture.CgroupLimits, l []posture.CgroupLevel) {
		l[1].Sets, l[1].Shown = mine(0o644), false
		c.Mounts = posture.Origin{Source: "mountinfo", Err: "EACCES"}
	}), want: memoryUnknown, says: "EACCES"},
	{name: "its own limit, by a directory that is open", ask: boundMemory, change: func(p *posture.Process) {
		changeLimits("memory", func(_ *posture.CgroupLimits, l []posture.CgroupLevel) { l[1].Sets, l[1].Shown = mine(0o644), false })(p)
		openCgroup(posture.FileDirectory, false)(p)
	}, want: memoryUnknown, says: `descriptor 9 ("/a\x1b") is of a directory of that hierarchy`},
	{name: "a limit that is open for writing", ask: boundMemory, change: openCgroup(posture.FileRegular, true),
		want: memoryUnknown, says: "is of a file of that hierarchy, open for writing"},
	{name: "a limit that is open for reading", ask: boundMemory, change: openCgroup(posture.FileRegular, false), want: want{}},
	{name: "no hierarchy", change: changeLimits("memory", func(c *posture.CgroupLimits, _ []posture.CgroupLevel) {
		c.Levels = posture.None[[]posture.CgroupLevel]("cgroup", "no cgroup hierarchy")
	}), want: memoryUnknown, says: "no cgroup hierarchy"},
	{name: "no level", change: changeLimits("memory", func(c *posture.CgroupLimits, _ []posture.CgroupLevel) { c.Levels.Value = nil }), want: memoryUnknown},
	{name: "cgroups not looked at", change: func(p *posture.Process) { p.MakeReach().CgroupLimits = nil },
		want: want{"limit.cgroup memory": unknown, "limit.cgroup pids": unknown, "limit.cgroup cpu": unknown}, says: "not looked at"},
	{name: "a period without a quota", ask: func(pol *policy.Policy) { pol.Resources = policy.Resources{CPUPeriod: 5} },
		want: want{"limit.cgroup cpu": unknown}, says: "no quota"},
	{name: "one thread in another cgroup", threads: 2, tids: []int{11}, change: func(p *posture.Process) {
		other := *limitsOn(p, "pids")
		limitsOn(p, "pids").TIDs, other.TIDs = []int{10}, []int{11}
		other.Levels.Value = slices.Clone(other.Levels.Value)
		other.Levels.Value[1].Limit = 17
		p.MakeReach().CgroupLimits = append(p.MakeReach().CgroupLimits, other)
	}, want: want{"limit.cgroup pids": gap}, says: "17 processes"},
}
