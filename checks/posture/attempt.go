package posture

// Outcome is how an attempt ended. The zero value is Undecided.
type Outcome uint8

const (
	// Undecided: it could not be tried, or what happened does not tell.
	Undecided Outcome = iota
	// Succeeded: what the policy forbids was done, and its effect read back.
	Succeeded
	// Stopped: the attempt failed. By says at which layer.
	Stopped
	// NoObject: there was nothing to try it on.
	NoObject
)

// String returns the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case Succeeded:
		return "succeeded"
	case Stopped:
		return "stopped"
	case NoObject:
		return "no object"
	default:
		return "undecided"
	}
}

// Stopper is the layer that stopped an attempt. The zero value is not known.
type Stopper uint8

const (
	// StoppedUnknown: it failed, and the answer does not tell who stopped it.
	StoppedUnknown Stopper = iota
	// StoppedByFilter: a seccomp filter.
	StoppedByFilter
	// StoppedByCapability: a capability that the thread lacks.
	StoppedByCapability
	// StoppedByPermission: ids, modes, ptrace access, a sysctl or an LSM.
	StoppedByPermission
	// StoppedByKernel: this kernel does not have the feature.
	StoppedByKernel
)

// String returns the contract's word for the layer.
func (s Stopper) String() string {
	switch s {
	case StoppedByFilter:
		return "filter"
	case StoppedByCapability:
		return "capability"
	case StoppedByPermission:
		return "permission"
	case StoppedByKernel:
		return "kernel"
	default:
		return "unknown"
	}
}

// Evidence is one observation: where it was made and what was seen.
type Evidence struct {
	Source string
	Value  string
}

// Attempt is one probe that was made, and how it ended.
type Attempt struct {
	// Name is the finding's name without "probe.".
	Name string
	// TIDs are the threads for which it speaks: those of the class in whose
	// posture it was made. None: the whole process.
	TIDs    []int
	Outcome Outcome
	// By is meaningful only where Outcome is Stopped.
	By Stopper
	// Also is the layer that would have stopped it behind By, where the
	// facts tell; StoppedUnknown where they do not.
	Also Stopper
	// Detail says in words what was tried and what came of it.
	Detail   string
	Evidence []Evidence
}
