package collect

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

func tablesOnly(s *Site) { s.MountTables() }

// laidMounts are what is hard to tell: upon each other, covered, bound, with
// names that are escaped; and what a path from the root leads to.
var laidMounts = []struct {
	name, kind, source string
	flags              uintptr
	reached            bool
}{
	{"", "tmpfs", "laid-base", syscall.MS_NOSUID, true},
	{"stack", "tmpfs", "laid-lower", 0, false},
	{"stack", "tmpfs", "laid-upper", syscall.MS_NOEXEC, true},
	{"hidden/below", "tmpfs", "laid-below", 0, false},
	{"hidden-not", "tmpfs", "laid-beside", 0, true},
	{"hidden", "tmpfs", "laid-over", syscall.MS_NODEV, true},
	{"hidden/below", "tmpfs", "laid-again", 0, true},
	{"new\nline \\ #tab\t", "tmpfs", "laid-escaped", 0, true},
	{"ro", "tmpfs", "laid-ro", syscall.MS_RDONLY, true},
}

func layMounts() {
	must(private())
	for _, m := range laidMounts {
		at := filepath.Join(os.Getenv("TMPDIR"), m.name)
		must(os.MkdirAll(at, 0o755))
		must(mounts.Mount(m.source, at, m.kind, m.flags, ""))
	}
	shared := filepath.Join(os.Getenv("TMPDIR"), "hidden-not")
	must(mounts.Mount("", shared, "", syscall.MS_SHARED, ""))
	// Bound is a directory of its own: whoever removes what is below must find
	// nothing that is anybody else's.
	bound := filepath.Join(os.Getenv("TMPDIR"), "bound")
	must(os.Mkdir(bound, 0o755))
	must(mounts.Mount(shared, bound, "", syscall.MS_BIND, ""))
}

// laidFound compares a table with laidMounts.
func laidFound(table *posture.MountTable) error {
	if table.Mounts.State != posture.Known || table.Root.State != posture.Known {
		return fmt.Errorf("mounts %q, root %q", table.Mounts.Why(), table.Root.Why())
	}
	for _, m := range laidMounts {
		i := slices.IndexFunc(table.Mounts.Value, func(o posture.Mount) bool { return o.Source == m.source })
		if i < 0 {
			return fmt.Errorf("%s is not there", m.source)
		}
		o := &table.Mounts.Value[i]
		if reached, known := o.Reachable.Get(); !known || reached != m.reached {
			return fmt.Errorf("%s: reached %v %s, want %v", m.source, reached, o.Reachable.Why(), m.reached)
		}
		if filepath.Base(o.Point) != filepath.Base(m.name) && m.name != "" {
			return fmt.Errorf("%s lies at %q", m.source, o.Point)
		}
		if o.ReadOnly() != (m.flags&syscall.MS_RDONLY != 0) {
			return fmt.Errorf("%s: read-only %v", m.source, o.ReadOnly())
		}
	}
	return nil
}

func TestMountTables(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "tables", Options{Reach: tablesOnly}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	tables := p.Reach().MountTables
	if len(tables) != 1 {
		t.Fatalf("%d tables: %+v", len(tables), tables)
	}
	if err := laidFound(&tables[0]); err != nil {
		t.Error(err)
	}
	agreeTables(t, &tables[0])
	runAct(t, privateMounts(command(t, "tables-self")))
}

// agreeTables: what statmount(2) tells is what mountinfo has, where this kernel
// has that call.
func agreeTables(t *testing.T, table *posture.MountTable) {
	t.Helper()
	found, compared := table.Disagree.Get()
	if compared {
		if len(found) > 0 {
			t.Errorf("statmount(2): %+v", found)
		}
		return
	}
	if _, err := kernel.ListMounts(0, 0, make([]uint64, 8)); err == nil {
		t.Errorf("not compared: %s", table.Disagree.Why())
	}
}

// TestForgedTable: a table that says otherwise is found out.
func TestForgedTable(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "tables", Options{Reach: func(s *Site) {
		s.MountTables()
		table := &s.Process.MakeReach().MountTables[0]
		if table.Disagree.State != posture.Known {
			return
		}
		good := table.Mounts.Value
		for what, forge := range map[string]func([]posture.Mount) []posture.Mount{
			"mount":       func(m []posture.Mount) []posture.Mount { return m[:len(m)-1] },
			"mount point": func(m []posture.Mount) []posture.Mount { m[len(m)-1].Point = "/x"; return m },
			"root":        func(m []posture.Mount) []posture.Mount { m[len(m)-1].Root = "/x"; return m },
			"parent":      func(m []posture.Mount) []posture.Mount { m[len(m)-1].Parent++; return m },
			"device":      func(m []posture.Mount) []posture.Mount { m[len(m)-1].Minor++; return m },
			"type":        func(m []posture.Mount) []posture.Mount { m[len(m)-1].Type = "x"; return m },
			"options":     func(m []posture.Mount) []posture.Mount { m[len(m)-1].Options += ",nosuid"; return m },
			"propagation": func(m []posture.Mount) []posture.Mount { m[len(m)-1].Propagation.Shared = 4242; return m },
		} {
			table.Mounts.Value = forge(slices.Clone(good))
			s.askMounts(table, table.TID)
			if found := table.Disagree.Value; len(found) != 1 || found[0].What != what {
				t.Errorf("%s: %q, %+v", what, table.Disagree.Why(), found)
			}
		}
	}}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if k := &p.Reach().MountTables[0].Disagree; k.State != posture.Known {
		skip(t, k.Why())
	}
}

// TestTablesInFlux: a table that never stands still is neither known nor forged.
func TestTablesInFlux(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "mounts-flux", Options{Reach: tablesOnly}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Reach().MountTables {
		table := &p.Reach().MountTables[i]
		t.Logf("mounts %q, compared %q", table.Mounts.Why(), table.Disagree.Why())
		if found, compared := table.Disagree.Get(); compared && len(found) > 0 {
			t.Errorf("taken for forged: %+v", found)
		}
	}
}

// TestManyMountTables: twenty thousand mounts with names that are escaped.
func TestManyMountTables(t *testing.T) {
	needRoot(t)
	var took time.Duration
	p, err := outside(t, "mounts-many", Options{Reach: func(s *Site) {
		start := time.Now()
		s.MountTables()
		took = time.Since(start)
	}}, 60*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	table := &p.Reach().MountTables[0]
	if len(table.Mounts.Value) < manyMounts {
		t.Fatalf("%d mounts: %s", len(table.Mounts.Value), table.Mounts.Why())
	}
	agreeTables(t, table)
	t.Logf("%d mounts, read, sorted and compared in %v", len(table.Mounts.Value), took)
	if took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestReachMounts: what a path from the root leads to, by the table alone.
func TestReachMounts(t *testing.T) {
	const root = 10
	for name, c := range map[string]struct {
		mounts []posture.Mount
		want   string
	}{
		"plain":                   {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a"}}, "yy"},
		"upon each other":         {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a"}, {ID: 12, Parent: 11, Point: "/a"}}, "yny"},
		"covered from above":      {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a/b"}, {ID: 12, Parent: 10, Point: "/a"}}, "yny"},
		"a name that begins so":   {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a-b"}, {ID: 12, Parent: 10, Point: "/a"}, {ID: 13, Parent: 12, Point: "/a/b"}}, "yyyy"},
		"on what is covered":      {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a"}, {ID: 12, Parent: 11, Point: "/a/b"}, {ID: 13, Parent: 11, Point: "/a"}}, "ynny"},
		"on the root":             {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a"}, {ID: 12, Parent: 10, Point: "/"}, {ID: 13, Parent: 12, Point: "/a"}}, "yyyy"},
		"three on the root":       {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/"}, {ID: 12, Parent: 11, Point: "/"}}, "yny"},
		"the root is not there":   {[]posture.Mount{{ID: 11, Parent: 10, Point: "/a"}, {ID: 12, Parent: 9, Point: "/b"}}, "yn"},
		"two at one place":        {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a"}, {ID: 12, Parent: 10, Point: "/a"}, {ID: 13, Parent: 10, Point: "/a/b"}}, "y??n"},
		"parents that go around":  {[]posture.Mount{{ID: 10, Parent: 11, Point: "/"}, {ID: 11, Parent: 12, Point: "/a"}, {ID: 12, Parent: 11, Point: "/b"}}, "ynn"},
		"its own parent":          {[]posture.Mount{{ID: 10, Parent: 10, Point: "/"}, {ID: 11, Parent: 11, Point: "/a"}}, "yn"},
		"below a mount that lies": {[]posture.Mount{{ID: 10, Parent: 1, Point: "/"}, {ID: 11, Parent: 10, Point: "/a/b/c"}, {ID: 12, Parent: 10, Point: "/a/b"}, {ID: 13, Parent: 12, Point: "/a/b/c"}}, "ynyy"},
	} {
		known := posture.Of(uint64(root), "statx(2)", "")
		reachMounts(c.mounts, &known)
		got := ""
		for i := range c.mounts {
			switch yes, known := c.mounts[i].Reachable.Get(); {
			case !known:
				got += "?"
			case yes:
				got += "y"
			default:
				got += "n"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	mounts := []posture.Mount{{ID: 10, Point: "/"}}
	none := posture.Failed[uint64]("root", "EACCES")
	if reachMounts(mounts, &none); mounts[0].Reachable.State == posture.Known {
		t.Error("known without the root")
	}
}

// TestTablesOfThreads: a thread in a mount namespace of its own has a table of its own.
func TestTablesOfThreads(t *testing.T) {
	needRoot(t)
	runAct(t, privateMounts(command(t, "tables-thread")))
}

func init() {
	acts["tables"] = func() error {
		layMounts()
		return wait()
	}
	acts["tables-self"] = func() error {
		layMounts()
		p, err := self(Options{Reach: tablesOnly})
		if err != nil {
			return err
		}
		tables := p.Reach().MountTables
		if len(tables) != 1 {
			return fmt.Errorf("%d tables", len(tables))
		}
		return laidFound(&tables[0])
	}
	acts["tables-thread"] = func() error {
		must(private())
		in, out := make(chan int), make(chan bool)
		go func() {
			runtime.LockOSThread()
			must(unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS))
			must(mounts.Mount("laid-thread", os.Getenv("TMPDIR"), "tmpfs", 0, ""))
			in <- unix.Gettid()
			<-out
		}()
		tid := <-in
		defer close(out)
		p, err := self(Options{Reach: tablesOnly})
		if err != nil {
			return err
		}
		tables := p.Reach().MountTables
		i := slices.IndexFunc(tables, func(m posture.MountTable) bool { return m.TID == tid })
		if len(tables) != 2 || i < 0 || !slices.ContainsFunc(tables[i].Mounts.Value, func(m posture.Mount) bool { return m.Source == "laid-thread" }) {
			return fmt.Errorf("thread %d: %+v", tid, tables)
		}
		if found := tables[i].Disagree.Value; len(found) > 0 {
			return fmt.Errorf("%+v", found)
		}
		return nil
	}
}
