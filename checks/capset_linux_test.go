package checks_test

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

type held struct{ eff, prm, inh uint64 }

func address(p *uint32) uintptr { return uintptr(unsafe.Pointer(p)) } // p is kept alive by the caller

func capget() (held, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&hdr, &d[0]); err != nil {
		return held{}, fmt.Errorf("capget: %w", err)
	}
	return held{
		uint64(d[0].Effective) | uint64(d[1].Effective)<<32,
		uint64(d[0].Permitted) | uint64(d[1].Permitted)<<32,
		uint64(d[0].Inheritable) | uint64(d[1].Inheritable)<<32,
	}, nil
}

func capset(eff, prm, inh uint64) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	d := [2]unix.CapUserData{
		{Effective: uint32(eff), Permitted: uint32(prm), Inheritable: uint32(inh)},
		{Effective: uint32(eff >> 32), Permitted: uint32(prm >> 32), Inheritable: uint32(inh >> 32)},
	}
	if err := unix.Capset(&hdr, &d[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
