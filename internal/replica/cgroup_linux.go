package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/cgroup"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// upwards calls a function with the cgroup and each one above it, up to where its
// hierarchy is mounted, until one answers.
func upwards(d *cgroup.Dir, each func(level int) (string, error)) (string, error) {
	for level := range d.Levels() {
		if said, err := each(level); said != "" || err != nil {
			return said, err
		}
	}
	return "", nil
}

// frozen says in words that what joins the cgroup would stand still, or nothing:
// cgroups(7), freezer; the kernel's cgroup-v2 document, cgroup.freeze.
func frozen(d *cgroup.Dir) (string, error) {
	if d.Controllers == "" {
		return upwards(d, func(level int) (string, error) {
			switch text, err := d.Read(level, "cgroup.freeze"); {
			case cgroup.Absent(err):
				return "", nil
			case err != nil || text == "0":
				return "", err
			default:
				return d.File(level, "cgroup.freeze") + " is " + strconv.Quote(text), nil
			}
		})
	}
	if !d.Has("freezer") {
		return "", nil
	}
	// It says what the cgroups above it make of it, too.
	switch text, err := d.Read(0, "freezer.state"); {
	case cgroup.Absent(err):
		return "", nil
	case err != nil || text == "THAWED":
		return "", err
	default:
		return d.File(0, "freezer.state") + " is " + strconv.Quote(text), nil
	}
}

// cgroups joins those of the thread, or says what it means that they are not
// joined.
func (m *maker) cgroups() error {
	if m.effects == nil {
		m.effects = map[int]effects{}
	}
	theirs, err := m.hierarchies(m.task, m.class.TID)
	if err != nil {
		if m.joins {
			return accessible(err)
		}
		var a effects
		for k := range controls {
			a.theirs[k] = controls[k].unlessAny(err)
		}
		m.limits, m.effects[m.class.TID] = append(m.limits, notJoined), a
		return nil
	}
	ours, err := m.hierarchies(m.own, kernel.Gettid())
	if err != nil {
		return err
	}
	mounts, err := m.mounts()
	if err != nil {
		return err
	}
	var left []procfs.Cgroup
	for _, h := range theirs {
		if own, _ := cgroup.In(ours, h); own.Path == h.Path {
			continue
		}
		if !m.joins {
			left = append(left, h)
			continue
		}
		joined, err := m.joinCgroup(mounts, h)
		if err != nil {
			return err
		}
		if !joined {
			left = append(left, h)
		}
	}
	if len(left) > 0 && !m.joins {
		m.limits = append(m.limits, notJoined)
	}
	m.setEffects(mounts, left, ours)
	return nil
}

func (m *maker) hierarchies(task *procfs.Dir, tid int) ([]procfs.Cgroup, error) {
	file, err := m.file(task, tid, "cgroup")
	if err != nil {
		return nil, err
	}
	return procfs.ParseCgroup([]byte(file))
}

// mountsRead is how long the mounts may take to be read.
const mountsRead = 10 * time.Second

// mounts are those that the calling thread sees.
func (m *maker) mounts() ([]posture.Mount, error) {
	ctx, cancel := context.WithTimeout(context.Background(), mountsRead)
	defer cancel()
	file, err := m.own.MountInfo(ctx, strconv.Itoa(kernel.Gettid())+"/mountinfo")
	if err != nil {
		return nil, err
	}
	return procfs.ParseMountInfo(file)
}

// joinCgroup prepares the joining of one. One that cannot be opened is named,
// and one whose processes stand still is an error.
func (m *maker) joinCgroup(mounts []posture.Mount, h procfs.Cgroup) (bool, error) {
	d, err := cgroup.Open(m.c, mounts, h)
	if err == nil {
		defer d.Close()
		why, errFrozen := frozen(d)
		if why != "" {
			return false, errors.New("its cgroup is frozen, and a child that joined it would stand still too: " + why)
		}
		err = errFrozen
	}
	fd := -1
	if err == nil {
		fd, err = kernel.Open(d.FD(), "cgroup.procs", kernel.OpenWrite, d.Path())
	}
	if err != nil {
		m.limits = append(m.limits, fmt.Sprintf("attempts were not made in the process's cgroup of the hierarchy %s: %v", h.Name(), err))
		return false, nil
	}
	m.fds = append(m.fds, fd)
	m.po.Cgroups = append(m.po.Cgroups, child.Cgroup{FD: fd, Name: h.Name()})
	if list := m.joined[m.class.TID]; !slices.Contains(list, h) {
		m.joined[m.class.TID] = append(list, h)
	}
	return true, nil
}

// outsideCgroups says in which of the cgroups that were to be joined a process
// or thread is not, or nothing.
func (t *Target) outsideCgroups(task *procfs.Dir, tid, class int) string {
	if len(t.joined[class]) == 0 {
		return ""
	}
	data, err := task.Read(strconv.Itoa(tid)+"/cgroup", &t.buf)
	if err != nil {
		return "its cgroups could not be read: " + err.Error()
	}
	is, err := procfs.ParseCgroup(data)
	if err != nil {
		return strconv.Itoa(tid) + "/cgroup: " + err.Error()
	}
	var list []string
	for _, h := range t.joined[class] {
		if now, _ := cgroup.In(is, h); now.Path != h.Path {
			list = append(list, "cgroup of "+h.Name())
		}
	}
	return strings.Join(list, ", ")
}
