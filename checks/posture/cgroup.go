package posture

// CgroupLimits are the limits that cgroups set some threads on one resource:
// cgroups(7).
type CgroupLimits struct {
	// Resource is "memory", "pids" or "cpu".
	Resource string
	// TIDs are the threads that it is about.
	TIDs []int
	// Levels are their cgroup and those above it, the innermost first, as far as
	// a mount shows them. The least limit of all holds. Absent where no
	// hierarchy can have limits on the resource.
	Levels Fact[[]CgroupLevel]
	// Whole is true where nothing above the last level sets a limit.
	Whole bool
	// Mounts is known where Shown of the levels is.
	Mounts Origin
	// FileSystem is the device number of the hierarchy: st_dev of stat(2).
	FileSystem uint64
}

// CgroupLevel is one cgroup.
type CgroupLevel struct {
	// File is what its limit was read from. It may hold bytes that the target
	// chose.
	File string
	// Limit is in bytes, processes, or microseconds of Period; CgroupUnlimited
	// is none.
	Limit, Period uint64
	// Raw is what the file held.
	Raw string
	// Shown is true where a mount that is not read-only shows the cgroup in the
	// mount namespace of the process.
	Shown bool
	// Sets are who may write its limit, and Joins who may let a thread from
	// below join it.
	Sets, Joins []Permission
}

// CgroupUnlimited is no limit.
const CgroupUnlimited = ^uint64(0)
