package names

// Group is the policy key that an attempt belongs to.
type Group uint8

const (
	// Reescalation attempts take back an id, a capability or a root.
	Reescalation Group = iota
	// Syscalls attempts are everything else.
	Syscalls
)

// String returns the policy key.
func (g Group) String() string {
	if g == Reescalation {
		return "reescalation"
	}
	return "syscalls"
}

// Attempt is what is said of one probe, whoever makes it.
type Attempt struct {
	// Name is the finding's id without "probe.".
	Name  string
	Group Group
	// Layer and Severity are the report's words for a success.
	Layer, Severity string
	// Does completes the sentence "the process can …".
	Does string
	// Remedy says how it is closed.
	Remedy string
}
