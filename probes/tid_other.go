//go:build !linux

package probes

// threadID returns the id of no thread: there are no facts to go with it.
func threadID() int { return -1 }
