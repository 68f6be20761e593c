//go:build linux

package main

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_AARCH64

// nativeCalls are what Go needs on this architecture alone.
var nativeCalls = []uint32{unix.SYS_FSTATAT}
