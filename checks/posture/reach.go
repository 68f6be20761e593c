package posture

// Reach is what a process can reach, beside who it is. Each part is unreadable,
// or empty, unless a policy asks for it.
type Reach struct {
	// Namespaces are those that the threads are in, at least one entry for each
	// type.
	Namespaces []Namespace
	// Rlimits are the resource limits, which all threads share: getrlimit(2).
	Rlimits Fact[[]Limit]
	// Labels are those of the security modules AppArmor and SELinux, at least one
	// entry for each.
	Labels []Label
	// Landlock is how many Landlock domains the calling thread is in: landlock(7),
	// Linux 5.13. Only a child of that thread can tell.
	Landlock Fact[int]
	// OpenFiles are the open descriptors, with what each is of.
	OpenFiles OpenFiles
}
