package replica

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/cgroup"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// control is something by which a cgroup stops its processes.
type control struct {
	// controller is that of version 1, which version 2 has files of the same
	// names of; empty for BPF programs, which version 2 alone has.
	controller string
	says       string
	// attempts are those of the catalogue that it can stop; nil where it can
	// stop any.
	attempts []string
	// acts says what of it would stop the next attempt, or nothing.
	acts func(*cgroup.Dir) (string, error)
	// named says what of it there is at all, where that is something else.
	named func(*cgroup.Dir) (string, error)
	// programs are the places of BPF programs that do it.
	programs []uint32
}

// controls are in the order of the report. No attempt of the catalogue opens a
// device or makes a node. Limits on memory, CPU time and the like are no ways to
// stop an attempt: they make it slow, or kill its process.
var controls = [...]control{
	{controller: "devices", says: "device rules", attempts: []string{}, acts: deviceRules},
	{says: "device rules", attempts: []string{}, programs: []uint32{kernel.CgroupDevice}},
	{controller: "pids", says: "a limit on processes", attempts: []string{"userns-clone", "userns-clone3"}, acts: pidsFull, named: pidsLimit},
	{says: "a program that decides on sockets", attempts: []string{"raw-socket", "low-port", "network.raw-socket", "network.egress"}, programs: []uint32{kernel.CgroupSocketCreate}},
	{says: "a program that decides on ports", attempts: []string{"low-port"}, programs: []uint32{kernel.CgroupBind4, kernel.CgroupBind6, kernel.CgroupBound4, kernel.CgroupBound6}},
	{says: "an LSM program", programs: []uint32{kernel.CgroupLSM}},
}

// deviceRules are there unless every device may be used: the kernel's document
// on the devices controller.
func deviceRules(d *cgroup.Dir) (string, error) {
	const everyDevice = "a *:* rwm"
	text, err := d.Read(0, "devices.list")
	switch {
	case cgroup.Absent(err):
		return "", nil
	case err != nil || text == everyDevice:
		return "", err
	default:
		return d.File(0, "devices.list"), nil
	}
}

// pidsLimit finds the next limit at or above a cgroup.
func pidsLimit(d *cgroup.Dir) (string, error) {
	return upwards(d, func(level int) (string, error) {
		switch text, err := d.Read(level, "pids.max"); {
		case cgroup.Absent(err):
			return "", nil
		case err != nil || text == "max":
			return "", err
		default:
			return d.File(level, "pids.max") + " " + text, nil
		}
	})
}

// pidsFull finds a limit that is reached. One that is not stops nobody.
func pidsFull(d *cgroup.Dir) (string, error) {
	return upwards(d, func(level int) (string, error) {
		text, err := d.Read(level, "pids.max")
		if cgroup.Absent(err) || err == nil && text == "max" {
			return "", nil
		}
		now, err2 := d.Read(level, "pids.current")
		most, err3 := strconv.ParseUint(text, 10, 64)
		count, err4 := strconv.ParseUint(now, 10, 64)
		if err := errors.Join(err, err2, err3, err4); err != nil || count < most {
			return "", err
		}
		return d.File(level, "pids.current") + " " + now + " of " + text, nil
	})
}

// effects are what it means that a replica is in another cgroup than its process.
// Of each control: what acts on the process and not on the replica, and the
// other way round. What could not be read may act.
type effects struct{ theirs, ours [len(controls)]string }

// setEffects notes what the cgroups that are not joined do, and ours.
func (m *maker) setEffects(mounts []posture.Mount, left, ours []procfs.Cgroup) {
	var a effects
	var there []string
	for _, h := range left {
		at, _ := cgroup.In(ours, h)
		own, err := cgroup.Open(m.c, mounts, at)
		if err != nil {
			own = nil
		}
		their, err := cgroup.Open(m.c, mounts, h)
		for k := range controls {
			c := &controls[k]
			switch {
			case !c.in(h):
			case err != nil:
				a.theirs[k] = c.unlessAny(err)
				there = append(there, c.says+", or not ("+err.Error()+")")
			default:
				var said string
				a.theirs[k], a.ours[k], said = c.compare(their, own)
				if said != "" {
					there = append(there, c.says+" ("+said+")")
				}
			}
		}
		their.Close()
		own.Close()
	}
	if len(there) > 0 {
		m.limits = append(m.limits, "the process's cgroup has what did not act on attempts, and does with --join-cgroup: "+strings.Join(slices.Compact(there), ", "))
	}
	m.effects[m.class.TID] = a
}

// unlessAny is what an error means for the attempts of a control. What may stop
// any of them and cannot be read is named, and holds back none: as the Landlock
// domain of a process does.
func (c *control) unlessAny(err error) string {
	if c.attempts == nil {
		return ""
	}
	return err.Error()
}

// in says that the control is one of the hierarchy.
func (c *control) in(h procfs.Cgroup) bool {
	if c.controller == "" || h.Controllers == "" {
		return h.Controllers == "" && c.controller != "devices"
	}
	return h.Has(c.controller)
}

// compare returns what acts on one cgroup and not on the other, both ways, and
// what the report names of the first. own is nil where it could not be opened.
func (c *control) compare(their, own *cgroup.Dir) (theirs, ours, said string) {
	if c.programs != nil {
		return c.comparePrograms(their, own)
	}
	theirs = unread(c.acts(their))
	if own != nil {
		ours = unread(c.acts(own))
	}
	if c.named == nil {
		return theirs, ours, theirs
	}
	return theirs, ours, unread(c.named(their))
}

func (c *control) comparePrograms(their, own *cgroup.Dir) (theirs, ours, said string) {
	for _, place := range c.programs {
		a, err := programs(their, place)
		if err != nil {
			return c.unlessAny(err), "", err.Error()
		}
		var b []uint32
		if own != nil {
			if b, err = programs(own, place); err != nil {
				return c.unlessAny(err), "", err.Error()
			}
		}
		if n := beyond(a, b, place); n > 0 {
			theirs = "of BPF programs in effect at " + their.Path() + " " + strconv.Itoa(n)
		}
		if n := beyond(b, a, place); n > 0 {
			ours = "of BPF programs in effect at " + own.Path() + " " + strconv.Itoa(n)
		}
	}
	return theirs, ours, theirs
}

// unread makes an error what is said: what could not be read may act.
func unread(said string, err error) string {
	if err != nil {
		return err.Error()
	}
	return said
}

// programs are those in effect; none where the kernel knows no such place.
func programs(d *cgroup.Dir, place uint32) ([]uint32, error) {
	ids, err := kernel.CgroupPrograms(d.FD(), place, d.Path())
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		return nil, nil
	}
	return ids, err
}

// beyond counts what is in one list and not in another. Of LSM programs there is
// only a number, so that two are never the same.
func beyond(a, b []uint32, place uint32) (n int) {
	for _, id := range a {
		if place == kernel.CgroupLSM || !slices.Contains(b, id) {
			n++
		}
	}
	return n
}

// Doubt says in words why an attempt that a replica of the class made may have
// ended otherwise than in the process, or nothing: for the cgroup in which the
// one is and the other is not. What a filter or the want of a capability stopped
// no cgroup is needed for.
func (t *Target) Doubt(class *posture.Class, a *posture.Attempt) string {
	is := t.effects[class.TID]
	other := a.Outcome == posture.Stopped && a.By != posture.StoppedByFilter && a.By != posture.StoppedByCapability
	for k := range controls {
		c := &controls[k]
		switch {
		case c.attempts != nil && !slices.Contains(c.attempts, a.Name):
		case a.Outcome == posture.Succeeded && is.theirs[k] != "":
			return "the process's cgroup has " + c.says + ", and the child was not under it: " + is.theirs[k]
		case other && is.ours[k] != "":
			return "this program's own cgroup has " + c.says + ", and the process is not under it: " + is.ours[k]
		}
	}
	return ""
}
