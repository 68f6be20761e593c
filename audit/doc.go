// Package audit tells whether a process is confined: it collects what the
// kernel says of the process, tries in forked children what the policy says
// cannot be done, and holds both against the policy.
//
// A service calls MustBeConfined once it has dropped its privileges and loaded
// its filter, and before it serves:
//
//	audit.MustBeConfined()
//	http.Handle("/readyz", audit.Handler())
//
// A service that changes its root to a directory without a /proc calls Open
// before it does, and uses the Auditor afterwards.
//
// What could not be found out is never a pass: a report's verdict is confined
// only where everything that the policy asks for was seen to hold. Nothing is
// remembered from one audit to the next.
//
// # System calls
//
// An audit makes system calls that the Go runtime does not make by itself;
// docs/probes.md lists them. Under a seccomp(2) filter a forked child tries
// each of them first, and what a filter kills for is left out and unknown. The
// fork itself cannot be tried first: a filter that kills clone(2) without
// CLONE_THREAD kills the process at its first audit, unless WithoutProbes is
// given. With it no child is made, so nothing is tried first, and a filter
// that kills for a call of that list kills the process.
//
// Auditing needs Linux. On other systems everything here returns an error that
// says so, and MustBeConfined panics.
package audit
