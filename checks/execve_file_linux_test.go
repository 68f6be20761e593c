package checks_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
)

// program is a file that is executed, with the owner as the machine sees it.
type program struct {
	Name     string
	UID, GID int
	Mode     uint32
	// Prm and Inh are file capabilities, where Version is not 0.
	Version  int
	Prm, Inh uint64
	Eff      bool
	RootID   uint32
	NoSuid   bool
}

const (
	userBase = 100_000 // what id 0 of inUserNamespace is outside
	userSize = 65_536
)

// make gives the file at path the owner, mode and capabilities.
func (f *program) make(path string) error {
	if err := os.Chown(path, f.UID, f.GID); err != nil {
		return err
	}
	if err := unix.Chmod(path, f.Mode); err != nil {
		return err
	}
	if f.Version == 0 {
		if err := unix.Removexattr(path, "security.capability"); err != nil && err != unix.ENODATA {
			return err
		}
		return nil
	}
	return unix.Setxattr(path, "security.capability", f.attribute(), 0)
}

func (f *program) attribute() []byte {
	eff := uint32(0)
	if f.Eff {
		eff = 1
	}
	words := []uint32{uint32(f.Version)<<24 | eff, uint32(f.Prm), uint32(f.Inh), uint32(f.Prm >> 32), uint32(f.Inh >> 32)}
	if f.Version == 3 {
		words = append(words, f.RootID)
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// mount makes the mount that the program lies on nosuid, in the mount namespace of
// its own that the process was started in.
func (f *program) mount(path string) error {
	if !f.NoSuid {
		return nil
	}
	dir := filepath.Dir(path)
	return errors.Join(
		mounts.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		mounts.Mount(dir, dir, "", unix.MS_BIND, ""),
		mounts.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID, ""),
	)
}

// seenFrom is the program as a user namespace sees it.
func (f *program) seenFrom(inside bool) (checks.File, posture.Program) {
	id := func(outside int) posture.ID {
		switch {
		case !inside:
			return mapped(uint32(outside))
		case outside >= userBase && outside < userBase+userSize:
			return posture.ID{Value: uint32(outside - userBase), Outside: uint32(outside)}
		default:
			return posture.ID{Value: 65534, Outside: uint32(outside), Unmapped: true}
		}
	}
	file := checks.File{UID: id(f.UID), GID: id(f.GID), Mode: f.Mode, Ignored: f.NoSuid}
	if f.Version == 2 || f.Version == 3 && (inside && f.RootID == userBase || f.RootID == 0) {
		file.Capped, file.Effective, file.Permitted, file.Inheritable = true, f.Eff, posture.CapSet(f.Prm), posture.CapSet(f.Inh)
	}
	p := posture.Program{Permission: posture.Permission{
		Mode: f.Mode, UID: posture.Of(file.UID, "", ""), GID: posture.Of(file.GID, "", ""), ACL: posture.Of(false, "", ""),
	}}
	return file, p
}

// programs are the kinds of files that execve(2) does not treat as plain.
func programs(base int) []program {
	const chown, setuid, raw, full = 1 << 0, 1 << 7, 1 << 13, 1<<41 - 1
	const plain, suid, sgid, both = 0o755, 0o4755, 0o2755, 0o6755
	root, user := base, base+1000
	return []program{
		{Name: "plain", UID: root, GID: root, Mode: plain},
		{Name: "set-user-ID-root", UID: root, GID: root, Mode: suid},
		{Name: "set-user-ID-root, nosuid", UID: root, GID: root, Mode: suid, NoSuid: true},
		{Name: "set-user-ID", UID: user + 7, GID: root, Mode: suid},
		{Name: "set-user-ID of the user", UID: user, GID: root, Mode: suid},
		{Name: "set-group-ID-root", UID: root, GID: root, Mode: sgid},
		{Name: "set-group-ID", UID: root, GID: user + 7, Mode: sgid},
		{Name: "set-group-ID without the group's bit", UID: root, GID: user + 7, Mode: 0o2745},
		{Name: "both", UID: root, GID: user + 7, Mode: both},
		{Name: "set-user-ID of another machine's id", UID: 55, GID: root, Mode: suid},
		{Name: "set-user-ID with another machine's group", UID: root, GID: 55, Mode: suid},
		{Name: "capabilities", UID: root, GID: root, Mode: plain, Version: 2, Prm: chown | raw, Eff: true},
		{Name: "capabilities, not effective", UID: root, GID: root, Mode: plain, Version: 2, Prm: chown | setuid},
		{Name: "capabilities, nosuid", UID: root, GID: root, Mode: plain, Version: 2, Prm: chown, Eff: true, NoSuid: true},
		{Name: "all capabilities", UID: root, GID: root, Mode: plain, Version: 2, Prm: full, Eff: true},
		{Name: "inheritable", UID: root, GID: root, Mode: plain, Version: 2, Inh: chown | setuid, Eff: true},
		{Name: "empty capabilities", UID: root, GID: root, Mode: plain, Version: 2, Eff: true},
		{Name: "set-user-ID-root with capabilities", UID: root, GID: root, Mode: suid, Version: 2, Prm: chown, Eff: true},
		{Name: "set-user-ID with capabilities", UID: user + 7, GID: root, Mode: suid, Version: 2, Prm: chown},
		{Name: "capabilities of a root of its own", UID: root, GID: root, Mode: plain, Version: 3, RootID: userBase, Prm: chown, Eff: true},
		{Name: "capabilities of another root", UID: root, GID: root, Mode: plain, Version: 3, RootID: userBase + 1, Prm: chown, Eff: true},
	}
}

// fileRows are credentials that tell the rules apart.
func fileRows() []wanted {
	names := []string{
		"root, everything", "root, empty sets, full bounding set", "root, empty sets, empty bounding set", "root, noroot", "root, ambient",
		"real root", "real root, noroot", "effective root", "user, nothing", "user, full bounding set", "user, everything", "user, ambient",
		"user, ambient, other effective gid", "user, ambient, other file system gid",
	}
	var rows []wanted
	for _, w := range execRows() {
		name := strings.TrimSuffix(w.Name, ", no_new_privs")
		if i := slices.Index(names, name); i >= 0 && (i < 3 || i > 8 || !w.NoNewPrivs) {
			rows = append(rows, w)
		}
	}
	if raceEnabled {
		return rows[max(0, len(rows)-2):]
	}
	return rows
}

// drawnFiles are modes and owners by chance, and credentials for them, so that
// every rule on who may execute a file decides some.
func drawnFiles(base, n int) []wanted {
	r := rand.New(rand.NewPCG(3, 4))
	id := func() int { return []int{0, 1000, 1000, 1001}[r.IntN(4)] }
	rows := make([]wanted, n)
	for i := range rows {
		uid, gid := id(), id()
		w := wanted{Name: fmt.Sprintf("drawn %d", i), UID: [4]int{uid, uid, uid, uid}, GID: [4]int{gid, gid, gid, gid}, Bnd: 0xff}
		w.Prm = []uint64{0, 0, 2, 4}[r.IntN(4)]
		w.Eff = w.Prm
		for range r.IntN(2) {
			w.Groups = append(w.Groups, id())
		}
		w.NoNewPrivs = r.IntN(4) == 0
		w.File = &program{Name: w.Name, UID: base + id(), GID: base + id(), Mode: uint32(r.IntN(0o10000)) &^ 0o1000}
		rows[i] = w
	}
	return rows
}

// TestExecveFileOnThisKernel compares ExecveFile, and who may execute a file, with
// what the kernel does.
func TestExecveFileOnThisKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "set-user-ID-root files and file capabilities need root")
	}
	path := publicCopy(t)
	file := publicCopy(t)
	for _, ns := range []struct {
		name   string
		inside bool
		attr   func() *syscall.SysProcAttr
	}{
		{"own user namespace", false, func() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }},
		{"another user namespace", true, inUserNamespace},
	} {
		base := 0
		if ns.inside {
			base = userBase
		}
		var rows []wanted
		for _, f := range programs(base) {
			for _, w := range fileRows() {
				w.File = &f
				rows = append(rows, w)
			}
		}
		if !raceEnabled {
			rows = append(rows, drawnFiles(base, 120)...)
		}
		var n fileTally
		for _, w := range rows {
			t.Run(ns.name+"/"+w.File.Name+"/"+w.Name, func(t *testing.T) {
				if err := w.File.make(file); err != nil {
					t.Fatal(err)
				}
				attr := ns.attr()
				if w.File.NoSuid {
					attr.Cloneflags |= syscall.CLONE_NEWNS
				}
				n.compare(t, path, file, w, attr, ns.inside)
			})
		}
		t.Logf("%s: %+v", ns.name, n)
		if n.newer > 0 && n.older > 0 {
			t.Errorf("%s: this kernel goes by the newer rule on ids in %d cases and by the older in %d", ns.name, n.newer, n.older)
		}
		if n.gained == 0 || n.denied == 0 && !raceEnabled {
			t.Errorf("%s: the cases tell nothing apart: %+v", ns.name, n)
		}
	}
}

type fileTally struct{ all, newer, older, gained, denied, refused int }

func (n *fileTally) compare(t *testing.T, path, file string, w wanted, attr *syscall.SysProcAttr, inside bool) {
	before, after := execReallyFrom(t, path, file, w, attr)
	c := before.credentials()
	f, p := w.File.seenFrom(inside)
	n.all++
	may, known := checks.MayExecute(c, &p)
	if !known || may == after.Denied {
		t.Fatalf("who may execute it: computed %v (known: %v), denied %v\nbefore %+v\nfile %+v", may, known, after.Denied, before, w.File)
	}
	if after.Denied {
		n.denied++
		return
	}
	newer, older := checks.ExecveFile(c, f), checks.ExecveFileByRealIDs(c, f)
	switch isNewer, isOlder := after.is(&newer), after.is(&older); {
	case !isNewer && !isOlder:
		t.Errorf("before   %+v\nfile     %+v\ncomputed %+v\nreally   %+v", before, w.File, newer, after)
	case !isOlder:
		n.newer++
	case !isNewer:
		n.older++
		t.Logf("only by the older rule:\nbefore   %+v\nfile     %+v\ncomputed %+v\nreally   %+v", before, w.File, newer, after)
	}
	switch {
	case after.Refused:
		n.refused++
	case after.UID[1] != before.UID[1] || after.Prm&^before.Prm != 0:
		n.gained++
	}
}

// is says whether the computed result is what was seen.
func (s shown) is(r *checks.Result) bool {
	if s.Refused || r.Refused {
		return s.Refused && r.Refused
	}
	same := func(ids [4]uint32, id posture.ID) bool {
		return ids[1] == id.Value && ids[2] == id.Value && ids[3] == id.Value
	}
	return s.sets() == r.Caps && same(s.UID, r.UID) && same(s.GID, r.GID)
}
