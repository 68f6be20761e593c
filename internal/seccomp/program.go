// Package seccomp decodes, runs and evaluates the classic BPF programs that
// seccomp(2) takes as filters. It makes no system call.
package seccomp

// Instruction is struct sock_filter of linux/filter.h.
type Instruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// Program is one filter.
type Program []Instruction

// Data is struct seccomp_data, which a filter looks at: seccomp(2). NR is the
// number as the kernel's int has it, so -1 is 0xffffffff.
type Data struct {
	NR   uint32
	Arch uint32 // AUDIT_ARCH_*
	IP   uint64
	Args [6]uint64
}

// Offsets of struct seccomp_data, in bytes.
const (
	offsetNR   = 0
	offsetArch = 4
	offsetIP   = 8
	offsetArgs = 16
	sizeOfData = 64
)

// SECCOMP_RET_* of linux/seccomp.h. The action is in the high 16 bits.
const (
	RetKillProcess = 0x80000000
	RetKillThread  = 0x00000000
	RetTrap        = 0x00030000
	RetErrno       = 0x00050000
	RetUserNotif   = 0x7fc00000
	RetTrace       = 0x7ff00000
	RetLog         = 0x7ffc0000
	RetAllow       = 0x7fff0000

	RetActionFull = 0xffff0000
	RetData       = 0x0000ffff
)

// MaxInstructions is BPF_MAXINSNS, the most that the kernel takes in a filter.
const MaxInstructions = 4096
