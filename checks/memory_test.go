package checks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// askMemory asks for everything of memory, tracer, terminal, environment and
// program file.
func askMemory(pol *policy.Policy) {
	pol.Memory = policy.Memory{ASLR: true, NoWriteExecute: true, NoExecutableStack: true, NotDumpable: true, NoCore: true}
	pol.Process.NoTracer, pol.Process.NoTerminal, pol.Process.NoPreload, pol.Process.SafeExecutable = true, true, true, true
}

func rootsFile(path string, mode uint32) posture.Guard {
	g := posture.Guard{Path: path, Permission: permission(0, 0, mode), ReadOnly: fact(true, "/proc/10/task/10/exe", "mount 7")}
	g.ACL = posture.Failed[bool]("system.posix_acl_access", "not asked")
	return g
}

// confineMemory gives a process what passes all of that.
func confineMemory(p *posture.Process) {
	r := p.MakeReach()
	const stat, maps, exe = "/proc/10/task/10/stat", "/proc/10/task/10/maps", "/proc/10/task/10/exe"
	r.Memory = posture.Memory{
		Randomized: fact(true, stat, "flags"), RandomizeVASpace: fact(2, "/proc/sys/kernel/randomize_va_space", "2"),
		Personalities: []posture.Personality{{Flags: fact(uint32(0), "/proc/10/task/10/personality", "00000000"), TIDs: threadsOf(p)}},
		Mappings:      fact(posture.Mappings{Count: 30, Stack: &posture.Mapping{Start: 0x7000, End: 0x8000, Permissions: "rw-p", Name: "[stack]"}}, maps, "30 mappings"),
		Dumpable:      fact(0, "/proc/10/task/10/status", "owned by root"), SuidDumpable: fact(0, "/proc/sys/fs/suid_dumpable", "0"),
		CoreLimit:   fact(posture.Limit{Name: "RLIMIT_CORE"}, "/proc/10/task/10/limits", "limits"),
		CorePattern: fact("core", "/proc/sys/kernel/core_pattern", "core"), CoreUsesPID: fact(0, "/proc/sys/kernel/core_uses_pid", "0"),
	}
	r.Terminals = posture.Terminals{Controlling: fact(posture.Terminal{}, stat, "tty_nr: 0"), LegacyTIOCSTI: fact(true, "/proc/sys/dev/tty/legacy_tiocsti", "1"), Open: fact(0, "fd", "0")}
	r.Preloads = fact([]string(nil), "/proc/10/task/10/environ", "9 variables")
	r.ProgramFile = posture.ProgramFile{
		Path: fact("/usr/bin/service", exe, "/usr/bin/service"), Deleted: fact(false, exe, "links: 1"), Replaced: fact(false, exe, "same"),
		File:        rootsFile("", 0o755),
		Directories: []posture.Guard{rootsFile("/usr/bin", 0o755), rootsFile("/usr", 0o755), rootsFile("/", 0o755)},
		Whole:       fact(true, exe, "3 directories"),
		Hardening:   fact(posture.Hardening{PIE: true, RELRO: "full", Canary: true}, exe, ""),
	}
}

func memory(change func(*posture.Memory)) func(*posture.Process) {
	return func(p *posture.Process) { change(&p.MakeReach().Memory) }
}

// mappedAt has memory that is writable and executable.
func mappedAt(name string, n int) func(*posture.Process) {
	return memory(func(m *posture.Memory) {
		for i := range n {
			m.Mappings.Value.WriteExecute = append(m.Mappings.Value.WriteExecute,
				posture.Mapping{Start: uint64(0x100000 + i*0x2000), End: uint64(0x101000 + i*0x2000), Permissions: "rwxp", Name: name})
		}
	})
}

// dumped has no limit of core dumps, and may be dumped.
func dumped(pattern string) func(*posture.Process) {
	return memory(func(m *posture.Memory) {
		m.Dumpable.Value, m.CorePattern.Value = 1, pattern
		m.CoreLimit.Value.Soft = posture.RlimInfinity
	})
}

var dumpsToo = want{"memory.dumpable": gap, "memory.core": gap}

var memoryHoles = []hole{
	{name: "addresses not random", change: memory(func(m *posture.Memory) { m.Randomized.Value = false }), want: want{"memory.aslr": gap}, says: "not laid out at random"},
	{name: "flags not readable", change: memory(func(m *posture.Memory) { m.Randomized = posture.Failed[bool]("stat", "EIO") }), want: want{"memory.aslr": unknown}, says: "EIO"},
	{name: "a personality without randomisation", change: memory(func(m *posture.Memory) { m.Personalities[0].Flags.Value = posture.AddrNoRandomize }),
		want: want{"memory.aslr": gap}, says: "ADDR_NO_RANDOMIZE"},
	{name: "no randomisation on the machine", change: memory(func(m *posture.Memory) { m.RandomizeVASpace.Value = 0 }), want: want{"memory.aslr": gap}, says: "randomize_va_space is 0"},
	{name: "the heap not random", change: memory(func(m *posture.Memory) { m.RandomizeVASpace.Value = 1 }), want: want{"memory.aslr": gap}, says: "heap"},
	{name: "sysctl not readable", change: memory(func(m *posture.Memory) {
		m.RandomizeVASpace = posture.Failed[int]("/proc/sys/kernel/randomize_va_space", "EACCES")
	}), want: want{"memory.aslr": unknown}, says: "EACCES"},

	{name: "memory to write and execute", change: also(mappedAt("", 1), memory(func(m *posture.Memory) {
		m.Stacks = []posture.Stack{{TID: 10, Pointer: fact(uint64(0x7800), "syscall", "0x7800")}}
	})), want: want{"memory.wx [anon]": gap}, says: "writable and executable at once"},
	{name: "a file to write and execute", change: memory(func(m *posture.Memory) {
		m.Mappings.Value.Twice = []posture.Mapping{{Start: 0x1000, End: 0x2000, Permissions: "r-xp", Name: "/tmp/\x1b[2J"}}
	}), want: want{"memory.wx /tmp/\x1b[2J": gap}, says: "shared and writable elsewhere"},
	{name: "mappings not readable", change: memory(func(m *posture.Memory) { m.Mappings = posture.Failed[posture.Mappings]("maps", "kept changing") }),
		want: want{"memory.wx": unknown, "memory.execstack": unknown}, says: "kept changing"},
	{name: "too many mappings to compare", change: memory(func(m *posture.Memory) { m.Mappings.Value.Unwatched = 1 }), want: want{"memory.wx all": unknown}, says: "too many"},

	{name: "an executable stack", change: memory(func(m *posture.Memory) {
		m.Mappings.Value.Stack.Permissions = "rwxp"
		m.Mappings.Value.WriteExecute = []posture.Mapping{*m.Mappings.Value.Stack}
	}), want: want{"memory.execstack": gap, "memory.wx [stack]": gap}, says: "executable"},
	{name: "a thread's stack that is executable", change: also(mappedAt("", 1), memory(func(m *posture.Memory) {
		m.Stacks = []posture.Stack{{TID: 10, Pointer: fact(uint64(0x100800), "syscall", "0x100800")}}
	})), want: want{"memory.execstack": gap, "memory.wx [anon]": gap}, says: "executable"},
	{name: "a stack that is not known", change: also(mappedAt("", 1), memory(func(m *posture.Memory) {
		m.Stacks = []posture.Stack{{TID: 10, Pointer: posture.Failed[uint64]("syscall", "the thread runs")}}
	})), want: want{"memory.execstack": unknown, "memory.wx [anon]": gap}, says: "executable"},
	{name: "all that is read is executed", change: memory(func(m *posture.Memory) { m.Personalities[0].Flags.Value = posture.ReadImpliesExec }),
		want: want{"memory.execstack": gap}, says: "READ_IMPLIES_EXEC"},

	{name: "dumpable", change: memory(func(m *posture.Memory) { m.Dumpable.Value = 1 }), want: want{"memory.dumpable": gap}, says: "read its memory"},
	{name: "dumpable, by its own answer", change: func(p *posture.Process) {
		p.Classes[0].Dumpable = fact(1, "prctl(PR_GET_DUMPABLE)", "1")
	}, want: want{"memory.dumpable": gap}, says: "dumpable"},
	{name: "dumpable is not known", change: memory(func(m *posture.Memory) { m.Dumpable = posture.Failed[int]("status", "root either way") }),
		want: want{"memory.dumpable": unknown}, says: "root either way"},
	{name: "a core file", change: dumped("core"), want: dumpsToo, says: "its memory"},
	{name: "core dumps to a program, whatever the limit", change: also(dumped("|/usr/bin/keep %p"), memory(func(m *posture.Memory) { m.CoreLimit.Value.Soft = 0 })), want: dumpsToo, says: "its memory"},
	{name: "core dumps to a socket", change: dumped("@/run/cores"), want: dumpsToo, says: "its memory"},
	{name: "where core dumps go is not known", change: also(dumped(""), memory(func(m *posture.Memory) { m.CorePattern = posture.Failed[string]("core_pattern", "EXDEV") })),
		want: want{"memory.dumpable": gap, "memory.core": unknown}, says: ""},
	{name: "core dumps of root's", change: also(dumped("|/usr/bin/keep"), memory(func(m *posture.Memory) { m.Dumpable.Value, m.SuidDumpable.Value = 0, 2 })), want: want{"memory.core": gap}, says: "program"},
}

var runtimeHoles = []hole{
	{name: "traced", tids: []int{11}, threads: 2, ask: func(pol *policy.Policy) { pol.Landlock = false }, change: func(p *posture.Process) {
		apart(p, 11).TracerPID = fact(77, "/proc/10/task/11/status", "TracerPid: 77")
	}, want: want{"process.tracer": gap}, says: "process 77"},
	{name: "tracer not readable", change: func(p *posture.Process) {
		p.Classes[0].TracerPID = posture.Failed[int]("/proc/10/task/10/status", "EIO")
	}, want: want{"process.tracer": unknown}, says: "EIO"},
	{name: "a pseudo-terminal", change: func(p *posture.Process) {
		p.MakeReach().Terminals.Controlling.Value = posture.Terminal{Major: 136, Minor: 3}
	}, want: want{"process.tty": gap}, says: "TIOCSTI puts input"},
	{name: "a virtual console", change: func(p *posture.Process) {
		t := &p.MakeReach().Terminals
		t.Controlling.Value, t.LegacyTIOCSTI = posture.Terminal{Major: 4, Minor: 1}, posture.None[bool]("legacy_tiocsti", "ENOENT")
	}, want: want{"process.tty": gap}, says: "TIOCLINUX"},
	{name: "terminal not readable", change: func(p *posture.Process) {
		p.MakeReach().Terminals.Controlling = posture.Failed[posture.Terminal]("stat", "EIO")
	}, want: want{"process.tty": unknown}, says: "EIO"},
	{name: "two variables that load code", change: func(p *posture.Process) { p.MakeReach().Preloads.Value = []string{"LD_PRELOAD", "PYTHONPATH"} },
		want: want{"process.environment LD_PRELOAD": gap, "process.environment PYTHONPATH": gap}, says: "its environment has"},
	{name: "environment not readable", change: func(p *posture.Process) { p.MakeReach().Preloads = posture.Failed[[]string]("environ", "EACCES") },
		want: want{"process.environment": unknown}, says: "EACCES"},
	{name: "program deleted", change: rewritten(func(f *posture.ProgramFile) { f.Deleted.Value = true }), want: want{"process.executable file": gap}, says: "deleted"},
	{name: "program replaced", change: rewritten(func(f *posture.ProgramFile) { f.Replaced.Value = true }), want: want{"process.executable file": gap}, says: "taken the place"},
	{name: "program writable by all", change: rewritten(func(f *posture.ProgramFile) { f.File.Mode = 0o757 }), want: want{"process.executable write": gap}, says: "by everyone"},
	{name: "program of its own", change: rewritten(func(f *posture.ProgramFile) { f.File.UID = permission(1000, 0, 0).UID }), want: want{"process.executable write": gap}, says: "owner"},
	{name: "program in a directory for all", change: rewritten(func(f *posture.ProgramFile) { f.Directories[1].Mode = 0o777 }), want: want{"process.executable write": gap}, says: "/usr"},
	{name: "program with a list", change: rewritten(func(f *posture.ProgramFile) { f.File.Mode = 0o775 }), want: want{"process.executable write": unknown}, says: "access control list"},
	{name: "program not readable", change: rewritten(func(f *posture.ProgramFile) { *f = posture.ProgramFile{}; f.Fail("exe", "EACCES") }), want: want{"process.executable file": unknown}, says: "EACCES"},
	{name: "program covered", change: rewritten(func(f *posture.ProgramFile) {
		f.Replaced, f.Directories, f.Whole = posture.Failed[bool]("exe", "another mount"), nil, posture.Fact[bool]{}
	}), want: want{"process.executable file": unknown, "process.executable write": unknown}, says: "whether"},
}

func rewritten(change func(*posture.ProgramFile)) func(*posture.Process) {
	return func(p *posture.Process) {
		f := &p.MakeReach().ProgramFile
		f.File.ReadOnly.Value = false
		for i := range f.Directories {
			f.Directories[i].ReadOnly.Value = false
		}
		change(f)
	}
}

// onlyMemory asks for just that.
func onlyMemory() *policy.Policy {
	pol := &policy.Policy{Name: "memory"}
	askMemory(pol)
	return pol
}

// TestMemoryPasses: what stands before a hole makes it none.
func TestMemoryPasses(t *testing.T) {
	for name, change := range map[string]func(*posture.Process){
		"a limit below a page":              also(dumped("core"), memory(func(m *posture.Memory) { m.CoreLimit.Value.Soft = 4095; m.Dumpable.Value = 2 })),
		"a limit of 1 and a program":        also(dumped("|/x"), memory(func(m *posture.Memory) { m.CoreLimit.Value.Soft = 1; m.Dumpable.Value = 2 })),
		"a relative path and root alone":    also(dumped("core"), memory(func(m *posture.Memory) { m.Dumpable.Value = 2 })),
		"an empty pattern":                  also(dumped(""), memory(func(m *posture.Memory) { m.Dumpable.Value = 2 })),
		"not dumpable":                      also(dumped("|/x"), memory(func(m *posture.Memory) { m.Dumpable.Value = 0 })),
		"writable on a read-only mount":     rewritten(func(f *posture.ProgramFile) { f.File.Mode, f.File.ReadOnly.Value = 0o777, true }),
		"a sticky directory":                rewritten(func(f *posture.ProgramFile) { f.Directories[0].Mode = 0o1777 }),
		"a program outside its root":        rewritten(func(f *posture.ProgramFile) { f.Directories, f.Whole = nil, posture.Fact[bool]{} }),
		"a program that is not PIE":         rewritten(func(f *posture.ProgramFile) { f.Hardening.Value.PIE = false }),
		"how it was built is not known":     rewritten(func(f *posture.ProgramFile) { f.Hardening = posture.Failed[posture.Hardening]("exe", "EACCES") }),
		"personality not readable":          memory(func(m *posture.Memory) { m.Personalities[0].Flags = posture.Failed[uint32]("personality", "EACCES") }),
		"the group may write, it is not in": rewritten(func(f *posture.ProgramFile) { f.File.Mode, f.File.ACL = 0o775, fact(false, "acl", "") }),
	} {
		p := confined(1)
		confineMemory(p)
		change(p)
		for _, f := range checks.Run(p, onlyMemory()) {
			if f.Status == gap || f.Status == unknown {
				t.Errorf("%s: %s %s: %s", name, f.ID, f.Status, f.Message)
			}
		}
	}
}

// TestMappingsBounded: however many mappings there are, a report has few findings.
func TestMappingsBounded(t *testing.T) {
	p := confined(1)
	confineMemory(p)
	for i := range 1000 {
		mappedAt(fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 4000)), 1)(p)
	}
	p.MakeReach().Memory.Mappings.Value.More = 5
	n := 0
	for _, f := range checks.Run(p, onlyMemory()) {
		if f.ID == "memory.wx" {
			n++
			if f.Status != gap {
				t.Errorf("%s is %s", f.Subject[:10], f.Status)
			}
			if f.Subject == "more" && f.Observed != "973 more mappings" {
				t.Errorf("more: %s", f.Observed)
			}
		}
	}
	if n != 33 {
		t.Errorf("%d findings", n)
	}
}
