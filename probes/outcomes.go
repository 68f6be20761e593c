package probes

import "github.com/selfaudit/selfaudit/checks/posture"

// Short names of what the plans say most.
const (
	succeededOutcome  = posture.Succeeded
	stoppedOutcome    = posture.Stopped
	undecidedOutcome  = posture.Undecided
	filterStopped     = posture.StoppedByFilter
	capabilityStopped = posture.StoppedByCapability
	permissionStopped = posture.StoppedByPermission
	kernelStopped     = posture.StoppedByKernel
)
