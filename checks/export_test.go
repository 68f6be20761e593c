package checks

// ExecveByRealIDs is for the comparison with the kernel that runs the tests.
var ExecveByRealIDs = execveByRealIDs
