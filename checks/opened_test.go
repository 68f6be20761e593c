package checks_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

// openOnly asks of open descriptors alone.
func openOnly() *policy.Policy {
	pol := &policy.Policy{}
	askOpened(&pol.Descriptors)
	return pol
}

// withOpen adds descriptors to a confined process.
func withOpen(files ...posture.OpenFile) *posture.Process {
	p := confined(1)
	o := &p.MakeReach().OpenFiles
	o.Seen = append(o.Seen, files...)
	return p
}

func anonymous(name, detail string) posture.OpenFile {
	return openFile(9, "anon_inode:"+name, posture.FileKernel, func(f *posture.OpenFile) { f.Object, f.Detail = name, detail })
}

func device(kind posture.FileKind, major, minor uint32) posture.OpenFile {
	return openFile(9, "/dev/x", kind, func(f *posture.OpenFile) {
		within(f)
		f.Major, f.Minor = major, minor
	})
}

func openSocket(protocol string) posture.OpenFile {
	return openFile(9, "socket:[9]", posture.FileSocket, func(f *posture.OpenFile) { f.Protocol = fact(protocol, openedSource, protocol) })
}

// openedCase is one descriptor, what it opens and what is said of it.
type openedCase struct {
	name string
	file posture.OpenFile
	want want
	says string
}

func openedCases() []openedCase {
	yes, no, unread := fact(true, "s", "yes"), fact(false, "s", "no"), unreadable[bool]()
	regular := func(change func(*posture.OpenFile)) posture.OpenFile {
		return openFile(9, "/x\n\x1b[2J", posture.FileRegular, change)
	}
	placed := func(outside, readOnly posture.Fact[bool]) posture.OpenFile {
		return regular(func(f *posture.OpenFile) { f.OutsideRoot, f.ReadOnly = outside, readOnly })
	}
	return []openedCase{
		{"null as a block device", device(posture.FileBlock, 1, 3), want{"fds.device fd 9": gap}, "block device 1:3"},
		{"random", device(posture.FileCharacter, 1, 8), want{}, ""},
		{"memory of the machine", device(posture.FileCharacter, 1, 1), want{"fds.device fd 9": gap}, "character device 1:1"},
		{"a terminal", device(posture.FileCharacter, 136, 7), want{}, ""},
		{"KVM", device(posture.FileCharacter, 10, 232), want{"fds.device fd 9": gap}, "10:232"},
		{"a device outside the root", openFile(9, "/dev/x", posture.FileCharacter, func(f *posture.OpenFile) {
			f.Major, f.OutsideRoot, f.ReadOnly = 10, yes, no
		}), want{"fds.device fd 9": gap, "fds.writable fd 9": gap}, ""},
		{"null outside the root", openFile(9, "/dev/null", posture.FileCharacter, func(f *posture.OpenFile) {
			f.Major, f.Minor, f.OutsideRoot, f.ReadOnly = 1, 3, yes, no
		}), want{}, ""},

		{"a file outside", placed(yes, unread), want{"fds.writable fd 9": gap}, `"/x\n\x1b[2J", outside the root`},
		{"a file on a read-only mount", placed(no, yes), want{"fds.writable fd 9": gap}, "read-only mount"},
		{"a file on a read-only mount, wherever", placed(unread, yes), want{"fds.writable fd 9": gap}, "read-only mount"},
		{"a file of no known place", placed(unread, no), want{"fds.writable fd 9": unknown}, "its place"},
		{"a file of no known mount", placed(no, unread), want{"fds.writable fd 9": unknown}, "its mount"},
		{"a file outside, open for reading", regular(func(f *posture.OpenFile) { f.OutsideRoot, f.Flags.Value.Write = yes, false }), want{}, ""},
		{"a file of no known flags", regular(func(f *posture.OpenFile) {
			f.OutsideRoot, f.ReadOnly, f.Flags = yes, no, unreadable[posture.OpenFlags]()
		}), want{"fds.writable fd 9": unknown}, "its flags"},
		{"a pipe with a name outside", openFile(9, "/x", posture.FileFIFO, func(f *posture.OpenFile) { f.OutsideRoot, f.ReadOnly = yes, no }),
			want{"fds.writable fd 9": gap}, "outside the root"},
		{"memory", openFile(9, "/memfd:x (deleted)", posture.FileMemory, func(*posture.OpenFile) {}), want{}, ""},
		{"a directory", openFile(9, "/", posture.FileDirectory, func(*posture.OpenFile) {}), want{}, ""},
		{"no known kind", openFile(9, "/x", posture.FileNoKind, func(*posture.OpenFile) {}),
			want{"fds.device fd 9": unknown, "fds.kernel fd 9": unknown, "fds.namespace fd 9": unknown, "fds.socket fd 9": unknown, "fds.writable fd 9": unknown}, "its type"},

		{"a raw socket", openSocket("RAW"), want{"fds.socket fd 9": gap}, "protocol RAW"},
		{"one of XDP", openSocket("XDP"), want{"fds.socket fd 9": gap}, "XDP"},
		{"netlink", openSocket("NETLINK"), want{}, ""},
		{"a protocol without a name", openSocket(""), want{"fds.socket fd 9": unknown}, ""},
		{"another protocol", openSocket("\x1b[2J"), want{"fds.socket fd 9": unknown}, `"\x1b[2J"`},
		{"a socket of no known protocol", openFile(9, "socket:[9]", posture.FileSocket, func(*posture.OpenFile) {}), want{"fds.socket fd 9": unknown}, "its protocol"},

		{"the own namespace", openFile(9, "net:[4]", posture.FileNamespace, func(f *posture.OpenFile) { f.Own = yes }), want{"fds.namespace fd 9": gap}, "which the process is in"},
		{"a namespace", openFile(9, "/run/netns/x", posture.FileNamespace, func(f *posture.OpenFile) { f.Own = unread }), want{"fds.namespace fd 9": gap}, "of a namespace"},
		{"a pidfd", openFile(9, "anon_inode:[pidfd]", posture.FilePidfd, func(f *posture.OpenFile) { f.Own, f.Detail = no, "process 7" }), want{"fds.namespace fd 9": gap}, "process 7"},
		{"a pidfd of no known process", openFile(9, "anon_inode:[pidfd]", posture.FilePidfd, func(f *posture.OpenFile) { f.Own = unread }), want{"fds.namespace fd 9": unknown}, "whose it is"},

		{"a ring", anonymous("[io_uring]", "requests that a filter does not see"), want{"fds.kernel fd 9": gap}, "io_uring_setup(2), requests that a filter does not see"},
		{"a BPF program", anonymous("bpf-prog", ""), want{"fds.kernel fd 9": gap}, "BPF"},
		{"a virtual processor", anonymous("kvm-vcpu:0", ""), want{"fds.kernel fd 9": gap}, "virtual machine"},
		{"one that begins like a harmless one", anonymous("[eventfd]x", ""), want{"fds.kernel fd 9": unknown}, "none that is known"},
		{"an object that is not known", anonymous("\x1b[2J", ""), want{"fds.kernel fd 9": unknown}, `"\x1b[2J"`},
		{"another process's memory", openFile(9, "/proc/7/mem", posture.FileProcess, func(f *posture.OpenFile) {
			within(f)
			f.Object, f.Own = "mem", no
		}), want{"fds.kernel fd 9": gap}, "mem file of another process"},
		{"that by O_PATH", openFile(9, "/proc/7/mem", posture.FileProcess, func(f *posture.OpenFile) {
			f.Object, f.Own, f.Flags.Value = "mem", no, posture.OpenFlags{Path: true}
		}), want{}, ""},
		{"memory of no known process", openFile(9, "/proc/7/mem", posture.FileProcess, func(f *posture.OpenFile) {
			within(f)
			f.Object, f.Own = "mem", unread
		}), want{"fds.kernel fd 9": unknown}, "whose it is"},
	}
}

// openedHoles are those descriptors, one in a process that is confined else.
var openedHoles = func() (out []hole) {
	for _, c := range openedCases() {
		out = append(out, hole{name: "open: " + c.name, change: func(p *posture.Process) {
			o := &p.MakeReach().OpenFiles
			o.Seen = append(o.Seen, c.file)
		}, want: c.want, says: c.says})
	}
	return out
}()

// TestOpened: nothing else is said of it, and no byte that the target chose is
// raw.
func TestOpened(t *testing.T) {
	for _, c := range openedCases() {
		t.Run(c.name, func(t *testing.T) {
			found := checks.Run(withOpen(c.file), openOnly())
			got := not(found)
			for id, status := range got {
				if status != report.Skipped && c.want[id] != status {
					t.Errorf("%s is %s", id, status)
				}
			}
			said := c.says == ""
			for id, status := range c.want {
				if got[id] != status {
					t.Errorf("%s is %s, want %s", id, got[id], status)
				}
			}
			for _, f := range found {
				said = said || f.Subject == "fd 9" && strings.Contains(f.Message, c.says)
				if strings.ContainsAny(f.Message+f.Observed, "\n\x1b") {
					t.Errorf("raw bytes: %q", f.Message)
				}
			}
			if !said {
				t.Errorf("nothing says %q", c.says)
			}
		})
	}
}

// TestOpenedNotWhole: a gap stays a gap where not all was seen, and nothing
// passes.
func TestOpenedNotWhole(t *testing.T) {
	p := withOpen(openSocket("RAW"))
	p.MakeReach().OpenFiles.Whole = unreadable[bool]()
	for _, f := range checks.Run(p, openOnly()) {
		if f.Status == report.Pass && strings.HasPrefix(f.ID, "fds.") {
			t.Errorf("%s passes", f.ID)
		}
	}
	got := not(checks.Run(p, openOnly()))
	for _, id := range []string{"fds.device", "fds.kernel", "fds.namespace", "fds.socket", "fds.writable"} {
		if got[id+" all"] != report.Unknown {
			t.Errorf("%s is %s", id, got[id+" all"])
		}
	}
	if got["fds.socket fd 9"] != report.Gap {
		t.Errorf("the raw socket is %s", got["fds.socket fd 9"])
	}
}

// TestOpenedMany: findings are bounded, and the rest is counted. Descriptors of
// several tables are told apart, and so is what execve(2) leaves open.
func TestOpenedMany(t *testing.T) {
	var files []posture.OpenFile
	for n := range 40 {
		f := openSocket("RAW")
		f.FD, f.TID, f.Flags.Value.CloseOnExec = 100+n, 11, false
		files = append(files, f)
	}
	n := 0
	for _, f := range checks.Run(withOpen(files...), openOnly()) {
		if f.ID != "fds.socket" {
			continue
		}
		n++
		if f.Subject == "more" && f.Observed != "8 more descriptors" {
			t.Errorf("more: %s", f.Observed)
		}
		if f.Subject == "fd 100 of thread 11" && (!strings.Contains(f.Message, "stays open across execve(2)") || len(f.Threads) != 1 || f.Threads[0] != 11) {
			t.Errorf("%+v", f)
		}
	}
	if n != 33 {
		t.Errorf("%s findings", strconv.Itoa(n))
	}
}
