package collect

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// views finds out how ids are to be translated, and fills UserNamespace.
func (a *collector) views() views {
	ns := &a.p.UserNamespace
	if a.task == nil {
		ns.UIDMap = posture.Failed[[]posture.MapEntry]("/proc", a.noTask.Error())
		ns.GIDMap = posture.Failed[[]posture.MapEntry]("/proc", a.noTask.Error())
	} else {
		ns.UIDMap = a.readMap(a.task, a.p.PID, "uid_map")
		ns.GIDMap = a.readMap(a.task, a.p.PID, "gid_map")
	}
	if a.self {
		ns.Same = posture.Of(true, "the audited process itself", "")
		return views{
			uid: idView{same: true, m: ns.UIDMap, own: ns.UIDMap},
			gid: idView{same: true, m: ns.GIDMap, own: ns.GIDMap},
		}
	}
	return a.otherViews()
}

// otherViews compares the target's user namespace with our own: by its link,
// which takes ptrace access, else by the maps.
func (a *collector) otherViews() views {
	ns := &a.p.UserNamespace
	ownUID, ownGID, link := a.ownMaps()
	v := views{uid: idView{m: ns.UIDMap, own: ownUID}, gid: idView{m: ns.GIDMap, own: ownGID}}
	source := a.task.Path() + "/" + a.leader("ns/user")
	theirs, err := a.task.Readlink(a.leader("ns/user"))
	switch {
	case err == nil && link != "":
		ns.Same = posture.Of(theirs == link, source, theirs)
	case ns.UIDMap.State == posture.Absent:
		ns.Same = posture.Of(true, ns.UIDMap.Source, "no user namespaces in this kernel")
	case differ(ns.UIDMap, ownUID) || differ(ns.GIDMap, ownGID):
		// One reader reads one map for one user namespace.
		ns.Same = posture.Of(false, ns.UIDMap.Source, ns.UIDMap.Raw)
	default:
		ns.Same = posture.Failed[bool](source, fmt.Sprintf("%s: %v", source, err))
	}
	same, known := ns.Same.Get()
	v.uid.decide(same, known, ns.Same)
	v.gid.decide(same, known, ns.Same)
	return v
}

func differ(a, b posture.Fact[[]posture.MapEntry]) bool {
	return a.State == posture.Known && b.State == posture.Known && !reflect.DeepEqual(a.Value, b.Value)
}

// decide settles how the view translates. A map of all ids, each as itself,
// needs no answer: both ways come out the same.
func (v *idView) decide(same, known bool, f posture.Fact[bool]) {
	v.same = same
	if !known && !(whole(v.m) && whole(v.own)) {
		v.unknown = "cannot tell whose user namespace the ids belong to: " + f.Why()
	}
}

// ownMaps reads our own maps and the link of our own user namespace.
func (a *collector) ownMaps() (uid, gid posture.Fact[[]posture.MapEntry], link string) {
	pid := a.proc.Self()
	task, err := a.proc.Task(pid)
	if err != nil {
		failed := posture.Failed[[]posture.MapEntry]("/proc", err.Error())
		return failed, failed, ""
	}
	defer task.Close()
	link, err = task.Readlink(strconv.Itoa(pid) + "/ns/user")
	if err != nil {
		link = ""
	}
	return a.readMap(task, pid, "uid_map"), a.readMap(task, pid, "gid_map"), link
}

// postures turns the classes of status files into classes of postures.
func (t *threadSet) postures(v views) []posture.Class {
	out := make([]posture.Class, 0, len(t.classes))
	for i := range t.classes {
		c := t.classes[i]
		s := &c.status
		out = append(out, posture.Class{TIDs: c.tids, Thread: posture.Thread{
			TID: c.tid,
			UID: v.uid.four(s.UID), GID: v.gid.four(s.GID), Groups: v.gid.groups(s.Groups), Caps: s.Caps,
			NoNewPrivs: s.NoNewPrivs, SeccompMode: s.SeccompMode, SeccompFilters: s.SeccompFilters,
			NSpid: s.NSpid, TracerPID: s.TracerPID, Umask: s.Umask, CoreDumping: s.CoreDumping,
			StoreBypass: s.StoreBypass, IndirectBranch: s.IndirectBranch,
		}})
	}
	return out
}
