package probes

import (
	"bytes"
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

func capName(n int) string { return names.CapabilityName(n) }

// userns makes a user namespace and uses a capability in it. Nothing of it
// outlives the process that is in it.
type userns struct{ call string }

// newNamespaces are the flags that are tried, each by itself: a filter that
// compares with CLONE_NEWUSER alone lets the second through, and in that one
// mount(2) works.
var newNamespaces = [...]struct {
	flags int
	name  string
}{
	{cloneNewUser, "CLONE_NEWUSER"},
	{cloneNewUser | cloneNewNS, "CLONE_NEWUSER|CLONE_NEWNS"},
}

// reach is refused by the kernel before it does anything: CLONE_SIGHAND without
// CLONE_VM, a structure of no size, a flag that unshare(2) lacks.
func (p userns) reach() words {
	switch p.call {
	case "clone":
		return args(c("CLONE_SIGHAND", cloneSighand), i(0), i(0), i(0), i(0))
	case "clone3":
		return args(bad, i(0))
	default:
		return args(i(1))
	}
}

func (p userns) act(flags int, name string) words {
	switch p.call {
	case "clone":
		return args(c(name, flags), i(0), i(0), i(0), i(0))
	case "clone3":
		structure := make([]byte, 64)
		binary.NativeEndian.PutUint64(structure, uint64(flags))
		return args(data(structure), i(len(structure)))
	default:
		return args(c(name, flags))
	}
}

func (p userns) build(b *builder) func() verdict {
	reach := b.unit(p.call, p.reach(), 0)
	var tries []func() verdict
	for _, n := range newNamespaces {
		tries = append(tries, p.try(b, reach, p.act(n.flags, n.name)))
	}
	if more := b.env.in.moreUses; more != nil {
		if t := more(p, b, reach); t != nil {
			tries = append(tries, t)
		}
	}
	return func() verdict {
		list := make([]verdict, len(tries))
		for k, t := range tries {
			list[k] = t()
		}
		return worst(list)
	}
}

// try makes one namespace and uses capabilities in it.
func (p userns) try(b *builder, reach *made, words words) func() verdict {
	forks := p.call != "unshare"
	how := child.Need | child.Spends
	if forks {
		how = child.Need | child.Fork
	}
	act := b.do(p.call, words, how)
	sets := b.ones(24)
	back := b.do("capget", args(data(capHeader()), b.at(sets)), 0)
	uses := []*made{
		b.do("chroot", args(s("/")), 0),
		b.do("unshare", args(c("CLONE_NEWUTS", cloneNewUTS)), 0),
		b.do("prctl", args(c("PR_CAPBSET_DROP", prCapbsetDrop), i(0)), 0),
		// Without a type it ends with EINVAL, once the permission was seen.
		b.do("mount", args(i(0), s("/"), i(0), i(0), i(0)), 0),
	}
	dropped := b.do("prctl", args(c("PR_CAPBSET_READ", prCapbsetRead), i(0)), 0)
	status := b.Buffer(4)
	if forks {
		b.do("wait4", args(result(act), b.at(status), c("__WALL", wallClone), i(0)), child.Join)
	}
	b.End()
	return func() verdict {
		made := b.read(act)
		if forks && made.OK() && made.Ret == 0 {
			return stopped(filterStopped, "a seccomp filter answers success without making the call", b.read(reach), made)
		}
		v := b.env.judge(&reading{want: einval, capability: noCap, means: limits}, b.read(reach), made)
		if v.outcome != succeededOutcome {
			return v
		}
		got := b.read(back)
		all := got.OK() && effectiveOf(b.Read(sets)).Has(capSysAdmin)
		drop := b.read(dropped)
		v = judgeUsed(b.env, v, got, all, drop.OK() && drop.Ret == 0, readAll(b, uses))
		if v.outcome == undecidedOutcome && b.env.filtered && words32(b.Read(status))[0]&0x7f == uint32(syscall.SIGSYS) {
			v.detail = "a user namespace was made, and a seccomp filter killed in it before it showed whether a capability works there"
		}
		return v
	}
}

const noMore = "no more user namespaces may be made: user.max_user_namespaces"

// limits are answers of a machine that gives out no more user namespaces.
var limits = []meaning{{syscall.ENOSPC, permissionStopped, noMore}, {syscall.EUSERS, permissionStopped, noMore}, {syscall.EINVAL, kernelStopped, "this kernel makes no user namespaces"}}

func readAll(b *builder, list []*made) []*answer {
	out := make([]*answer, len(list))
	for k, m := range list {
		out[k] = b.read(m)
	}
	return out
}

// judgeUsed reads what could be done in a namespace that was made, or said to be.
func judgeUsed(e *env, v verdict, got *answer, all, dropped bool, uses []*answer) verdict {
	seen := append(append(v.seen, got), uses...)
	proof := slices.Clone(v.seen)
	if got.Made {
		proof = append(proof, got)
	}
	used := dropped
	for _, u := range uses {
		if u.OK() || u.Made && u.call == "mount" && u.Errno == syscall.EINVAL {
			used, proof = true, append(proof, u)
		}
		if u.Signal != 0 || u.unsteady {
			return undecided("the namespace was made, and a child was killed while it used a capability in it", seen...)
		}
	}
	switch {
	case used && (all || dropped || !e.filtered):
		return succeeded("a user namespace was made and a capability used in it", proof...)
	case used:
		return undecided("a call that takes a capability succeeded, and whether the namespace gave it could not be read back", seen...)
	case got.OK() && !all:
		return stopped(permissionStopped, "the namespace gives no capabilities, or was not made at all", seen...)
	case all && !e.filtered:
		return stopped(permissionStopped, "a user namespace was made, and every use of a capability in it was refused", seen...)
	case all:
		// A filter may have refused these uses, and not the next one.
		return undecided("a user namespace was made, and the uses of a capability in it that were tried were refused", seen...)
	default:
		return undecided("a user namespace was made, and no call could be made in it that shows whether a capability works there", proof...)
	}
}

// setns joins the namespace that the child is in already: the permission is
// the same as for any other, and nothing changes.
type setns struct{}

func (setns) build(b *builder) func() verdict {
	reach := b.unit("setns", args(bad, i(0)), 0)
	pid := b.do("getpid", nil, 0)
	byPID := b.do("pidfd_open", args(result(pid), i(0)), child.Need)
	act1 := b.do("setns", args(result(byPID), c("CLONE_NEWUTS", cloneNewUTS)), 0)
	b.do("close", args(result(byPID)), 0)
	b.End()
	byPath := b.do("openat", args(c("AT_FDCWD", atFDCWD), s("/proc/self/ns/uts"), i(syscall.O_RDONLY), i(0)), child.Need)
	act2 := b.do("setns", args(result(byPath), c("CLONE_NEWUTS", cloneNewUTS)), 0)
	b.do("close", args(result(byPath)), 0)
	b.End()
	r := &reading{want: ebadf, capability: b.entry.capability}
	return func() verdict {
		var list []verdict
		for _, m := range []*made{act1, act2} {
			if o := b.read(m); o.Made && o.Errno != syscall.EINVAL || o.Signal != 0 {
				v := b.env.judge(r, b.read(reach), o)
				if v.outcome == succeededOutcome {
					v.detail = "it joined the UTS namespace that it is in, for which the kernel asks what it asks for any other"
				}
				list = append(list, v)
			}
		}
		reached := b.read(reach)
		switch {
		case len(list) > 0:
			return worst(list)
		case b.env.filtered && (reached.Made && !r.genuine(reached) || reached.Signal != 0):
			return b.env.judge(&reading{want: ebadf, late: true, capability: b.entry.capability}, reached, reached)
		default:
			return undecided("no namespace of its own could be opened to try it on", reached, b.read(byPID), b.read(byPath))
		}
	}
}

// chrootEscape changes the root to a directory below, keeps a descriptor of
// the old one, and walks up from there.
type chrootEscape struct{}

const (
	statxSize    = 256
	statxMask    = 0x100 | 0x1000 // inode, mount id
	statxInode   = 32
	statxDevice  = 136
	statxMountID = 144
)

// below are directories that a root usually holds one of.
var below = [...]string{"/proc", "/dev", "/etc", "/usr", "/tmp", "/var", "/run", "/lib", "/bin", "/sys", "/home", "/root", "/opt", "/srv", "/data", "/app", "/www", "/pub", "/empty"}

func (chrootEscape) build(b *builder) func() verdict {
	reach := b.unit("chroot", args(bad), 0)
	before, after := b.Buffer(statxSize), b.Buffer(statxSize)
	stat := func(at child.Buffer, path string) *made {
		return b.do("statx", args(c("AT_FDCWD", atFDCWD), s(path), i(0), i(statxMask), b.at(at)), child.Need)
	}
	first := stat(before, "/")
	fd := b.do("openat", args(c("AT_FDCWD", atFDCWD), s("/"), i(pathOnly|syscall.O_DIRECTORY), i(0)), child.Need)
	// The root itself shows the permission, since a path is looked up first.
	act := b.do("chroot", args(s("/")), child.Need|child.Spends)
	moved := make([]*made, len(below))
	for k, dir := range below {
		moved[k] = b.do("chroot", args(s(dir)), 0)
	}
	b.do("fchdir", args(result(fd)), child.Need)
	b.do("chdir", args(s(string(bytes.Repeat([]byte("../"), 256)))), child.Need)
	last := stat(after, ".")
	b.End()
	r := &reading{want: efault, capability: b.entry.capability}
	return func() verdict {
		tried := b.read(act)
		if !tried.Made && tried.Signal == 0 {
			return undecided("the root could not be looked at first", b.read(first), b.read(fd))
		}
		v := b.env.judge(r, b.read(reach), tried)
		if v.outcome != succeededOutcome {
			return v
		}
		end := b.read(last)
		switch {
		case !end.OK():
			return undecided("chroot(2) works, and what lies above could not be looked at", append(v.seen, end)...)
		case !same(b.Read(before), b.Read(after)):
			return succeeded("a directory above the root was reached and read back", append(v.seen, end)...)
		case !anyOK(readAll(b, moved)):
			return undecided("chroot(2) works, and no directory was found in the root to try the way out from", append(v.seen, end)...)
		default:
			return noObject("chroot(2) works, and there is nothing above the root", append(v.seen, end)...)
		}
	}
}

func anyOK(list []*answer) bool {
	for _, a := range list {
		if a.OK() {
			return true
		}
	}
	return false
}

// same says whether two answers of statx(2) are about one directory.
func same(a, b []byte) bool {
	for _, f := range [][2]int{{statxInode, 8}, {statxDevice, 8}, {statxMountID, 8}} {
		if !bytes.Equal(a[f[0]:f[0]+f[1]], b[f[0]:f[0]+f[1]]) {
			return false
		}
	}
	return true
}
