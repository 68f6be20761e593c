package probes

import (
	"bytes"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
)

// otherRoots opens the roots of other processes through each procfs within the
// own root, and goes up from there: what lies within the own root comes to that.
type otherRoots struct{}

// linkSize is more than the number of a process takes.
const linkSize = 16

// numbering is one procfs, and by whose numbers it goes.
type numbering struct {
	*ProcMount
	self *made
	link child.Buffer
	own  *made
}

func (otherRoots) build(b *builder) func() verdict {
	on := b.env.in.Beyond
	u := newClimb(b)
	var reads []func() verdict
	for k := range on.Procs {
		n := &numbering{ProcMount: &on.Procs[k], link: b.Buffer(linkSize)}
		n.self = b.unit("readlinkat", args(c("AT_FDCWD", atFDCWD), s(n.Path+"/self"), b.at(n.link), i(linkSize-1)), 0)
		n.own = b.unit("getpid", nil, 0)
		for j := range on.Roots {
			if read := u.through(n, &on.Roots[j]); read != nil {
				reads = append(reads, read)
			}
		}
	}
	return func() verdict {
		list := make([]verdict, len(reads))
		for k, read := range reads {
			list[k] = read()
		}
		if len(list) == 0 {
			list = append(list, on.untriedRoots())
		}
		v := worst(list)
		if v.outcome == succeededOutcome || v.outcome == posture.Undecided {
			return v
		}
		for _, why := range []string{on.NotSeen, on.NoRoots} {
			if why != "" {
				return undecided("others were not tried: "+why, v.seen...)
			}
		}
		return v
	}
}

func (on *Beyond) untriedRoots() verdict {
	if len(on.Procs) == 0 {
		return noObject("no procfs is mounted within its root")
	}
	return noObject("no process that it can name has another root")
}

// through opens one root; nil where the process has no number there.
func (u *climb) through(n *numbering, root *OtherRoot) func() verdict {
	pid := root.PID
	if n.Ours {
		pid = root.Ours
	}
	if pid == 0 {
		return nil
	}
	got := u.open(c("AT_FDCWD", atFDCWD), s(n.Path+"/"+strconv.Itoa(pid)+"/root"), child.Need)
	top := u.open(result(got.open), u.path, 0)
	u.closed(top, got)
	return func() verdict {
		return about(u.judgeThrough(n, got, top), root.What)
	}
}

func (u *climb) judgeThrough(n *numbering, got, top placed) verdict {
	first, open := u.read(u.first), u.read(got.open)
	seen := []*answer{first, open, u.read(got.stat), u.read(top.open), u.read(top.stat)}
	opened, counts := u.opened(got), u.counts(n)
	switch {
	case !u.seen(u.first, u.root):
		return undecided("the own root could not be looked at", first)
	case opened && !u.ok(got):
		return undecided("what was opened could not be looked at", seen...)
	case opened && !counts:
		return undecided("the procfs on "+strconv.Quote(n.Path)+" may count other processes than those that were looked for", seen...)
	case opened && u.isRoot(got.at):
		return noObject("its root is the own one", seen...)
	case opened && u.ok(top) && u.isRoot(top.at):
		return noObject("its root lies within the own one", seen...)
	case opened && u.ok(top):
		return succeeded("another root than the own one was opened", seen...)
	case opened && (u.read(top.open).Errno == syscall.EACCES):
		return stopped(permissionStopped, "another root than the own one was opened, and may not be searched", seen...)
	case opened:
		return undecided("another root than the own one was opened, and nothing below", seen...)
	}
	v := u.env.judge(&reading{want: efault, capability: noCap}, u.read(u.reach), open)
	if open.Made && open.Errno == enoent && counts {
		return stopped(permissionStopped, "the procfs hides it: hidepid of proc(5)", v.seen...)
	}
	if v.outcome == stoppedOutcome && v.by == permissionStopped && !counts {
		return undecided("the procfs on "+strconv.Quote(n.Path)+" may count other processes than those that were looked for", v.seen...)
	}
	return v
}

// counts says that a procfs numbers processes as they were numbered here: it is
// the auditor's, or knows the child by the number that the kernel tells it.
func (u *climb) counts(n *numbering) bool {
	if n.Ours {
		return true
	}
	self, own := u.read(n.self), u.read(n.own)
	if !self.OK() || !own.OK() {
		return false
	}
	number, err := strconv.Atoi(string(bytes.TrimRight(u.Read(n.link), "\x00")))
	return err == nil && uintptr(number) == own.Ret
}
