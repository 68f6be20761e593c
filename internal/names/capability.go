package names

import (
	"strconv"
	"strings"
)

// capabilities are those of capabilities(7), by number, up to the newest of
// them: CAP_CHECKPOINT_RESTORE, Linux 5.9.
var capabilities = [...]string{
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// wordNone stands for a set without members.
const wordNone = "none"

// CapabilityName returns the name of capability n as capabilities(7) spells it:
// "CAP_SYS_ADMIN". A number without a name reads "capability 41".
func CapabilityName(n int) string {
	if n >= 0 && n < len(capabilities) {
		return capabilities[n]
	}
	return "capability " + strconv.Itoa(n)
}

// CapabilityNumber returns the number of a capability, given in any case, with
// or without its prefix CAP_.
func CapabilityNumber(name string) (int, bool) {
	for n, known := range capabilities {
		if strings.EqualFold(name, known) || strings.EqualFold(name, known[len("CAP_"):]) {
			return n, true
		}
	}
	return 0, false
}

// Capabilities returns the names of all capabilities, in the order of their
// numbers. The slice is the caller's.
func Capabilities() []string { return append([]string(nil), capabilities[:]...) }

// CapSetString returns the members of a set in ascending order, separated by
// commas, or "none". Bits that have no name are listed by number.
func CapSetString(set uint64) string {
	if set == 0 {
		return wordNone
	}
	var b strings.Builder
	for n := range 64 {
		if set&(1<<n) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(CapabilityName(n))
	}
	return b.String()
}
