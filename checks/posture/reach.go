package posture

// Reach is what a process can reach, beside who it is. Each part is unreadable,
// or empty, unless a policy asks for it.
type Reach struct {
	// Mounts are those below the root directory, in the kernel's order.
	Mounts Fact[[]Mount]
	// MountTables are those of all threads, one for each root directory and mount
	// namespace.
	MountTables []MountTable
	// Programs are the set-user-ID and set-group-ID programs, and those with
	// file capabilities.
	Programs Fact[ProgramWalk]
	// Executed is what a plain program really had after an execve(2), in the
	// place of each class of another process's threads.
	Executed []Execution
	// AbstractSockets are those of its network namespace: unix(7).
	AbstractSockets Fact[AbstractSockets]
	// Namespaces are those that the threads are in, at least one entry for each
	// type.
	Namespaces []Namespace
	// Rlimits are the resource limits, which all threads share: getrlimit(2).
	Rlimits Fact[[]Limit]
	// CgroupLimits are those on memory, processes and CPU time, at least one entry
	// for each.
	CgroupLimits []CgroupLimits
	// Labels are those of the security modules AppArmor and SELinux, at least one
	// entry for each.
	Labels []Label
	// Landlock is how many Landlock domains the calling thread is in: landlock(7),
	// Linux 5.13. Only a child of that thread can tell.
	Landlock Fact[int]
	// ControlSockets are what others take orders by, by path.
	ControlSockets Fact[ControlSockets]
	// Networks are the network namespaces that the threads are in.
	Networks Fact[[]Network]
	// InetSockets are those of the open sockets that a namespace lists.
	InetSockets Fact[[]InetSocket]
	// OpenFiles are the open descriptors, with what each is of.
	OpenFiles OpenFiles
	// Access is what of the file system is in reach.
	Access Fact[Access]
	// Memory is the address space.
	Memory Memory
	// Terminals are those that it has a hold on.
	Terminals Terminals
	// Preloads are the variables of the initial environment that name code to
	// load, sorted, without those that are empty: Preloads.
	Preloads Fact[[]string]
	// ProgramFile is the file that it executes.
	ProgramFile ProgramFile
}

// Reach returns what is known of that.
func (p *Process) Reach() *Reach {
	if r, ok := p.reach.(*Reach); ok {
		return r
	}
	return new(Reach)
}

// MakeReach returns it to be filled in.
func (p *Process) MakeReach() *Reach {
	r := p.Reach()
	p.reach = r
	return r
}
