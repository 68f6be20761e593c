package collect

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// askKernel fills Kernel: every fact of the calling thread, where it is the
// target's, and the sets that capget(2) shows of the others.
func (a *collector) askKernel(v *views) {
	n, first := 0, 0
	for i := range a.p.Classes {
		n += len(a.p.Classes[i].TIDs)
	}
	if a.self {
		first = 1
	}
	// The calling thread comes first. It is among those of the classes, where
	// these could be read.
	threads := make([]posture.Thread, first, max(n, first))
	if a.self {
		a.askSelf(&threads[0], v)
	}
	var asked kernelSets
	for i := range a.p.Classes {
		for _, tid := range a.p.Classes[i].TIDs {
			if a.self && tid == a.tid {
				continue
			}
			threads = append(threads, posture.Thread{TID: tid})
			asked.ask(a.c, tid, &threads[len(threads)-1].Caps)
		}
	}
	a.p.Kernel = threads
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
		why := err.Error()
		caps.Effective.Fail(capgetSource, why)
		caps.Permitted.Fail(capgetSource, why)
		caps.Inheritable.Fail(capgetSource, why)
		return
	}
	if !k.have || k.data != data {
		k.data, k.have = data, true
		putSet(&k.facts.Effective, data.Effective, "effective: ")
		putSet(&k.facts.Permitted, data.Permitted, "permitted: ")
		putSet(&k.facts.Inheritable, data.Inheritable, "inheritable: ")
	}
	*caps = k.facts // the other sets are not asked there
}

func putSet(f *posture.Fact[posture.CapSet], set uint64, name string) {
	f.Value = posture.CapSet(set)
	f.Know(capgetSource, name+hex16(set))
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
func decimals(ids []uint32) string {
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
func (a *collector) askSelf(t *posture.Thread, v *views) {
	c := a.c
	t.TID = a.tid
	a.askIDs(&t.UID, c.Getresuid, c.FSUID, "getresuid(2), setfsuid(2)")
	v.uid.four(&t.UID)
	a.askIDs(&t.GID, c.Getresgid, c.FSGID, "getresgid(2), setfsgid(2)")
	v.gid.four(&t.GID)
	groups, err := c.Getgroups()
	settle(&t.Groups.Origin, err, "getgroups(2)", decimals(groups))
	t.Groups.Value = make([]posture.ID, len(groups))
	for i, g := range groups {
		t.Groups.Value[i].Outside = g
	}
	v.gid.groups(&t.Groups)
	var sets kernelSets
	sets.ask(c, 0, &t.Caps)

	const bounding = "prctl(PR_CAPBSET_READ)"
	set, last, err := c.BoundingSet()
	t.Caps.Bounding.Value = posture.CapSet(set)
	settle(&t.Caps.Bounding.Origin, err, bounding, hex16(set))
	a.p.LastCapability.Value = last
	settle(&a.p.LastCapability.Origin, err, bounding, strconv.Itoa(last))
	if err != nil {
		last = 63
	}
	set, err = c.AmbientSet(last, ambientMayHave(&t.Caps))
	t.Caps.Ambient.Value = posture.CapSet(set)
	settle(&t.Caps.Ambient.Origin, err, "prctl(PR_CAP_AMBIENT)", hex16(set))

	t.Securebits.Value, err = c.Securebits()
	settle(&t.Securebits.Origin, err, securebitsSource, strconv.Itoa(int(t.Securebits.Value)))
	t.NoNewPrivs.Value, err = c.NoNewPrivs()
	settle(&t.NoNewPrivs.Origin, err, "prctl(PR_GET_NO_NEW_PRIVS)", strconv.FormatBool(t.NoNewPrivs.Value))
	t.Dumpable.Value, err = c.Dumpable()
	settle(&t.Dumpable.Origin, err, "prctl(PR_GET_DUMPABLE)", strconv.Itoa(t.Dumpable.Value))
	a.askSeccomp(&t.SeccompMode)
}

const securebitsSource = "prctl(PR_GET_SECUREBITS)"

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
func (a *collector) askSeccomp(f *posture.Fact[int]) {
	const source = "prctl(PR_GET_SECCOMP)"
	if t := classOfThread(a.p, a.tid); t != nil && t.SeccompMode.State == posture.Known && t.SeccompMode.Value == 1 {
		f.Fail(source, source+": not asked in strict mode, which kills for it")
		return
	}
	var err error
	f.Value, err = a.c.SeccompMode()
	settle(&f.Origin, err, source, strconv.Itoa(f.Value))
}

// askIDs leaves the ids as they are seen, to be translated.
func (a *collector) askIDs(f *posture.Fact[posture.IDs], three func() ([3]uint32, error), fs func() (uint32, error), source string) {
	ids, err := three()
	var fsID uint32
	if err == nil {
		fsID, err = fs()
	}
	f.Value.Real.Outside, f.Value.Effective.Outside, f.Value.Saved.Outside, f.Value.FS.Outside = ids[0], ids[1], ids[2], fsID
	settle(&f.Origin, err, source, decimals(append(ids[:], fsID)))
}
