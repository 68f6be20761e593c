package checks

import (
	"math/bits"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	cgroupID = "limit.cgroup"
	// usualPeriod is the kernel's, where neither a policy nor a cgroup names one.
	usualPeriod = 100000
)

// cgroupBound is what a policy allows of one resource.
type cgroupBound struct {
	resource string
	// thing is how a sentence calls the limit, and unit what it counts.
	thing, unit string
	// limit is 0 where it is not asked for; period is 0 but for cpu.
	limit, period uint64
}

// cgroupLimits checks the limits of the cgroups against upper bounds.
func cgroupLimits(out *results, a *audited, pol *policy.Policy) {
	r := &pol.Resources
	if *r == (policy.Resources{}) {
		out.skip(cgroupID)
		return
	}
	period := r.CPUPeriod
	if period == 0 {
		period = usualPeriod
	}
	for _, b := range [...]cgroupBound{
		{"cpu", "processor time", " us", r.CPUQuota, period},
		{"memory", "memory", " bytes", r.Memory, 0},
		{"pids", "number of processes", " processes", r.PIDs, 0},
	} {
		if b.limit > 0 {
			out.cgroupLimit(a, &b)
		}
	}
	if r.CPUPeriod > 0 && r.CPUQuota == 0 {
		out.add(cgroupID, report.Unknown, "a quota", "unknown", "the policy names a period of processor time and no quota").Subject = "cpu"
	}
}

// cgroupLimit judges one resource; the worst thread decides.
func (r *results) cgroupLimit(a *audited, b *cgroupBound) {
	all := worst{status: report.Pass}
	var seenWords []string
	var evidence evidenceGroups
	var tids [report.Skipped + 1][]int
	entries := 0
	for i := range a.Reach().CgroupLimits {
		l := &a.Reach().CgroupLimits[i]
		if l.Resource != b.resource {
			continue
		}
		entries++
		status, observed, message := b.judge(a, l)
		all.add(status, message)
		if status == all.status {
			seenWords = append(seenWords, observed)
		}
		tids[status] = append(tids[status], l.TIDs...)
		evidence.add(cgroupEvidence(l))
	}
	if entries == 0 {
		all.add(report.Unknown, "its cgroup was not looked at")
		seenWords = []string{"unknown"}
	}
	f := r.add(cgroupID, all.status, "at most "+b.words(b.limit, b.period), listed(seenWords, "; "), listed(all.words, "; "))
	f.Subject, f.Evidence = b.resource, evidence.bounded()
	if len(f.Evidence) == 0 {
		f.Evidence = []report.Evidence{}
	}
	if entries > 1 {
		f.Threads = distinct(tids[all.status])
	}
}

// words say a limit with its unit.
func (b *cgroupBound) words(limit, period uint64) string {
	if limit == posture.CgroupUnlimited {
		return "no limit"
	}
	words := strconv.FormatUint(limit, 10) + b.unit
	if b.period > 0 {
		words += " in " + strconv.FormatUint(period, 10)
	}
	return words
}

// exceeds compares a limit with another: as fractions where they have periods.
func exceeds(limit, period, other, otherPeriod uint64) bool {
	switch {
	case limit == posture.CgroupUnlimited || other == posture.CgroupUnlimited:
		return limit > other
	case period == 0 || otherPeriod == 0:
		return limit > other
	}
	hi, lo := bits.Mul64(limit, otherPeriod)
	hi2, lo2 := bits.Mul64(other, period)
	return hi > hi2 || hi == hi2 && lo > lo2
}

// judge judges the limits of some threads. What lies above the last level that is
// seen can only lower them.
func (b *cgroupBound) judge(a *audited, l *posture.CgroupLimits) (status report.Status, observed, message string) {
	levels, known := l.Levels.Get()
	if !known || len(levels) == 0 {
		return report.Unknown, "unknown", "the limit on its " + b.thing + ": " + whyNot(&l.Levels.Origin, "cgroups")
	}
	least := &levels[0]
	for i := range levels {
		if exceeds(least.Limit, least.Period, levels[i].Limit, levels[i].Period) {
			least = &levels[i]
		}
	}
	observed = b.words(least.Limit, least.Period)
	if exceeds(least.Limit, least.Period, b.limit, b.period) {
		message = "its cgroups set " + observed + " on its " + b.thing
		if least.Limit != posture.CgroupUnlimited {
			message = "its cgroups limit its " + b.thing + " to " + observed + ", and at most " + b.words(b.limit, b.period) + " is allowed"
		}
		if !l.Whole {
			return report.Unknown, observed, message + "; those above " + quoted(levels[len(levels)-1].File) + " cannot be seen from here, and one may set a lower limit"
		}
		return report.Gap, observed, message
	}
	status, why := b.undone(a, l)
	if status == report.Pass {
		if why = a.openCgroup(l, false); why != "" {
			status = report.Unknown
		}
	}
	if status != report.Pass {
		return status, observed, "its " + b.thing + " is limited to " + observed + ", and " + why
	}
	return report.Pass, observed, "its " + b.thing + " is limited to " + observed + " by " + quoted(least.File)
}

// undone says whether the process may get rid of each limit that is within the
// bound: by writing it, or by joining a cgroup above the one that has it.
func (b *cgroupBound) undone(a *audited, l *posture.CgroupLimits) (status report.Status, why string) {
	all := worst{status: report.Gap}
	for i := range l.Levels.Value {
		if at := &l.Levels.Value[i]; exceeds(at.Limit, at.Period, b.limit, b.period) {
			continue
		}
		status, why := escapes(a, l, i)
		if status == report.Pass {
			return report.Pass, ""
		}
		if status == report.Unknown && all.status == report.Gap {
			all = worst{status: report.Unknown}
		}
		if status == all.status {
			all.words = append(all.words, why)
		}
	}
	return all.status, listed(all.words, "; ")
}

// escapes says whether a thread may get rid of the limit of one cgroup.
func escapes(a *audited, l *posture.CgroupLimits, i int) (status report.Status, why string) {
	levels := l.Levels.Value
	all := worst{status: report.Pass}
	for k := i; k < len(levels); k++ {
		files, words := levels[k].Sets, "may write "+quoted(levels[k].File)
		if k > i {
			files, words = levels[k].Joins, "may join the cgroup of "+quoted(levels[k].File)+" above it"
		}
		for p := range files {
			may, because := a.mayWrite(&files[p])
			switch {
			case may == no:
			case may == yes && levels[k].Shown:
				return report.Gap, "it " + words + ", so that the limit does not hold"
			case may == perhaps:
				all.add(report.Unknown, "whether it "+words+" is not known: "+because)
			case a.openCgroup(l, true) != "":
				all.add(report.Unknown, "it "+words+" where it gets there: "+a.openCgroup(l, true))
			case l.Mounts.State != posture.Known:
				all.add(report.Unknown, "it "+words+" if a mount shows it: "+whyNot(&l.Mounts, "its mounts"))
			case a.mayHave(capSysAdmin):
				all.add(report.Unknown, "it "+words+" where it mounts the hierarchy, which CAP_SYS_ADMIN may let it")
			}
		}
	}
	return all.status, listed(all.words, "; ")
}

// openCgroup says why what is open may lead to the hierarchy past its modes and
// its mounts, or nothing: a file that is open for writing, or a directory.
func (a *audited) openCgroup(l *posture.CgroupLimits, directories bool) (why string) {
	files := &a.Reach().OpenFiles
	if whole, known := files.Whole.Get(); !known || !whole {
		return "a descriptor may be of one of its files: " + whyNot(&files.Whole.Origin, "all descriptors")
	}
	for i := range files.Seen {
		f := &files.Seen[i]
		kind, known := f.Kind.Get()
		flags, flagsKnown := f.Flags.Get()
		name := "descriptor " + strconv.Itoa(f.FD) + " (" + quoted(f.Path) + ")"
		switch {
		case !known:
			return name + " may be of one of its files: " + whyNot(&f.Kind.Origin, "its type")
		case f.FileSystem != l.FileSystem || l.FileSystem == 0:
		case kind == posture.FileDirectory && directories:
			return name + " is of a directory of that hierarchy"
		case kind != posture.FileDirectory && (!flagsKnown || flags.Write):
			return name + " is of a file of that hierarchy, open for writing"
		}
	}
	return ""
}

// mayWrite says whether any thread may write a file.
func (a *audited) mayWrite(p *posture.Permission) (may answer, why string) {
	const anyWrite = 0o222
	foreign := p.UID.Value.Unmapped || p.GID.Value.Unmapped
	if may = no; p.Mode&anyWrite == 0 && foreign && p.UID.State == posture.Known && p.GID.State == posture.Known {
		return no, "" // whoever they are: no capability reaches it, and the mode lets nobody
	}
	if a.incomplete != "" {
		may, why = perhaps, a.incomplete
	}
	for i := range a.views {
		var c Credentials
		g := gains{}
		answer, because := perhaps, g.read(&c, a.views[i].Thread)
		if because == "" {
			answer, because = c.mayWrite(p)
		}
		switch answer {
		case yes:
			return yes, ""
		case perhaps:
			may, why = perhaps, because
		}
	}
	return may, why
}

// capSysAdmin mounts file systems.
const capSysAdmin = 1 << 21

// mayHave says whether a thread may have a capability.
func (a *audited) mayHave(capability posture.CapSet) bool {
	for i := range a.views {
		if set := &a.views[i].Caps.Permitted; set.State != posture.Known || set.Value&capability != 0 {
			return true
		}
	}
	return false
}

func cgroupEvidence(l *posture.CgroupLimits) []report.Evidence {
	if l.Levels.State != posture.Known {
		return seen(&l.Levels.Origin)
	}
	var out []report.Evidence
	for i := range l.Levels.Value {
		at := &l.Levels.Value[i]
		switch {
		case at.Raw == "":
		case len(out) == maxEvidence:
			return append(out, more(len(l.Levels.Value)-i, " cgroups"))
		case at.Period > 0 && at.Limit != posture.CgroupUnlimited:
			out = append(out, report.Evidence{Source: quoted(at.File), Value: at.Raw + " (period " + strconv.FormatUint(at.Period, 10) + ")"})
		default:
			out = append(out, report.Evidence{Source: quoted(at.File), Value: at.Raw})
		}
	}
	if len(out) == 0 {
		return seen(&l.Levels.Origin)
	}
	return out
}
