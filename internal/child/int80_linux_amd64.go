package child

import "syscall"

// rawInt80 makes an i386 system call without arguments.
//
//go:noescape
func rawInt80(nr uintptr) uintptr

// int80 makes the call and tells its error from its result as the kernel does.
//
//go:nosplit
//go:norace
func int80(nr uintptr) (uintptr, syscall.Errno) {
	r := rawInt80(nr)
	if r > ^uintptr(4095) {
		return 0, syscall.Errno(-r)
	}
	return r, 0
}
