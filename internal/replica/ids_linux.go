package replica

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// ids sets all four user and group ids and the groups: before the user namespace
// is joined as we see them, and after as the process does.
func (m *maker) ids() error {
	t := &m.class.Thread
	var err error
	uid, gid := t.UID.Value, t.GID.Value
	if m.po.SetUID, m.po.UID, err = m.four(uid, m.uid); err != nil {
		return err
	}
	if m.po.SetGID, m.po.GID, err = m.four(gid, m.gid); err != nil {
		return err
	}
	var want []uint32
	for _, g := range t.Groups.Value {
		want = append(want, g.Outside)
	}
	m.po.SetGroups = !sameSet(want, m.groups)
	if m.po.SetGroups {
		for _, g := range t.Groups.Value {
			id, err := m.id(g)
			if err != nil {
				return err
			}
			m.po.Groups = append(m.po.Groups, id)
		}
	}
	for _, n := range []struct {
		needed     bool
		capability int
		name       string
	}{{m.po.SetGroups || m.po.SetGID, capSetGID, "CAP_SETGID"}, {m.po.SetUID, capSetUID, "CAP_SETUID"}} {
		if n.needed && !m.has(n.capability) && !m.userFirst {
			return errors.New("taking on its ids takes " + n.name)
		}
	}
	return nil
}

func (m *maker) four(ids posture.IDs, own [4]uint32) (set bool, out [4]uint32, err error) {
	list := [4]posture.ID{ids.Real, ids.Effective, ids.Saved, ids.FS}
	for k, id := range list {
		set = set || id.Outside != own[k]
	}
	for k, id := range list {
		if !set {
			break
		}
		if out[k], err = m.id(id); err != nil {
			return false, out, err
		}
	}
	return set, out, nil
}

// id returns the number that stands for an id where it is set.
func (m *maker) id(id posture.ID) (uint32, error) {
	switch {
	case m.userFirst && !id.Unmapped:
		return id.Value, nil
	case m.userFirst, id.Unmapped && !m.differs(user):
		return 0, fmt.Errorf("its id %d has no number in the user namespace in which it would have to be set", id.Outside)
	default:
		return id.Outside, nil
	}
}

func sameSet(a, b []uint32) bool {
	norm := func(l []uint32) []uint32 {
		l = slices.Clone(l)
		slices.Sort(l)
		return slices.Compact(l)
	}
	return slices.Equal(norm(a), norm(b))
}

// capabilities sets the five sets, from what is left of our own.
func (m *maker) capabilities() error {
	c, po := &m.class.Caps, &m.po
	po.Inheritable, po.Permitted, po.Effective = uint64(c.Inheritable.Value), uint64(c.Permitted.Value), uint64(c.Effective.Value)
	po.Bounding, po.Ambient = uint64(c.Bounding.Value), uint64(c.Ambient.Value)
	po.Held, po.HeldInheritable = m.caps.Permitted, m.caps.Inheritable
	all := ^uint64(0) >> (63 - m.last)
	if m.userFirst {
		po.Held, po.HeldInheritable = all, 0
	}
	held, bounding := po.Held, m.bounding
	if m.differs(user) {
		held, bounding = all, all
	}
	lacking := func(what string, set uint64) error {
		if set == 0 {
			return nil
		}
		return fmt.Errorf("its %s set has what this program lacks: %s", what, capNames(set))
	}
	if err := errors.Join(lacking("permitted", po.Permitted&^held), lacking("bounding", po.Bounding&^bounding), lacking("inheritable", po.Inheritable&^(bounding|m.caps.Inheritable))); err != nil {
		return err
	}
	if po.Drop = bounding &^ po.Bounding; po.Drop != 0 && held&(1<<capSetPCap) == 0 {
		return errors.New("lowering the bounding set to its takes CAP_SETPCAP")
	}
	return nil
}

// capNames names capabilities by their numbers, as capabilities(7) lists them.
func capNames(set uint64) string {
	var list []string
	for n := range 64 {
		if set&(1<<n) != 0 {
			list = append(list, "capability "+strconv.Itoa(n))
		}
	}
	return strings.Join(list, ", ")
}
