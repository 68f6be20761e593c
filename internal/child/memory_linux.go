//go:build linux && !s390x

package child

import (
	"fmt"
	"syscall"
)

// mapShared returns zero memory that forked children share.
func mapShared(size int) ([]byte, error) {
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("child: mmap of %d shared bytes: %w", size, err)
	}
	return mem, nil
}

func unmapShared(mem []byte) error {
	if err := syscall.Munmap(mem); err != nil {
		return fmt.Errorf("child: munmap: %w", err)
	}
	return nil
}
