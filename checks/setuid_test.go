package checks_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

func init() {
	holes = append(holes, hole{name: "a set-user-ID-root program", change: func(p *posture.Process) {
		both(func(t *posture.Thread) { t.NoNewPrivs.Value = false })(p)
		p.MakeReach().Programs.Value.Programs = []posture.Program{passwd()}
	}, want: want{"privilege.no_new_privs": gap, "filesystem.setuid " + passwdPath: gap}})
}

// passwd is a set-user-ID-root program that everyone may execute.
func passwd() posture.Program {
	return posture.Program{
		Path: "/usr/bin/passwd", Permission: permission(0, 0, 0o4755),
		Capabilities: posture.None[posture.FileCapabilities]("security.capability", ""),
	}
}

func permission(uid, gid, mode uint32) posture.Permission {
	return posture.Permission{UID: fact(mapped(uid), "statx(2)", ""), GID: fact(mapped(gid), "statx(2)", ""), Mode: mode, ACL: fact(false, "acl", "")}
}

// ping has file capabilities instead.
func ping(set posture.CapSet) posture.Program {
	p := passwd()
	p.Path, p.Mode = "/usr/bin/ping", 0o755
	p.Capabilities = fact(posture.FileCapabilities{Permitted: set, Effective: true, Version: 2, Counts: fact(true, "xattr", "")}, "security.capability", "")
	return p
}

// setuidOnly asks about programs alone.
func setuidOnly(pol *policy.Policy) {
	*pol = policy.Policy{Filesystem: policy.Filesystem{NoSetuidFiles: true}}
}

// found is a process without no_new_privs among whose mounts those programs are.
func found(programs ...posture.Program) func(*posture.Process) {
	return func(p *posture.Process) {
		for i := range p.Classes {
			p.Classes[i].NoNewPrivs.Value = false
		}
		p.Kernel = nil
		p.MakeReach().Programs.Value.Programs = programs
	}
}

// also makes several changes.
func also(changes ...func(*posture.Process)) func(*posture.Process) {
	return func(p *posture.Process) {
		for _, change := range changes {
			change(p)
		}
	}
}

func edited(p posture.Program, edit func(*posture.Program)) posture.Program {
	edit(&p)
	return p
}

func classes(change func(*posture.Thread)) func(*posture.Process) {
	return func(p *posture.Process) {
		for i := range p.Classes {
			change(&p.Classes[i].Thread)
		}
	}
}

const passwdPath, pingPath = "/usr/bin/passwd", "/usr/bin/ping"

// TestSetuid goes through what makes a program give something, one at a time.
func TestSetuid(t *testing.T) {
	const raw posture.CapSet = 1 << 13
	bounding := func(set posture.CapSet) func(*posture.Process) {
		return classes(func(t *posture.Thread) { t.Caps.Bounding.Value = set })
	}
	unread := posture.Failed[posture.FileCapabilities]("security.capability", "EIO")
	pass := map[string]report.Status{}
	one := func(subject string, status report.Status) map[string]report.Status {
		return map[string]report.Status{subject: status}
	}
	rows := []struct {
		name   string
		change func(*posture.Process)
		want   map[string]report.Status
	}{
		{"a set-user-ID-root program", found(passwd()), one(passwdPath, gap)},
		{"no_new_privs stops it", also(found(passwd()), classes(func(t *posture.Thread) { t.NoNewPrivs.Value = true })), pass},
		{"no_new_privs is not known", also(found(passwd()), classes(func(t *posture.Thread) { t.NoNewPrivs = posture.Failed[bool]("status", "EIO") })), one(passwdPath, unknown)},
		{"no_new_privs, and nothing was walked", func(p *posture.Process) { p.Kernel, p.MakeReach().Programs = nil, posture.Fact[posture.ProgramWalk]{} }, pass},
		{"nothing was walked", also(found(), func(p *posture.Process) { p.MakeReach().Programs = posture.Fact[posture.ProgramWalk]{} }), one("", unknown)},
		{"not walked to its end", also(found(), func(p *posture.Process) {
			p.MakeReach().Programs.Value.Unseen = []posture.Left{{Place: "/srv", Why: "deadline"}}
		}), one("unseen", unknown)},
		{"a gap, and not walked to its end", also(found(passwd()), func(p *posture.Process) {
			p.MakeReach().Programs.Value.Unseen = []posture.Left{{Place: "/srv", Why: "deadline"}}
		}), map[string]report.Status{passwdPath: gap, "unseen": unknown}},
		{"mounts of a user namespace below", also(found(passwd()), func(p *posture.Process) {
			p.MakeReach().Programs.Value.Counts = posture.Failed[bool]("ns/mnt", "belongs to another")
		}), one(passwdPath, unknown)},
		{"nothing there", found(), pass},
		{"of the process's own user", found(edited(passwd(), func(p *posture.Program) { p.UID.Value = mapped(1000) })), pass},
		{"of a user that means nothing there", found(edited(passwd(), func(p *posture.Program) { p.UID.Value.Unmapped = true })), pass},
		{"with a group that means nothing there", found(edited(passwd(), func(p *posture.Program) { p.GID.Value.Unmapped = true })), pass},
		{"of a user that is not known", found(edited(passwd(), func(p *posture.Program) { p.UID = posture.Failed[posture.ID]("statx(2)", "hidden") })), one(passwdPath, unknown)},
		{"set-group-ID", found(edited(passwd(), func(p *posture.Program) { p.Mode = 0o2755 })), one(passwdPath, gap)},
		{"set-group-ID of its own group", found(edited(passwd(), func(p *posture.Program) { p.Mode, p.GID.Value = 0o2755, mapped(1000) })), pass},
		{"not to be executed", found(edited(passwd(), func(p *posture.Program) { p.Mode = 0o4750 })), pass},
		{"to be executed by its group", found(edited(passwd(), func(p *posture.Program) { p.Mode, p.GID.Value = 0o4750, mapped(1000) })), one(passwdPath, gap)},
		{"an access control list", found(edited(passwd(), func(p *posture.Program) { p.Mode, p.ACL.Value = 0o4750, true })), one(passwdPath, unknown)},
		{"below a directory that is closed to it", found(edited(passwd(), func(p *posture.Program) {
			p.Through = []posture.Permission{permission(0, 0, 0o700)}
		})), pass},
		{"below a directory that a capability opens", also(found(edited(passwd(), func(p *posture.Program) {
			p.Through = []posture.Permission{permission(0, 0, 0o700)}
		})), classes(func(t *posture.Thread) { t.Caps.Permitted.Value = 1 << 2 })), one(passwdPath, gap)},
		{"what it could take itself", also(found(passwd()), classes(func(t *posture.Thread) { t.Caps.Permitted.Value = 1 << 7 })), pass},
		{"file capabilities", also(found(ping(raw)), bounding(raw)), one(pingPath, gap)},
		{"file capabilities that are not bounded in", found(ping(raw)), pass},
		{"file capabilities of another root", also(found(edited(ping(raw), func(p *posture.Program) { p.Capabilities.Value.Counts.Value = false })), bounding(raw)), pass},
		{"file capabilities of a root that is not known", also(found(edited(ping(raw), func(p *posture.Program) {
			p.Capabilities.Value.Counts = posture.Failed[bool]("xattr", "between")
		})), bounding(raw)), one(pingPath, unknown)},
		{"file capabilities that are not readable", also(found(edited(ping(raw), func(p *posture.Program) { p.Capabilities = unread })), bounding(raw)), one(pingPath, unknown)},
		{"set-user-ID with capabilities that are not readable", found(edited(passwd(), func(p *posture.Program) { p.Capabilities = unread })), one(passwdPath, gap)},
		{"groups are not known", also(found(passwd()), classes(func(t *posture.Thread) { t.Groups = posture.Failed[[]posture.ID]("status", "EIO") })), one(passwdPath, unknown)},
	}
	pol := new(policy.Policy)
	setuidOnly(pol)
	for _, row := range rows {
		p := confined(1)
		row.change(p)
		got := map[string]report.Status{}
		for _, f := range checks.Run(p, pol) {
			if f.ID == "filesystem.setuid" && (f.Status != report.Pass || f.Subject != "") {
				got[f.Subject] = f.Status
			}
		}
		if !maps.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// TestSetuidThreads: one thread without no_new_privs is enough, and is named.
func TestSetuidThreads(t *testing.T) {
	p := confined(3)
	p.Kernel = nil
	p.MakeReach().Programs.Value.Programs = []posture.Program{passwd()}
	odd := apart(p, 12)
	odd.NoNewPrivs.Value = false
	odd.Caps.Bounding.Value = 0xff
	odd.Securebits = fact(uint32(0), "prctl", "")
	pol := new(policy.Policy)
	setuidOnly(pol)
	f := find(t, checks.Run(p, pol), "filesystem.setuid", passwdPath)
	if f.Status != gap || len(f.Threads) != 1 || f.Threads[0] != 12 ||
		f.Message != `"/usr/bin/passwd", set-user-ID of user 0, gives thread 12 user 0 and all capabilities of the bounding set (8)` {
		t.Errorf("%+v", f)
	}
}

// TestSetuidBounded: a target with many programs makes a report of bounded size,
// which says how many there are.
func TestSetuidBounded(t *testing.T) {
	p := confined(1)
	found()(p)
	for range 500 {
		p.MakeReach().Programs.Value.Programs = append(p.MakeReach().Programs.Value.Programs, passwd())
	}
	pol := new(policy.Policy)
	setuidOnly(pol)
	findings := checks.Run(p, pol)
	if f := find(t, findings, "filesystem.setuid", "more"); f.Status != gap || f.Observed != "436 more programs" {
		t.Errorf("%+v", f)
	}
}

// TestExecOfPrograms: what execve(2) grants is decided where the mounts were
// walked, and not known where they were not.
func TestExecOfPrograms(t *testing.T) {
	const raw posture.CapSet = 1 << 13
	pol := &policy.Policy{Process: policy.Process{Capabilities: policy.Capabilities{Exec: new(policy.CapSet)}}}
	for name, row := range map[string]struct {
		change func(*posture.Process)
		want   report.Status
		says   string
	}{
		"nothing there": {found(), report.Pass, ""},
		"not walked":    {also(found(), func(p *posture.Process) { p.MakeReach().Programs = posture.Fact[posture.ProgramWalk]{} }), unknown, "not collected"},
		"not walked to its end": {also(found(), func(p *posture.Process) {
			p.MakeReach().Programs.Value.Unseen = []posture.Left{{Place: "/srv", Why: "EIO"}}
		}), unknown, `"/srv": EIO`},
		"set-user-ID root":   {found(passwd()), gap, `gets CAP_NET_RAW from "/usr/bin/passwd"`},
		"set-user-ID":        {found(edited(passwd(), func(p *posture.Program) { p.UID.Value = mapped(7) })), report.Pass, ""},
		"file capabilities":  {found(ping(raw)), gap, "/usr/bin/ping"},
		"other capabilities": {found(ping(1)), report.Pass, ""},
		"not to be executed": {found(edited(ping(raw), func(p *posture.Program) { p.Mode = 0o700 })), report.Pass, ""},
	} {
		p := confined(1)
		row.change(p)
		p.Classes[0].Caps.Bounding.Value = raw
		p.Classes[0].Securebits = fact(uint32(0), "prctl", "")
		if needs := checks.NeedsPrograms(p, pol); !needs {
			t.Errorf("%s: no need of programs", name)
		}
		f := find(t, checks.Run(p, pol), "capabilities.exec", "")
		if f.Status != row.want || !strings.Contains(f.Message, row.says) {
			t.Errorf("%s: %s: %s", name, f.Status, f.Message)
		}
	}
	if checks.NeedsPrograms(confined(2), pol) {
		t.Error("with no_new_privs on every thread programs are needed")
	}
}
