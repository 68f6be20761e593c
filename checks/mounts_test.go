package checks_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
)

func askMounts(f *policy.Filesystem) {
	f.Mounts = []policy.Mount{{Destination: "/tmp", Options: []string{"noexec", "nosuid"}}}
	f.Propagation = "slave"
}

const mountinfo = "/proc/10/task/10/mountinfo"

// mountTable is one with a root and what lies on it.
func mountTable(tid int, more ...posture.Mount) posture.MountTable {
	list := append([]posture.Mount{{ID: 10, Parent: 1, Root: "/", Point: "/", Options: "rw", Type: "ext4", Source: "/dev/vda", SuperOptions: "rw"}}, more...)
	for i := range list {
		if list[i].Reachable == (posture.Fact[bool]{}) {
			list[i].Reachable = fact(true, "mountinfo", "")
		}
	}
	return posture.MountTable{TID: tid, Mounts: fact(list, mountinfo, "mounts"), Root: fact(uint64(10), "statx(2)", "10"), Owned: fact(true, "ns/mnt", "user:[1]")}
}

func tmpMount(id uint64, options string) posture.Mount {
	return posture.Mount{ID: id, Parent: 10, Root: "/", Point: "/tmp", Options: options, Type: "tmpfs", Source: "tmpfs", SuperOptions: "rw"}
}

const hardTmp = "rw,nosuid,nodev,noexec,relatime"

func confineMounts(p *posture.Process) {
	p.MakeReach().MountTables = []posture.MountTable{mountTable(10, tmpMount(11, hardTmp))}
}

// onlyMounts asks of mounts alone.
func onlyMounts(pol *policy.Policy) {
	*pol = policy.Policy{Name: "mounts"}
	askMounts(&pol.Filesystem)
}

func laid(more ...posture.Mount) func(*posture.Process) {
	return func(p *posture.Process) { p.MakeReach().MountTables = []posture.MountTable{mountTable(10, more...)} }
}

func covered(m posture.Mount) posture.Mount {
	m.Reachable = fact(false, "mountinfo", "")
	return m
}

func spreads(m posture.Mount, how posture.Propagation) posture.Mount {
	m.Propagation = how
	return m
}

func asksOption(destination string, options ...string) func(*policy.Policy) {
	return func(pol *policy.Policy) {
		*pol = policy.Policy{Name: "mounts", Filesystem: policy.Filesystem{Mounts: []policy.Mount{{Destination: destination, Options: options}}}}
	}
}

var mountHoles = []hole{
	{name: "a mount without noexec", change: laid(tmpMount(11, "rw,nosuid")), want: want{"filesystem.mount /tmp": gap}, says: `"/tmp" is mounted without noexec`},
	{name: "an option that begins alike", change: laid(tmpMount(11, "rw,nosuid,noexecutable")), want: want{"filesystem.mount /tmp": gap}, says: "without noexec"},
	{name: "no mount of its own", change: laid(), want: want{"filesystem.mount /tmp": gap}, says: "no mount point of its own"},
	{name: "a mount below and one beside", change: laid(posture.Mount{ID: 11, Parent: 10, Point: "/tmp/x", Options: hardTmp}, posture.Mount{ID: 12, Parent: 10, Point: "/tmp2", Options: hardTmp}),
		want: want{"filesystem.mount /tmp": gap}, says: "no mount point of its own"},
	{name: "a weak mount upon a strong one", change: laid(covered(tmpMount(11, hardTmp)), tmpMount(12, "rw")), want: want{"filesystem.mount /tmp": gap}, says: "without noexec, nosuid"},
	{name: "a strong mount that is covered", change: laid(covered(tmpMount(11, hardTmp))), want: want{"filesystem.mount /tmp": gap}, says: "no mount point of its own"},
	{name: "what covers it is not known", change: func(p *posture.Process) {
		m := tmpMount(11, hardTmp)
		m.Reachable = posture.Failed[bool]("mountinfo", "two mounts lie at one place")
		laid(m)(p)
	}, want: want{"filesystem.mount /tmp": unknown}, says: "two mounts lie at one place"},
	{name: "two that lead there", change: laid(tmpMount(11, hardTmp), tmpMount(12, hardTmp)), want: want{"filesystem.mount /tmp": unknown}, says: "two mounts"},
	{name: "mounts not readable", change: func(p *posture.Process) {
		t := mountTable(10)
		t.Mounts = posture.Failed[[]posture.Mount](mountinfo, "EACCES")
		p.MakeReach().MountTables = []posture.MountTable{t}
	}, want: want{"filesystem.mount /tmp": unknown, "filesystem.propagation": unknown}, says: "EACCES"},
	{name: "mounts not looked at", change: func(p *posture.Process) { p.MakeReach().MountTables = nil },
		want: want{"filesystem.mount /tmp": unknown, "filesystem.propagation": unknown}, says: "not looked at"},
	{name: "one thread with mounts of its own", threads: 2, tids: []int{11}, ask: onlyMounts, change: func(p *posture.Process) {
		p.MakeReach().MountTables = append(p.MakeReach().MountTables, mountTable(11, tmpMount(11, "rw,nosuid")))
	}, want: want{"filesystem.mount /tmp": gap}, says: "without noexec"},
	{name: "one thread whose mounts are not known", threads: 2, tids: []int{11}, ask: onlyMounts, change: func(p *posture.Process) {
		t := mountTable(11)
		t.Mounts = posture.Failed[[]posture.Mount](mountinfo, "EPERM")
		p.MakeReach().MountTables = append(p.MakeReach().MountTables, t)
	}, want: want{"filesystem.mount /tmp": unknown, "filesystem.propagation": unknown}, says: "EPERM"},
	{name: "no such option", ask: asksOption("/tmp", "noexe"), want: want{"filesystem.mount /tmp": unknown}, says: "no mount option"},
	{name: "read-only", ask: asksOption("/tmp", "ro"), want: want{"filesystem.mount /tmp": gap}, says: "without ro"},
	{name: "relatime where none is asked", ask: asksOption("/tmp", "strictatime"), want: want{"filesystem.mount /tmp": gap}, says: "without strictatime"},
	{name: "exec", ask: asksOption("/tmp", "exec"), want: want{"filesystem.mount /tmp": gap}, says: "without exec"},
	{name: "writable, of a read-only file system", ask: asksOption("/tmp", "rw"), change: func(p *posture.Process) {
		m := tmpMount(11, hardTmp)
		m.SuperOptions = "ro,size=64k"
		laid(m)(p)
	}, want: want{"filesystem.mount /tmp": gap}, says: "without rw"},
	{name: "what is mounted on the root directory itself", ask: asksOption("/", "ro"), change: laid(posture.Mount{ID: 11, Parent: 10, Point: "/", Options: "ro"}),
		want: want{"filesystem.mount /": gap}, says: "without ro"},
	{name: "a root directory after chroot(2)", ask: asksOption("/", "nosuid"), change: func(p *posture.Process) {
		t := &p.MakeReach().MountTables[0]
		t.Mounts.Value = t.Mounts.Value[1:]
	}, want: want{"filesystem.mount /": gap}, says: "no mount point of its own"},

	{name: "a shared mount", change: laid(spreads(tmpMount(11, hardTmp), posture.Propagation{Shared: 7})), want: want{"filesystem.propagation /tmp": gap}, says: "peer group 7"},
	{name: "a shared mount that is covered", change: laid(spreads(covered(tmpMount(11, hardTmp)), posture.Propagation{Shared: 7}), tmpMount(12, hardTmp)),
		want: want{"filesystem.propagation /tmp": gap}, says: "shared"},
	{name: "a slave that is shared too", change: laid(spreads(tmpMount(11, hardTmp), posture.Propagation{Shared: 7, Master: 3})), want: want{"filesystem.propagation /tmp": gap}, says: "shared,slave"},
	{name: "a slave where private is asked", ask: func(pol *policy.Policy) { pol.Filesystem.Propagation = "private" },
		change: laid(spreads(tmpMount(11, hardTmp), posture.Propagation{Master: 3})), want: want{"filesystem.propagation /tmp": gap}, says: "appears here"},
	{name: "a shared mount of one thread", threads: 2, tids: []int{11}, ask: onlyMounts, change: func(p *posture.Process) {
		p.MakeReach().MountTables = append(p.MakeReach().MountTables, mountTable(11, spreads(tmpMount(11, hardTmp), posture.Propagation{Shared: 7})))
	}, want: want{"filesystem.propagation /tmp": gap}, says: "shared"},
	{name: "a root directory that is not shown", change: func(p *posture.Process) {
		t := &p.MakeReach().MountTables[0]
		t.Mounts.Value = t.Mounts.Value[1:]
	}, want: want{"filesystem.propagation": unknown}, says: "chroot"},
	{name: "a root directory that is not known", change: func(p *posture.Process) {
		p.MakeReach().MountTables[0].Root = posture.Failed[uint64]("statx(2)", "EPERM")
	}, want: want{"filesystem.propagation": unknown}, says: "not known"},
	{name: "no such propagation", ask: func(pol *policy.Policy) { pol.Filesystem.Propagation = "shared" }, want: want{"filesystem.propagation": unknown}, says: "no propagation"},
	{name: "two sources on mounts", change: func(p *posture.Process) {
		p.MakeReach().MountTables[0].Disagree = fact([]posture.MountDisagreement{{Point: "/tmp", What: "options", Shown: "noexec", Asked: ""}}, "listmount(2), statmount(2)", "2 mounts")
	}, want: want{"contradiction mount /tmp": gap}, says: "statmount"},
}

// TestMountsThatPass: what is not to be taken for a gap.
func TestMountsThatPass(t *testing.T) {
	super := tmpMount(11, "rw")
	super.SuperOptions = "ro"
	for name, c := range map[string]struct {
		ask   func(*policy.Policy)
		mount posture.Mount
	}{
		"a read-only file system": {asksOption("/tmp", "ro"), super},
		"a slash at the end":      {asksOption("/tmp/", "noexec"), tmpMount(11, hardTmp)},
		"exec":                    {asksOption("/tmp", "exec", "suid", "dev", "rw", "atime"), tmpMount(11, "rw")},
		"only that it is a mount": {asksOption("/tmp"), tmpMount(11, "rw")},
		"the root":                {asksOption("/", "rw"), tmpMount(11, "rw")},
		"a slave where it may be": {onlyMounts, spreads(tmpMount(11, hardTmp), posture.Propagation{Master: 3})},
		"unbindable, as private is": {func(pol *policy.Policy) {
			pol.Filesystem = policy.Filesystem{Propagation: "private"}
		}, spreads(tmpMount(11, hardTmp), posture.Propagation{Unbindable: true})},
	} {
		p, pol := confined(1), &policy.Policy{Name: "mounts"}
		c.ask(pol)
		laid(c.mount)(p)
		for _, f := range checks.Run(p, pol) {
			if strings.HasPrefix(f.ID, "filesystem.") && (f.Status == gap || f.Status == unknown) {
				t.Errorf("%s: %s %s: %s", name, f.ID, f.Subject, f.Message)
			}
		}
	}
}

// TestManySharedMounts: the findings are bounded, and name how many more there
// are; hostile names come out as text.
func TestManySharedMounts(t *testing.T) {
	p, pol := confined(1), &policy.Policy{Name: "mounts"}
	onlyMounts(pol)
	var list []posture.Mount
	for i := range 5000 {
		m := spreads(tmpMount(uint64(100+i), "rw"), posture.Propagation{Shared: 1})
		m.Point = "/\x1b[31m\n" + strconv.Itoa(i) + strings.Repeat("x", 4000)
		list = append(list, m)
	}
	laid(append(list, tmpMount(11, hardTmp))...)(p)
	findings := checks.Run(p, pol)
	n := 0
	for _, f := range findings {
		if f.ID != "filesystem.propagation" {
			continue
		}
		if n++; f.Status != gap || strings.ContainsAny(f.Message, "\x1b\n") || len(f.Message) > 1000 {
			t.Fatalf("%v %q", f.Status, f.Message)
		}
		for _, e := range f.Evidence {
			if strings.ContainsAny(e.Value, "\x1b\n") || len(e.Value) > 4000 {
				t.Fatalf("%q", e.Value)
			}
		}
	}
	if f := find(t, findings, "filesystem.propagation", "more"); n != 33 || f.Observed != "4968 more mounts" {
		t.Errorf("%d, %s", n, f.Observed)
	}
}

// TestMountEvidence names what is mounted, and whether it could be changed.
func TestMountEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*posture.Process, *posture.MountTable, *posture.Mount)
		says   string
	}{
		"tmpfs":  {func(*posture.Process, *posture.MountTable, *posture.Mount) {}, `"tmpfs" of "tmpfs"`},
		"bind":   {func(_ *posture.Process, _ *posture.MountTable, m *posture.Mount) { m.Root = "/srv" }, `a bind mount of "/srv"`},
		"fuse":   {func(_ *posture.Process, _ *posture.MountTable, m *posture.Mount) { m.Type = "fuse.sshfs" }, "another process answers"},
		"idmap":  {func(_ *posture.Process, _ *posture.MountTable, m *posture.Mount) { m.Options += ",idmapped" }, "id map of its own"},
		"no cap": {func(*posture.Process, *posture.MountTable, *posture.Mount) {}, "no thread has CAP_SYS_ADMIN"},
		"owner": {func(p *posture.Process, _ *posture.MountTable, _ *posture.Mount) {
			p.Classes[0].Caps.Permitted.Value = 1 << 21
		}, "over its mount namespace"},
		"another's": {func(p *posture.Process, t *posture.MountTable, _ *posture.Mount) {
			p.Classes[0].Caps.Permitted.Value, t.Owned.Value = 1<<21, false
		}, "cannot change"},
		"owner not known": {func(p *posture.Process, t *posture.MountTable, _ *posture.Mount) {
			p.Classes[0].Caps.Permitted.Value = 1 << 21
			t.Owned = posture.Failed[bool]("ioctl_ns(2)", "EPERM")
		}, "EPERM"},
		"capabilities not known": {func(p *posture.Process, _ *posture.MountTable, _ *posture.Mount) {
			p.Classes[0].Caps.Permitted = posture.Failed[posture.CapSet]("status", "EIO")
		}, "is not known"},
	} {
		p, pol := confined(1), &policy.Policy{Name: "mounts"}
		asksOption("/tmp", "noexec")(pol)
		table := &p.MakeReach().MountTables[0]
		c.change(p, table, &table.Mounts.Value[1])
		f := find(t, checks.Run(p, pol), "filesystem.mount", "/tmp")
		words := ""
		for _, e := range f.Evidence {
			words += e.Value + "\n"
		}
		if !strings.Contains(words, c.says) {
			t.Errorf("%s: %s", name, words)
		}
	}
}
