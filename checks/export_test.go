package checks

import "github.com/selfaudit/selfaudit/checks/posture"

// ExecveByRealIDs is for the comparison with the kernel that runs the tests.
func ExecveByRealIDs(c Credentials) posture.CapSets { return c.execveByRealIDs() }
