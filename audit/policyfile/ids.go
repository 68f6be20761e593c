package policyfile

import (
	"errors"
	"fmt"
	"math"
	"os/user"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// nonroot stands for any id but 0. It is never looked up as a name.
const nonroot = "nonroot"

// maxID is the highest id: (uid_t)-1 means "no id" to the system calls.
const maxID = math.MaxUint32 - 1

// errUnknown says that the user database does not have a name.
var errUnknown = errors.New("not in the user database")

// database is one half of the user database.
type database struct {
	what   string
	lookup func(name string) (id string, err error)
}

var users = database{"user", func(name string) (string, error) {
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return "", errUnknown
	}
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}}

var groups = database{"group", func(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if errors.As(err, new(user.UnknownGroupError)) {
		return "", errUnknown
	}
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}}

// readID reads a number or a name.
func (db database) readID(d *decoder, n node, path string) (uint32, bool) {
	wanted := fmt.Sprintf("a %s id or a %s's name", db.what, db.what)
	if n.kind() == stringNode && !decimal.MatchString(n.text()) {
		name, ok := readString(d, n, path, wanted)
		if !ok {
			return 0, false
		}
		return db.find(d, n, path, name)
	}
	v, ok := readNumber(d, n, path, wanted, 0, math.MaxUint32)
	if ok && v > maxID {
		d.fail(n, "%s: %d is no id: it stands for no change in setresuid(2) and the like", path, v)
		return 0, false
	}
	return uint32(v), ok
}

// find looks a name up.
func (db database) find(d *decoder, n node, path, name string) (uint32, bool) {
	if strings.ContainsAny(name, ":/ ,") || len(name) > 256 {
		d.fail(n, "%s: %s cannot be a %s's name", path, quoted(name), db.what)
		return 0, false
	}
	text, err := db.lookup(name)
	if errors.Is(err, errUnknown) {
		hint := ""
		if names.Nearest(name, []string{nonroot}) != "" {
			hint = ": did you mean nonroot?"
		}
		d.fail(n, "%s: %s %s is not in the user database%s", path, db.what, quoted(name), hint)
		return 0, false
	}
	if err != nil {
		d.fail(n, "%s: looking up %s %s: %s", path, db.what, quoted(name), printable(err.Error()))
		return 0, false
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || v > maxID {
		d.fail(n, "%s: %s %s has no usable id: the user database says %s", path, db.what, quoted(name), quoted(text))
		return 0, false
	}
	return uint32(v), true
}

// id reads an exact id, or nonroot.
func (db database) id() reader[*policy.ID] {
	return reader[*policy.ID]{
		words: "whole number, name of a " + db.what + ", or nonroot", demand: nonroot,
		read: func(d *decoder, n node, path string) (*policy.ID, bool) {
			if n.kind() == stringNode && n.text() == nonroot {
				return &policy.ID{Nonroot: true}, true
			}
			v, ok := db.readID(d, n, path)
			return &policy.ID{Exact: v}, ok
		},
		format: func(id *policy.ID) string {
			if id.Nonroot {
				return nonroot
			}
			return strconv.FormatUint(uint64(id.Exact), 10)
		},
	}
}

// supplementary reads a list of groups, or nonroot.
func supplementary() reader[*policy.Groups] {
	list := listOf("", func(d *decoder, n node, path string) (uint32, bool) {
		if n.kind() == stringNode && n.text() == nonroot {
			d.fail(n, "%s: nonroot stands for the whole list, not for a member of it", path)
			return 0, false
		}
		return groups.readID(d, n, path)
	})
	return reader[*policy.Groups]{
		words: "list of whole numbers or names of groups, or nonroot", demand: "[]",
		read: func(d *decoder, n node, path string) (*policy.Groups, bool) {
			if n.kind() == stringNode && n.text() == nonroot {
				return &policy.Groups{Nonroot: true}, true
			}
			if n.kind() != listNode {
				d.fail(n, "%s: a list of groups, or nonroot, is wanted, not %s", path, n.shown())
				return nil, false
			}
			ids, ok := list.read(d, n, path)
			return &policy.Groups{Allowed: ids}, ok
		},
		format: func(g *policy.Groups) string {
			if g.Nonroot {
				return nonroot
			}
			ids := make([]string, len(g.Allowed))
			for i, id := range g.Allowed {
				ids[i] = strconv.FormatUint(uint64(id), 10)
			}
			return "[" + strings.Join(ids, ", ") + "]"
		},
	}
}
