//go:build !linux

package kernel

import "syscall"

var auditCalls [0]AuditCall

func errnoName(e syscall.Errno) string { return e.Error() }

// Uname returns nothing outside Linux.
func Uname() (release, machine string) { return "", "" }

// ProgramFile returns ErrNeedsLinux.
func ProgramFile(string, []byte) (int, error) { return -1, ErrNeedsLinux }
