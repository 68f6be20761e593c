//go:build linux

package main

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_X86_64

// nativeCalls are what Go needs on this architecture alone.
var nativeCalls = []uint32{unix.SYS_ARCH_PRCTL, unix.SYS_NEWFSTATAT, unix.SYS_EPOLL_WAIT, unix.SYS_READLINK}
