package collect

import (
	"fmt"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// views translates user and group ids.
type views struct{ uid, gid idView }

// askKernel fills Kernel: every fact of the calling thread, where it is the
// target's, and the sets that capget(2) shows of the others.
func (a *collector) askKernel(v views) {
	var asked kernelSets
	n := 1
	for i := range a.p.Classes {
		n += len(a.p.Classes[i].TIDs)
	}
	a.p.Kernel = make([]posture.Thread, 0, n)
	if a.self {
		t := a.askSelf(v)
		a.p.Kernel = append(a.p.Kernel, t)
	}
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if a.self && tid == a.tid {
				continue
			}
			t := posture.Thread{TID: tid}
			asked.ask(a.c, tid, &t.Caps)
			a.p.Kernel = append(a.p.Kernel, t)
		}
	}
}

// kernelSets asks capget(2), and keeps the facts made of an answer for the
// next thread that has the same.
type kernelSets struct {
	data  kernel.CapData
	facts posture.CapFacts
	have  bool
}

const capgetSource = "capget(2)"

func (k *kernelSets) ask(c *kernel.Calls, tid int, caps *posture.CapFacts) {
	data, err := c.Capget(tid)
	if err != nil {
		failed := posture.Failed[posture.CapSet](capgetSource, err.Error())
		caps.Effective, caps.Permitted, caps.Inheritable = failed, failed, failed
		return
	}
	if !k.have || k.data != data {
		k.data, k.have = data, true
		set := func(name string, v uint64) posture.Fact[posture.CapSet] {
			return posture.Of(posture.CapSet(v), capgetSource, name+": "+hex16(v))
		}
		k.facts.Effective = set("effective", data.Effective)
		k.facts.Permitted = set("permitted", data.Permitted)
		k.facts.Inheritable = set("inheritable", data.Inheritable)
	}
	caps.Effective, caps.Permitted, caps.Inheritable = k.facts.Effective, k.facts.Permitted, k.facts.Inheritable
}

// fact turns an answer and its error into a fact.
func fact[T any](value T, err error, source string) posture.Fact[T] {
	if err != nil {
		return posture.Failed[T](source, err.Error())
	}
	return posture.Of(value, source, fmt.Sprint(value))
}

// capFact is fact for a set, written as the status file writes it.
func capFact(v uint64, err error, source string) posture.Fact[posture.CapSet] {
	if err != nil {
		return posture.Failed[posture.CapSet](source, err.Error())
	}
	return posture.Of(posture.CapSet(v), source, hex16(v))
}

// hex16 writes a set as the status file does.
func hex16(v uint64) string {
	var buf [16]byte
	for i := range buf {
		buf[i] = "0123456789abcdef"[v>>(60-4*i)&15]
	}
	return string(buf[:])
}

// decimals writes ids as the status file does, with spaces.
func decimals(ids ...uint32) string {
	buf := make([]byte, 0, 44)
	for i, id := range ids {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = strconv.AppendUint(buf, uint64(id), 10)
	}
	return string(buf)
}

// askSelf asks the kernel for everything that it answers the calling thread.
func (a *collector) askSelf(v views) posture.Thread {
	t := posture.Thread{TID: a.tid}
	t.UID = v.uid.four(a.askIDs(a.c.Getresuid, a.c.FSUID, "getresuid(2), setfsuid(2)"))
	t.GID = v.gid.four(a.askIDs(a.c.Getresgid, a.c.FSGID, "getresgid(2), setfsgid(2)"))
	groups, err := a.c.Getgroups()
	known := fact(groups, err, "getgroups(2)")
	known.Raw = decimals(groups...)
	t.Groups = v.gid.groups(known)
	var sets kernelSets
	sets.ask(a.c, 0, &t.Caps)

	bounding, last, err := a.c.BoundingSet()
	t.Caps.Bounding = capFact(bounding, err, "prctl(PR_CAPBSET_READ)")
	a.p.LastCapability = fact(last, err, "prctl(PR_CAPBSET_READ)")
	if err != nil {
		last = 63
	}
	ambient, err := a.c.AmbientSet(last, ambientMayHave(&t.Caps))
	t.Caps.Ambient = capFact(ambient, err, "prctl(PR_CAP_AMBIENT)")

	bits, err := a.c.Securebits()
	t.Securebits = fact(bits, err, "prctl(PR_GET_SECUREBITS)")
	nnp, err := a.c.NoNewPrivs()
	t.NoNewPrivs = fact(nnp, err, "prctl(PR_GET_NO_NEW_PRIVS)")
	dumpable, err := a.c.Dumpable()
	t.Dumpable = fact(dumpable, err, "prctl(PR_GET_DUMPABLE)")
	t.SeccompMode = a.askSeccomp()
	return t
}

// ambientMayHave is what an ambient set can hold: nothing that is not permitted
// and inheritable too, capabilities(7).
func ambientMayHave(c *posture.CapFacts) uint64 {
	permitted, known1 := c.Permitted.Get()
	inheritable, known2 := c.Inheritable.Get()
	if !known1 || !known2 {
		return ^uint64(0)
	}
	return uint64(permitted & inheritable)
}

// askSeccomp asks for the mode. A thread in strict mode would be killed for
// it, so its status is looked at first. Without a status the calls made
// before it were survived, which strict mode allows none of.
func (a *collector) askSeccomp() posture.Fact[int] {
	const source = "prctl(PR_GET_SECCOMP)"
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if mode, known := a.p.Classes[i].SeccompMode.Get(); tid == a.tid && known && mode == 1 {
				return posture.Failed[int](source, source+": not asked in strict mode, which kills for it")
			}
		}
	}
	mode, err := a.c.SeccompMode()
	return fact(mode, err, source)
}

func (a *collector) askIDs(three func() ([3]uint32, error), fs func() (uint32, error), source string) posture.Fact[[4]uint32] {
	ids, err := three()
	if err != nil {
		return posture.Failed[[4]uint32](source, err.Error())
	}
	fsID, err := fs()
	if err != nil {
		return posture.Failed[[4]uint32](source, err.Error())
	}
	return posture.Of([4]uint32{ids[0], ids[1], ids[2], fsID}, source, decimals(ids[0], ids[1], ids[2], fsID))
}
