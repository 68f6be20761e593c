// Package replica makes children of this program into what another process is:
// in its namespaces, root and working directory, with its ids, groups,
// capability sets and seccomp filters. What they may do then, it may do.
//
// Securebits, keep-caps and the Landlock domain of another process cannot be
// read, an LSM label other than AppArmor's is not taken on, and its cgroup only by
// JoinCgroups: these are named.
package replica

import "errors"

// ErrEnded means that the process ended, or that another one has its number.
var ErrEnded = errors.New("ended during the audit")

// ErrChanged means that the process left namespaces or its root directory while
// a replica stood for it.
var ErrChanged = errors.New("changed its namespaces or its root directory during the audit")
