package names

import "testing"

func TestCapabilities(t *testing.T) {
	for n := range 41 {
		name := CapabilityName(n)
		for _, spelling := range []string{name, name[len("CAP_"):]} {
			if got, ok := CapabilityNumber(spelling); !ok || got != n {
				t.Errorf("CapabilityNumber(%q) = %d, %v; want %d", spelling, got, ok, n)
			}
		}
	}
	// The two ends and one between are known from capability.h.
	for n, want := range map[int]string{0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 40: "CAP_CHECKPOINT_RESTORE", 41: "capability 41", -1: "capability -1"} {
		if got := CapabilityName(n); got != want {
			t.Errorf("CapabilityName(%d) = %q, want %q", n, got, want)
		}
	}
	for _, bad := range []string{"", "CAP_", "cap", "CAP_SYS_ADMIN ", "CAP_CAP_CHOWN", "capability 1"} {
		if n, ok := CapabilityNumber(bad); ok {
			t.Errorf("CapabilityNumber(%q) = %d", bad, n)
		}
	}
	for set, want := range map[uint64]string{0: "none", 1<<7 | 1: "CAP_CHOWN, CAP_SETUID", 1 << 41: "capability 41", 1 << 63: "capability 63"} {
		if got := CapSetString(set); got != want {
			t.Errorf("CapSetString(%#x) = %q, want %q", set, got, want)
		}
	}
}

func TestSecurebits(t *testing.T) {
	for bits, want := range map[uint32]string{
		0: "none", 3: "noroot, noroot-locked", 0x10: "keep-caps", 0xaf: "noroot, noroot-locked, no-setuid-fixup, no-setuid-fixup-locked, keep-caps-locked, no-cap-ambient-raise-locked", 1<<12 | 1: "noroot, bit 12",
	} {
		if got := SecurebitsString(bits); got != want {
			t.Errorf("SecurebitsString(%#x) = %q, want %q", bits, got, want)
		}
	}
	for name, want := range map[string]uint32{"noroot": SecbitNoroot, "no-setuid-fixup": SecbitNoSetuidFixup, "keep-caps": SecbitKeepCaps, "no-cap-ambient-raise": SecbitNoCapAmbientRaise, "exec-deny-interactive-locked": 1 << 11} {
		if got, ok := Securebit(name); !ok || got != want {
			t.Errorf("Securebit(%q) = %#x, %v; want %#x", name, got, ok, want)
		}
	}
	if _, ok := Securebit("NOROOT"); ok {
		t.Error("Securebit takes any case")
	}
}

func TestSmallTables(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ErrnoName(1), "EPERM"}, {ErrnoName(38), "ENOSYS"}, {ErrnoName(95), "EOPNOTSUPP"}, {ErrnoName(133), "EHWPOISON"},
		{ErrnoName(0), "errno 0"}, {ErrnoName(41), "errno 41"}, {ErrnoName(134), "errno 134"}, {ErrnoName(-1), "errno -1"},
		{SignalName(9), "SIGKILL"}, {SignalName(31), "SIGSYS"}, {SignalName(0), "signal 0"}, {SignalName(34), "signal 34"},
		{RlimitName(7), "RLIMIT_NOFILE"}, {RlimitName(15), "RLIMIT_RTTIME"}, {RlimitName(16), "rlimit 16"},
		{SeccompModeName(0), "disabled"}, {SeccompModeName(1), "strict"}, {SeccompModeName(2), "filter"}, {SeccompModeName(3), "mode 3"}, {SeccompModeName(-1), "mode -1"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if len(Rlimits()) != 16 {
		t.Errorf("%d rlimits", len(Rlimits()))
	}
	for n, name := range Rlimits() {
		if got, ok := RlimitNumber(name); !ok || got != n {
			t.Errorf("RlimitNumber(%q) = %d, %v", name, got, ok)
		}
	}
	if n, ok := SignalNumber("SIGTERM"); !ok || n != 15 {
		t.Errorf("SIGTERM = %d, %v", n, ok)
	}
	if ns, ok := NamespaceNamed("user"); !ok || ns.CloneFlag != 0x10000000 || len(NamespaceNames()) != 8 {
		t.Errorf("user namespace: %+v, %v", ns, ok)
	}
}

func TestNearest(t *testing.T) {
	known := append(append(append(Capabilities(), SyscallNames()...), Rlimits()...), "noNewPrivileges", "mnt")
	for word, want := range map[string]string{
		"CAP_SYS_ADMN": "CAP_SYS_ADMIN", "sys_admin": "CAP_SYS_ADMIN", "NET_BIND_SERVICE": "CAP_NET_BIND_SERVICE", "no_new_privileges": "noNewPrivileges", "noNewPrivs": "noNewPrivileges",
		"exceve": "execve", "ptarce": "ptrace", "RLIMIT_NFILE": "RLIMIT_NOFILE", "nofile": "RLIMIT_NOFILE", "mont": "mount", "io-uring-setup": "io_uring_setup",
		"": "", "qqqqqqqq": "", "xyz": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest(string(make([]byte, 1<<20)), known); got != "" {
		t.Errorf("a word of 1 MiB is near %q", got)
	}
}

func TestAttempts(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Attempts() {
		if seen[a.Name] || a.Name == "" || a.Does == "" || AttemptReason(a.Name) == "" || a.Remedy == "" {
			t.Errorf("attempt %q is there twice or lacks a word", a.Name)
		}
		seen[a.Name] = true
		if got, ok := AttemptNamed(a.Name); !ok || got != a {
			t.Errorf("AttemptNamed(%q) = %v, %v", a.Name, got, ok)
		}
	}
}
