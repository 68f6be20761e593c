package names

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSyscallGroups checks the table: every group has members, sorted and each
// once, and every member is a call.
func TestSyscallGroups(t *testing.T) {
	groups := SyscallGroups()
	if !slices.IsSorted(groups) || len(groups) != 30 {
		t.Errorf("%d groups, or not sorted: %q", len(groups), groups)
	}
	for _, group := range groups {
		members, ok := SyscallGroup(group)
		if !ok || len(members) == 0 || !strings.HasPrefix(group, "@") {
			t.Errorf("%s: %d members, %v", group, len(members), ok)
		}
		if !slices.IsSorted(members) || len(slices.Compact(slices.Clone(members))) != len(members) {
			t.Errorf("%s: members are not sorted and unique", group)
		}
		for _, member := range members {
			if !IsSyscall(member) {
				t.Errorf("%s: %s is no system call", group, member)
			}
		}
	}
	for _, stranger := range []string{"", "@", "mount", "@Mount", "@mounts", "@zzz"} {
		if members, ok := SyscallGroup(stranger); ok {
			t.Errorf("SyscallGroup(%q) = %q", stranger, members)
		}
	}
}

// TestSyscallGroupMembers compares with what is known by heart.
func TestSyscallGroupMembers(t *testing.T) {
	for group, want := range map[string]string{
		"@mount":   "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree_attr pivot_root umount umount2",
		"@raw-io":  "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write",
		"@swap":    "swapoff swapon",
		"@reboot":  "kexec_file_load kexec_load reboot",
		"@module":  "delete_module finit_module init_module",
		"@sandbox": "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
		"@sync":    "arm_sync_file_range fdatasync fsync msync sync sync_file_range syncfs",
	} {
		if got, _ := SyscallGroup(group); strings.Join(got, " ") != want {
			t.Errorf("%s is %q", group, got)
		}
	}
}

// TestSyscallGroupsNest checks that a group holds the calls of those within it.
func TestSyscallGroupsNest(t *testing.T) {
	for outer, inner := range map[string][]string{
		"@privileged":     {"@chown", "@clock", "@module", "@raw-io", "@reboot", "@swap"},
		"@system-service": {"@aio", "@basic-io", "@default", "@file-system", "@network-io", "@process", "@sandbox", "@signal", "@timer"},
		"@default":        {"@sandbox"},
		"@known":          SyscallGroups(),
	} {
		all, _ := SyscallGroup(outer)
		for _, group := range inner {
			members, _ := SyscallGroup(group)
			for _, member := range members {
				if !slices.Contains(all, member) {
					t.Errorf("%s lacks %s of %s", outer, member, group)
				}
			}
		}
	}
	service, _ := SyscallGroup("@system-service")
	for _, forbidden := range []string{"mount", "ptrace", "bpf", "init_module", "reboot", "open_by_handle_at", "kexec_load", "pivot_root"} {
		if slices.Contains(service, forbidden) {
			t.Errorf("@system-service holds %s", forbidden)
		}
	}
}

func TestExpandSyscalls(t *testing.T) {
	got := ExpandSyscalls([]string{"reboot", "@swap", "execve", "@reboot", "execve", "no_such_call", "@none"})
	want := "@none execve kexec_file_load kexec_load no_such_call reboot swapoff swapon"
	if strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
	if got := ExpandSyscalls(nil); len(got) != 0 {
		t.Errorf("nothing expands to %q", got)
	}
	members, _ := SyscallGroup("@swap")
	members[0] = "changed"
	if again, _ := SyscallGroup("@swap"); again[0] != "swapoff" {
		t.Error("the table can be changed through what SyscallGroup returns")
	}
}

// groupsMoved are calls that older releases of systemd have in another group.
var groupsMoved = map[string]string{"open_tree": "@mount"}

// TestSyscallGroupsInstalled compares with the systemd of the machine: whatever
// it has in a group, and is a call of ours, is in ours.
func TestSyscallGroupsInstalled(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "--no-pager", "syscall-filter").Output()
	if err != nil {
		skip(t, "systemd-analyze cannot be run: "+err.Error())
	}
	group, seen := "", 0
	var members []string
	for line := range strings.Lines(string(out)) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			var ok bool
			if members, ok = SyscallGroup(word); !ok {
				t.Errorf("systemd has a group %s", word)
			}
			group = word
		case group == "" || word == "" || strings.HasPrefix(word, "#") || !strings.HasPrefix(line, " "):
		case strings.HasPrefix(word, "@") || !IsSyscall(word) || groupsMoved[word] == group:
		default:
			if seen++; !slices.Contains(members, word) {
				t.Errorf("%s: systemd has %s in it", group, word)
			}
		}
	}
	if seen < 400 {
		t.Errorf("only %d lines of systemd-analyze were understood", seen)
	}
}
