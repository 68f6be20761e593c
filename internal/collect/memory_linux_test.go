package collect

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// oddMapped is a file's name that means to pass for other lines of maps.
const oddMapped = "/x\n7ffc0000-7ffd0000 rw-p 00000000 00:00 0 [stack]\x1b[2J"

const manyMappings = 60000

func init() {
	const protection = syscall.PROT_READ | syscall.PROT_WRITE
	acts["memory-odd"] = func() error {
		f, err := os.Create(os.Getenv("TMPDIR") + oddMapped)
		must(err)
		must(f.Truncate(4096))
		_, err = syscall.Mmap(int(f.Fd()), 0, 4096, protection|syscall.PROT_EXEC, syscall.MAP_SHARED)
		must(err)
		return wait()
	}
	acts["memory-many"] = func() error {
		page := os.Getpagesize()
		all, err := syscall.Mmap(-1, 0, manyMappings*page, protection, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		must(err)
		for i := 0; i < manyMappings; i += 2 {
			must(syscall.Mprotect(all[i*page:(i+1)*page], syscall.PROT_READ))
		}
		must(syscall.Mprotect(all[(manyMappings-1)*page:], protection|syscall.PROT_EXEC))
		return wait()
	}
	acts["memory-flux"] = func() error {
		page := os.Getpagesize()
		all, err := syscall.Mmap(-1, 0, 64*page, protection, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		must(err)
		must(syscall.Mprotect(all[31*page:32*page], protection|syscall.PROT_EXEC))
		go func() {
			for i := 0; ; i = (i + 1) % 31 {
				at := uintptr(unsafe.Pointer(&all[i*page]))
				syscall.RawSyscall(syscall.SYS_MPROTECT, at, uintptr(page), protection|syscall.PROT_EXEC)
				syscall.RawSyscall(syscall.SYS_MPROTECT, at, uintptr(page), protection)
			}
		}()
		return wait()
	}
}

var lookAtMemory = Options{Reach: func(s *Site) { s.Layout(); s.Mappings(); s.Dumps(); s.Executable() }}

func TestMemoryOfHostile(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "memory-odd", lookAtMemory, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	m, known := p.Reach().Memory.Mappings.Get()
	if !known || len(m.WriteExecute) != 1 || !strings.Contains(m.WriteExecute[0].Name, `\0127ffc0000`) || m.Stack == nil || m.Stack.Start == 0x7ffc0000 {
		t.Errorf("%+v, %s", m, p.Reach().Memory.Mappings.Why())
	}
	p, err = outside(t, "memory-many", lookAtMemory, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if m, known = p.Reach().Memory.Mappings.Get(); !known || m.Count < manyMappings || len(m.WriteExecute) != 1 {
		t.Errorf("%d mappings, %d writable and executable, %s", m.Count, len(m.WriteExecute), p.Reach().Memory.Mappings.Why())
	}
}

// TestMemoryInFlux: memory that stays writable and executable is seen, whatever
// comes and goes beside it.
func TestMemoryInFlux(t *testing.T) {
	needRoot(t)
	p, err := outside(t, "memory-flux", lookAtMemory, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if m, known := p.Reach().Memory.Mappings.Get(); !known || len(m.WriteExecute) == 0 {
		t.Errorf("%d mappings, none writable and executable: %s", m.Count, p.Reach().Memory.Mappings.Why())
	}
}

// TestOwner: whose the files in /proc are tells of a process of a user, and
// nothing of one of root's.
func TestOwner(t *testing.T) {
	id := func(inside, outside uint32) posture.ID { return posture.ID{Value: inside, Outside: outside} }
	const unknown = -1
	for name, c := range map[string]struct {
		uid, gid     posture.ID
		byUID, byGID uint32
		byRoot       bool
		want         int
	}{
		"a user's, dumpable":         {id(1000, 1000), id(1000, 1000), 1000, 1000, false, 1},
		"a user's, not dumpable":     {id(1000, 1000), id(1000, 1000), 0, 0, true, 0},
		"root's":                     {id(0, 0), id(0, 0), 0, 0, true, unknown},
		"root's, of another group":   {id(0, 0), id(7, 7), 0, 7, true, 1},
		"root's, by its group not":   {id(0, 0), id(7, 7), 0, 0, true, 0},
		"a container's root":         {id(0, 100000), id(0, 100000), 100000, 100000, true, unknown},
		"a container's user":         {id(5, 100005), id(5, 100005), 100000, 100000, true, 0},
		"another user than before":   {id(1000, 1000), id(1000, 1000), 1001, 1001, false, unknown},
		"a user that is not mapped":  {id(65534, 65534), id(65534, 65534), 65534, 65534, true, unknown},
		"one that looks as unmapped": {id(65534, 65534), id(65534, 65534), 0, 0, true, unknown},
	} {
		th := posture.Thread{UID: posture.Of(posture.IDs{Effective: c.uid}, "", ""), GID: posture.Of(posture.IDs{Effective: c.gid}, "", "")}
		got, why := decideOwner(&th, c.byUID, c.byGID, c.byRoot)
		if why != "" {
			got = unknown
		}
		if got != c.want {
			t.Errorf("%s: %d %s, want %d", name, got, why, c.want)
		}
	}
}
