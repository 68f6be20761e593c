package probes

import "encoding/binary"

// Numbers of arguments, from the kernel's user-space headers.
const (
	atFDCWD           = -100
	mntExpire         = 4
	openTreeClone     = 1
	mountAttrSize     = 32
	ioUringParamsSize = 120
	syslogSizeBuffer  = 10
	afPacket          = 17
	protoICMP         = 1
	protoICMPv6       = 58
	mfdCloexec        = 1
	mfdExec           = 0x10
	cloneNewUser      = 0x10000000
	cloneNewUTS       = 0x04000000
	cloneNewNet       = 0x40000000
	cloneNewNS        = 0x00020000
	cloneSighand      = 0x00000800
	wallClone         = 0x40000000
	pathOnly          = 0x200000 // O_PATH
)

// Options of prctl(2).
const (
	prGetKeepCaps   = 7
	prSetKeepCaps   = 8
	prCapbsetDrop   = 24
	prCapbsetRead   = 23
	prGetSecurebits = 27
	prSetSecurebits = 28
	prCapAmbient    = 47
	ambientIsSet    = 1
	ambientRaise    = 2
)

// structOf lays out 32-bit numbers in the machine's byte order.
func structOf(size int, fields map[int]uint32) []byte {
	b := make([]byte, size)
	for at, v := range fields {
		binary.NativeEndian.PutUint32(b[at:], v)
	}
	return b
}

// Structures for the catalogue, as the bytes of the little-endian machines
// that it has numbers for.
const (
	zero8 = "\x00\x00\x00\x00\x00\x00\x00\x00"

	// mapAttr is union bpf_attr for BPF_MAP_CREATE of an array of one number.
	mapAttr = "\x02\x00\x00\x00" + "\x04\x00\x00\x00" + "\x04\x00\x00\x00" + "\x01\x00\x00\x00" + zero8 + zero8 + zero8 + zero8

	// perfAttr is struct perf_event_attr of a software dummy event that
	// counts nothing, disabled, without the kernel and the hypervisor.
	perfAttr = "\x01\x00\x00\x00" + "\x70\x00\x00\x00" + "\x09\x00\x00\x00\x00\x00\x00\x00" + zero8 + zero8 + zero8 +
		"\x61\x00\x00\x00\x00\x00\x00\x00" + zero8 + zero8 + zero8 + zero8 + zero8 + zero8 + zero8 + zero8

	// fileHandle is struct file_handle of a type that most file systems
	// have, for an inode that none has.
	fileHandle = "\x08\x00\x00\x00" + "\x01\x00\x00\x00" + "\xf0\xff\xff\xff" + "\xf0\xff\xff\xff"

	// timexTick is struct timex with ADJ_TICK and a tick of 0.
	timexTick = "\x00\x40\x00\x00\x00\x00\x00\x00" + zero64 + zero64 + zero64 + zero64
	zero64    = zero8 + zero8 + zero8 + zero8 + zero8 + zero8 + zero8 + zero8
)
