package checks_test

import (
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// askAccess asks for everything of the file system.
func askAccess(f *policy.Filesystem) {
	f.Readable, f.Writable, f.Executable = &[]string{"/usr"}, &[]string{"/tmp"}, &[]string{}
	f.MaskedPaths, f.ReadonlyPaths, f.NoDevices, f.NoShell = []string{"/proc/kcore"}, []string{"/proc/sys"}, true, true
}

// place is one that is there and that was tried.
func place(path string, use posture.Use, kind posture.PlaceKind, outcome posture.Outcome) posture.Place {
	p := posture.Place{Path: path, Use: use, Kind: kind, Type: "tmpfs", Mode: 0o777, Tries: []posture.Try{{Outcome: outcome, Executable: outcome, Detail: "openat(2): as told"}}}
	p.There.Know("statx(2)", "")
	return p
}

// confineAccess gives a process what passes that.
func confineAccess(p *posture.Process) {
	kcore := place("/proc/kcore", posture.UseMasked, posture.KindCharacter, posture.Undecided)
	kcore.Major, kcore.Minor, kcore.Tries = 1, 3, nil
	sys := place("/proc/sys", posture.UseReadOnly, posture.KindDirectory, posture.Stopped)
	sys.ReadOnly = true
	p.MakeReach().Access = fact(posture.Access{Places: []posture.Place{
		kcore, sys,
	}}, "/", "files")
	p.MakeReach().Landlock = fact(1, "landlock_restrict_self(2)", "domains")
}

// reached adds a place.
func reached(one posture.Place) func(*posture.Process) {
	return func(p *posture.Process) {
		a := &p.MakeReach().Access.Value
		a.Places = append(a.Places, one)
	}
}

func changed(one posture.Place, change func(*posture.Place)) func(*posture.Process) {
	change(&one)
	return reached(one)
}

// onlyAccess is a policy that asks of the file system alone.
func onlyAccess(pol *policy.Policy) {
	*pol = policy.Policy{Name: "files"}
	askAccess(&pol.Filesystem)
}

// refusedAll has places that mode bits let it reach, and where a try was refused.
func refusedAll(p *posture.Process) {
	for _, one := range []posture.Place{
		place("/data/f", posture.UseWrite|posture.UseExecute|posture.UseRead, posture.KindRegular, posture.Stopped),
		place("/bin/sh", posture.UseShell, posture.KindRegular, posture.Stopped),
		place("/dev/sda", posture.UseDevice, posture.KindBlock, posture.Stopped),
		place("/proc/keys", posture.UseMasked, posture.KindRegular, posture.Stopped),
	} {
		reached(one)(p)
	}
}

const written = posture.UseWrite | posture.UseExecute

var accessHoles = []hole{
	{name: "a directory that it can write to", change: reached(place("/data", posture.UseWrite, posture.KindDirectory, posture.Succeeded)),
		want: want{"filesystem.writable /data": gap}, says: "can be written to"},
	{name: "a file that it can write to", change: reached(place("/data/f", posture.UseWrite, posture.KindRegular, posture.Succeeded)),
		want: want{"filesystem.writable /data/f": gap}, says: "can be written to"},
	{name: "a directory refused by what is not known", change: reached(place("/data", posture.UseWrite, posture.KindDirectory, posture.Stopped)),
		want: want{"filesystem.writable /data": unknown}, says: "what lies below was not looked at"},
	{name: "a file that another id may write to", change: changed(place("/data/f", posture.UseWrite, posture.KindRegular, posture.Stopped), func(p *posture.Place) { p.Taking = true }),
		want: want{"filesystem.writable /data/f": unknown}, says: "may put in force"},
	{name: "a directory that was not tried", change: changed(place("/data", posture.UseWrite, posture.KindDirectory, posture.Stopped), func(p *posture.Place) { p.Tries = nil }),
		want: want{"filesystem.writable /data": unknown}, says: "was not tried"},
	{name: "one class that can write", change: changed(place("/data", posture.UseWrite, posture.KindDirectory, posture.Stopped), func(p *posture.Place) {
		p.Tries = append(p.Tries, posture.Try{Outcome: posture.Succeeded, TIDs: []int{11}, Detail: "openat(2): it succeeds"})
	}), tids: []int{11}, want: want{"filesystem.writable /data": gap}, says: "it succeeds"},
	{name: "what it writes can be executed", change: reached(place("/tmp", posture.UseExecute, posture.KindDirectory, posture.Succeeded)),
		want: want{"filesystem.executable /tmp": gap}, says: "that can be executed"},
	{name: "whether what it writes can be executed is not known", change: changed(place("/tmp", posture.UseExecute, posture.KindDirectory, posture.Succeeded), func(p *posture.Place) {
		p.Tries[0].Executable = posture.Undecided
	}), want: want{"filesystem.executable /tmp": unknown}, says: "decides nothing"},
	{name: "written and executed", change: reached(place("/data", written, posture.KindDirectory, posture.Succeeded)),
		want: want{"filesystem.writable /data": gap, "filesystem.executable /data": gap}, says: "written"},
	{name: "a directory that it can list", change: reached(place("/srv", posture.UseRead, posture.KindDirectory, posture.Succeeded)),
		want: want{"filesystem.readable /srv": gap}, says: "can be read"},
	{name: "a path that shows something", change: reached(place("/proc/keys", posture.UseMasked, posture.KindRegular, posture.Succeeded)),
		want: want{"filesystem.masked /proc/keys": gap}, says: "is not masked"},
	{name: "another device in place of a mask", change: changed(place("/proc/keys", posture.UseMasked, posture.KindCharacter, posture.Undecided), func(p *posture.Place) { p.Major, p.Minor = 1, 5 }),
		want: want{"filesystem.masked /proc/keys": unknown}, says: "decides nothing"},
	{name: "a masked path not looked at", change: changed(place("/proc/keys", posture.UseMasked, posture.KindRegular, posture.Stopped), func(p *posture.Place) { p.There.Fail("openat2(2)", "EIO") }),
		want: want{"filesystem.masked /proc/keys": unknown}, says: "EIO"},
	{name: "a path on a mount that is not read-only", change: reached(place("/proc/irq", posture.UseReadOnly, posture.KindDirectory, posture.Stopped)),
		want: want{"filesystem.masked /proc/irq": gap}, says: "not read-only"},
	{name: "a path on a read-only mount that was opened for writing", change: changed(place("/proc/irq", posture.UseReadOnly, posture.KindRegular, posture.Succeeded), func(p *posture.Place) { p.ReadOnly = true }),
		want: want{"filesystem.masked /proc/irq": gap}, says: "was opened for writing"},
	{name: "a read-only path not looked at", change: changed(place("/proc/irq", posture.UseReadOnly, posture.KindRegular, posture.Stopped), func(p *posture.Place) { p.There.Fail("openat2(2)", "EIO") }),
		want: want{"filesystem.masked /proc/irq": unknown}, says: "EIO"},
	{name: "a disk", change: reached(place("/dev/sdb", posture.UseDevice, posture.KindBlock, posture.Succeeded)),
		want: want{"filesystem.device /dev/sdb": gap}, says: "may be opened"},
	{name: "a disk that another id may open", change: changed(place("/dev/sdb", posture.UseDevice, posture.KindBlock, posture.Stopped), func(p *posture.Place) { p.Taking = true }),
		want: want{"filesystem.device /dev/sdb": unknown}, says: "may put in force"},
	{name: "a disk that was not tried", change: changed(place("/dev/sdb", posture.UseDevice, posture.KindBlock, posture.Stopped), func(p *posture.Place) { p.Tries = nil }),
		want: want{"filesystem.device /dev/sdb": unknown}, says: "was not tried"},
	{name: "a shell", change: reached(place("/usr/bin/dash", posture.UseShell, posture.KindRegular, posture.Succeeded)),
		want: want{"filesystem.shell /usr/bin/dash": gap}, says: "may be executed"},
	{name: "a shell that was not tried", change: reached(place("/usr/bin/dash", posture.UseShell, posture.KindRegular, posture.Undecided)),
		want: want{"filesystem.shell /usr/bin/dash": unknown}, says: "decides nothing"},
	{name: "a mount that was not walked", change: func(p *posture.Process) {
		a := &p.MakeReach().Access.Value
		a.Unseen = append(a.Unseen, posture.Unseen{Left: posture.Left{Place: "/mnt", Why: "fuse"}, Uses: posture.UseWrite})
	}, want: want{"filesystem.writable unseen": unknown}, says: "fuse"},
	{name: "more places than are listed", change: func(p *posture.Process) { p.MakeReach().Access.Value.More = posture.UseRead },
		want: want{"filesystem.readable unseen": unknown}, says: "more places"},
	{name: "many places", change: func(p *posture.Process) {
		for i := range 40 {
			reached(place("/d"+strconv.Itoa(i), posture.UseDevice, posture.KindBlock, posture.Succeeded))(p)
		}
	}, want: manyDevices(), says: ""},
	{name: "the file system not looked at", change: func(p *posture.Process) {
		p.MakeReach().Access = posture.Failed[posture.Access]("/proc/10/task/10/root", "EACCES")
	}, ask: onlyAccess, want: want{"filesystem.writable": unknown, "filesystem.executable": unknown, "filesystem.readable": unknown,
		"filesystem.masked": unknown, "filesystem.device": unknown, "filesystem.shell": unknown}, says: "EACCES"},
	{name: "refused to one thread in a Landlock domain", threads: 2, ask: onlyAccess, change: func(p *posture.Process) {
		p.Self = true
		reached(place("/data/f", posture.UseWrite, posture.KindRegular, posture.Stopped))(p)
	}, want: want{"filesystem.writable /data/f": unknown}, says: "Landlock"},
	{name: "refused to one thread in no Landlock domain", threads: 2, ask: onlyAccess, change: func(p *posture.Process) {
		p.Self, p.MakeReach().Landlock.Value = true, 0
		refusedAll(p)
	}, want: want{}},
	{name: "refused to one thread of those that differ", threads: 2, ask: onlyAccess, change: func(p *posture.Process) {
		p.Self, p.MakeReach().Landlock.Value = true, 0
		apart(p, 11)
		reached(place("/data/f", posture.UseWrite, posture.KindRegular, posture.Stopped))(p)
	}, want: want{"filesystem.writable /data/f": unknown}, says: "differ"},
	{name: "refused to the only thread", ask: onlyAccess, change: refusedAll, want: want{}},
	{name: "written and never executed", ask: onlyAccess, change: changed(place("/tmp", posture.UseExecute, posture.KindDirectory, posture.Succeeded), func(p *posture.Place) {
		p.Tries[0].Executable = posture.Stopped
	}), want: want{}},
}

// manyDevices are as many as are told one by one, and one for the rest.
func manyDevices() want {
	w := want{"filesystem.device more": gap}
	for i := range 32 {
		w["filesystem.device /d"+strconv.Itoa(i)] = gap
	}
	return w
}
