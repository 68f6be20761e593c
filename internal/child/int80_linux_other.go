//go:build linux && !amd64 && !s390x

package child

import "syscall"

// int80 exists on amd64 only; no catalogue asks for it elsewhere.
//
//go:nosplit
//go:norace
func int80(uintptr) (uintptr, syscall.Errno) { return 0, syscall.ENOSYS }
