package posture

// Label is what a security module confines threads with: apparmor(7), selinux(8).
type Label struct {
	// Module is "apparmor" or "selinux".
	Module string
	// Text is the profile's name or the context. Absent where this kernel runs no
	// such module.
	Text Fact[string]
	// Mode is AppArmor's word for what the profile does: "enforce", "complain",
	// "kill", "unconfined"; for SELinux "enforcing" or "permissive". It is empty
	// where that is not known; ModeWhy says why.
	Mode, ModeWhy string
	// TIDs are the threads that have it.
	TIDs []int
}
