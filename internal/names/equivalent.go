package names

import (
	"slices"
	"strings"
)

// family is a list of calls, and the reason why they belong together.
type family struct{ calls, why string }

// detour says by which calls the work of others is done.
type detour struct{ calls, by, why string }

// IOUringOp is an operation of io_uring_enter(2) that does a system call's work.
// A seccomp filter sees io_uring_setup(2) and io_uring_enter(2), never what is
// asked for in the ring.
type IOUringOp struct {
	// Number is the operation's, as IORING_REGISTER_PROBE counts.
	Number uint8
	// Name is "IORING_OP_OPENAT".
	Name string
	// calls are those whose work it does, separated by spaces.
	calls string
	// Since is the kernel that brought it: "5.6".
	Since string
}

// SubCall is a call that another one makes, by its number in the first argument.
type SubCall struct {
	Name   string
	Number uint32
}

// Equivalents returns the calls that do the same work as name another way,
// sorted, on any architecture: open, for one, is also done by openat, openat2,
// creat and open_by_handle_at. Some do it with another privilege, or only in
// part. What io_uring does is IOUring's answer.
func Equivalents(name string) []string {
	var out []string
	eachEquivalent(name, func(other, _ string) { out = append(out, other) })
	slices.Sort(out)
	return slices.Compact(out)
}

// EquivalentWhy says in words how other does the work of name: "opens files". It
// is "" where it does not.
func EquivalentWhy(name, other string) string {
	var why string
	eachEquivalent(name, func(call, reason string) {
		if call == other && why == "" {
			why = reason
		}
	})
	return why
}

func eachEquivalent(name string, found func(other, why string)) {
	for i := range families {
		if !listed(families[i].calls, name) {
			continue
		}
		for other := range strings.FieldsSeq(families[i].calls) {
			if other != name {
				found(other, families[i].why)
			}
		}
	}
	for i := range detours {
		if !listed(detours[i].calls, name) {
			continue
		}
		for other := range strings.FieldsSeq(detours[i].by) {
			found(other, detours[i].why)
		}
	}
}

// listed says whether word is one of words, which spaces separate.
func listed(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

// IOUringOps returns the operations of io_uring that do a system call's work, by
// number. The slice is the caller's.
func IOUringOps() []IOUringOp { return slices.Clone(ioUringOps[:]) }

// Calls returns the system calls whose work the operation does.
func (o IOUringOp) Calls() []string { return strings.Fields(o.calls) }

// IOUring returns the operation of io_uring that does the work of a call, the
// one that is there since the oldest kernel. io_uring_setup(2) let through, the
// call is done without a filter seeing it.
func IOUring(name string) (IOUringOp, bool) {
	for _, op := range ioUringOps {
		if listed(op.calls, name) {
			return op, true
		}
	}
	return IOUringOp{}, false
}

// SubCalls returns the calls that a multiplexing call makes: "socketcall" and
// "ipc", which of the architectures known here i386 has. Their first argument is
// the number. ipc(2) reads its lower 16 bits only: above them stands a version,
// so that a filter which compares the whole is passed by another version. The
// other arguments of socketcall(2) lie in memory, where no filter sees them.
func SubCalls(name string) []SubCall {
	switch name {
	case "socketcall":
		var out []SubCall
		for call := range strings.FieldsSeq(socketcalls) {
			out = append(out, SubCall{call, uint32(len(out) + 1)})
		}
		return out
	case "ipc":
		return slices.Clone(ipcCalls[:])
	default:
		return nil
	}
}

// Multiplexer returns the call that makes name on an architecture, as Syscall
// takes them, and the number that name has there.
func Multiplexer(arch, name string) (by string, number uint32, ok bool) {
	for _, by := range []string{"socketcall", "ipc"} {
		if _, has := Syscall(arch, by); !has {
			continue
		}
		for _, sub := range SubCalls(by) {
			if sub.Name == name {
				return by, sub.Number, true
			}
		}
	}
	return "", 0, false
}
