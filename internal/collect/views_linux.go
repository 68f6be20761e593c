package collect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// views translates user and group ids.
type views struct{ uid, gid idView }

// views finds out how ids are to be translated, and fills UserNamespace.
func (a *collector) views() *views {
	ns := &a.p.UserNamespace
	if a.task == nil {
		why := a.noTask.Error()
		ns.UIDMap.Fail("/proc", why)
		ns.GIDMap.Fail("/proc", why)
	} else {
		a.readMap(&ns.UIDMap, a.task, a.p.PID, "uid_map")
		a.readMap(&ns.GIDMap, a.task, a.p.PID, "gid_map")
	}
	var v *views
	if a.self {
		ns.Same = posture.Of(true, "the audited process itself", "")
		v = &views{
			uid: idView{same: true, m: &ns.UIDMap, own: &ns.UIDMap},
			gid: idView{same: true, m: &ns.GIDMap, own: &ns.GIDMap},
		}
	} else {
		v = a.otherViews()
	}
	v.uid.readSysctl("/proc/sys/kernel/overflowuid")
	v.gid.readSysctl("/proc/sys/kernel/overflowgid")
	return v
}

// readSysctl reads which id this kernel shows for one that is not mapped,
// where there can be such: proc_sys_kernel(5).
func (v *idView) readSysctl(path string) {
	if whole(v.own) {
		return
	}
	data, err := procfs.ReadUnverified(path)
	if err != nil {
		v.sysctl.Fail(path, err.Error())
		return
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	v.sysctl.Value = uint32(id)
	settle(&v.sysctl.Origin, err, path, "")
}

// otherViews compares the target's user namespace with our own: by its link,
// which takes ptrace access, else by the maps.
func (a *collector) otherViews() *views {
	ns := &a.p.UserNamespace
	own, link := a.ownMaps()
	v := &views{uid: idView{m: &ns.UIDMap, own: &own.UIDMap}, gid: idView{m: &ns.GIDMap, own: &own.GIDMap}}
	source := a.task.Path() + "/" + a.leader("ns/user")
	theirs, err := a.task.Readlink(a.leader("ns/user"))
	same := &ns.Same
	switch {
	case err == nil && link != "":
		same.Value = theirs == link
		same.Know(source, theirs)
	case ns.UIDMap.State == posture.Absent:
		same.Value = true
		same.Know(ns.UIDMap.Source, "no user namespaces in this kernel")
	case differ(&ns.UIDMap, &own.UIDMap) || differ(&ns.GIDMap, &own.GIDMap):
		// One reader reads one map for one user namespace.
		same.Value = false
		same.Know(ns.UIDMap.Source, ns.UIDMap.Raw)
	case err != nil:
		same.Fail(source, source+": "+err.Error())
	default:
		same.Fail(source, source+": the link of the auditor's own is not readable")
	}
	v.uid.decide(same)
	v.gid.decide(same)
	return v
}

func differ(a, b *idMap) bool {
	return bothKnown(&a.Origin, &b.Origin) && !slices.Equal(a.Value, b.Value)
}

// decide settles how the view translates. A map of all ids, each as itself,
// needs no answer: both ways come out the same.
func (v *idView) decide(same *posture.Fact[bool]) {
	known := same.State == posture.Known
	v.same = known && same.Value
	if !known && !(whole(v.m) && whole(v.own)) {
		v.unknown = "cannot tell whose user namespace the ids belong to: " + same.Why()
	}
}

// ownMaps reads our own maps and the link of our own user namespace.
func (a *collector) ownMaps() (own *posture.UserNamespace, link string) {
	own = new(posture.UserNamespace)
	pid := a.proc.Self()
	task, err := a.proc.Task(pid)
	if err != nil {
		own.UIDMap.Fail("/proc", err.Error())
		own.GIDMap.Fail("/proc", err.Error())
		return own, ""
	}
	defer task.Close()
	if link, err = task.Readlink(strconv.Itoa(pid) + "/ns/user"); err != nil {
		link = ""
	}
	a.readMap(&own.UIDMap, task, pid, "uid_map")
	a.readMap(&own.GIDMap, task, pid, "gid_map")
	return own, link
}

// postures turns the classes of status files into classes of postures.
func (t *threadSet) postures(v *views) []posture.Class {
	out := make([]posture.Class, len(t.classes))
	for i, c := range t.classes {
		th := &c.status.Thread
		th.TID = c.tid
		v.uid.four(&th.UID)
		v.gid.four(&th.GID)
		v.gid.groups(&th.Groups)
		out[i].Thread, out[i].TIDs = *th, c.tids
	}
	return out
}
