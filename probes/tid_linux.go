package probes

import "syscall"

// threadID returns the calling thread's id: gettid(2).
func threadID() int { return syscall.Gettid() }
