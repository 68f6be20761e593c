package posture

// Execution is what a plain program had that a child executed in the place of
// threads: a child that has taken on what is known of them, and none of their
// securebits, which nobody outside can read.
type Execution struct {
	// TIDs are the threads for which it speaks. None: the whole process.
	TIDs []int
	// After is unreadable where no program ran, with the reason.
	After Fact[AfterExec]
}

// AfterExec is what a program has after execve(2): credentials(7). Ids are as
// the auditor's user namespace sees them, so only Outside of each is set.
type AfterExec struct {
	UID, GID IDs
	Groups   []ID
	Caps     CapSets
}
