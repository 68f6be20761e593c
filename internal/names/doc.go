// Package names holds the names and numbers of what Linux counts: capabilities,
// securebits, namespaces, resource limits, errnos, signals and system calls, with
// the groups, arguments and equivalents of the last, and the vocabulary of
// attempts.
//
// The package is a leaf. Its tables are literals, laid out by the compiler and
// searched in place, so importing it does no work, and what a program does not
// look up the linker leaves out.
package names

//go:generate go run ./gen -table syscalls -o zz_syscalls.go
//go:generate go run ./gen -table groups -o zz_groups.go
//go:generate go run ./gen -table arguments -o zz_arguments.go
