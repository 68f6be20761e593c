//go:build linux && (amd64 || arm64)

package main

import (
	"os"
	"strconv"
	"strings"
)

// expected is one finding that a mistake must lead to, and why.
type expected struct {
	id, because string
	// unknown is true where the finding is that something cannot be known.
	unknown bool
	// where says whether this machine's settings let it happen; nil: always.
	where func() bool
}

func (e expected) status() string {
	if e.unknown {
		return "unknown"
	}
	return "gap"
}

// sysctl says whether a file of /proc/sys has this value.
func sysctl(name, value string) func() bool {
	return func() bool {
		b, err := os.ReadFile("/proc/sys/" + name)
		return err == nil && strings.TrimSpace(string(b)) == value
	}
}

// sysctlAtMost says whether a file of /proc/sys has this number or a lower one.
func sysctlAtMost(name string, most int) func() bool {
	return func() bool {
		b, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return false
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && n <= most
	}
}

func not(f func() bool) func() bool { return func() bool { return !f() } }

// unstopped are the attempts that nothing but the filter stops for an
// ordinary user without capabilities. All others of the profile need one.
var unstopped = []expected{
	{id: "probe.userns", because: "every user may make user namespaces", where: not(sysctl("user/max_user_namespaces", "0"))},
	{id: "probe.userns-clone", because: "every user may make user namespaces", where: not(sysctl("user/max_user_namespaces", "0"))},
	{id: "probe.userns-clone3", because: "every user may make user namespaces", where: not(sysctl("user/max_user_namespaces", "0"))},
	{id: "probe.io-uring-setup", because: "every user may set up io_uring", where: sysctl("kernel/io_uring_disabled", "0")},
	{id: "probe.perf-event-open", because: "every user may measure processes of its own", where: sysctlAtMost("kernel/perf_event_paranoid", 2)},
	{id: "probe.keyctl", because: "every user has keyrings"},
	{id: "probe.add-key", because: "every user has keyrings"},
}

// refusals names for each mistake everything that the audit must find, and
// nothing else may it find. Attempts that the filter stops are no findings:
// where ids or capabilities are left, the facts show it.
var refusals = map[string]struct {
	chroot   bool
	findings []expected
}{
	"groups": {findings: []expected{
		{id: "identity.groups", because: "root's group 0 is still among the supplementary groups"},
	}},
	"saved-uid": {findings: []expected{
		{id: "identity.uid", because: "the saved user id is 0"},
		{id: "probe.setfsuid-root", because: "the saved id makes 0 a file system id to choose, and the filter allows setfsuid(2), which an audit reads that id with"},
	}},
	"order": {findings: []expected{
		{id: "identity.gid", because: "without CAP_SETGID no group id could be changed"},
	}},
	"one-thread": {findings: []expected{
		{id: "identity.uid", because: "the other threads have user id 0"},
		{id: "identity.gid", because: "the other threads have group id 0"},
		{id: "identity.groups", because: "the other threads have root's group 0"},
		{id: "threads.uniform", because: "the threads have different ids"},
	}},
	"keep-caps": {findings: []expected{
		{id: "capabilities.permitted", because: "keep-caps kept the permitted set through the change of uid"},
	}},
	"gocapability": {findings: []expected{
		{id: "capabilities.permitted", because: "the other threads kept theirs"},
		{id: "threads.uniform", because: "one thread has an empty permitted set and the others have a full one"},
	}},
	"inheritable": {findings: []expected{
		{id: "capabilities.inheritable", because: "no change of uid empties that set"},
	}},
	"no-new-privs": {findings: []expected{
		{id: "privilege.no_new_privs", because: "nobody set it"},
	}},
	"no-seccomp": {findings: append([]expected{
		{id: "seccomp.mode", because: "no filter is loaded"},
	}, unstopped...)},
	"log-only": {findings: unstopped},
	"no-tsync": {findings: []expected{
		{id: "seccomp.mode", because: "threads that were there before have no filter"},
		{id: "threads.uniform", because: "one thread has a filter and the others have none"},
	}},
	"directory": {chroot: true, findings: []expected{
		{id: "fds.directory", because: "the descriptor leads to the machine's root directory"},
	}},
	"no-open": {chroot: true, findings: append([]expected{
		{id: "fds.directory", unknown: true, because: "without /proc descriptors cannot be listed"},
		{id: "contradiction", unknown: true, because: "without /proc there is one source only, and nothing to compare it with"},
		{id: "filesystem.cwd", unknown: true, because: "without /proc the root directories of other threads cannot be seen"},
	}, unreadable(
		"identity.uid", "identity.gid", "identity.groups", "privilege.no_new_privs", "seccomp.mode", "threads.uniform",
		"capabilities.effective", "capabilities.permitted", "capabilities.inheritable", "capabilities.ambient",
	)...)},
}

// unreadable are findings about all threads.
func unreadable(ids ...string) (all []expected) {
	for _, id := range ids {
		all = append(all, expected{id: id, unknown: true, because: "without /proc only the calling thread can be asked"})
	}
	return all
}
