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

// mapAttr is union bpf_attr for BPF_MAP_CREATE of an array of one number.
func mapAttr() []byte { return structOf(48, map[int]uint32{0: 2, 4: 4, 8: 4, 12: 1}) }

// perfAttr is struct perf_event_attr of a software dummy event that counts
// nothing, disabled, without the kernel and the hypervisor.
func perfAttr() []byte {
	return structOf(112, map[int]uint32{0: 1, 4: 112, 8: 9, 40: 1<<0 | 1<<5 | 1<<6})
}

// fileHandle is struct file_handle of a type that most file systems have, for
// an inode that none has.
func fileHandle() []byte {
	return structOf(16, map[int]uint32{0: 8, 4: 1, 8: 0xfffffff0, 12: 0xfffffff0})
}

// timexTick is struct timex with ADJ_TICK and a tick of 0.
func timexTick() []byte { return structOf(256, map[int]uint32{0: 0x4000}) }
