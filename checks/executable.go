package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	exeFileID       = "process.executable"
	exeFileExpected = "neither writable nor replaced"
	// capFOwner changes the mode of files of others.
	capFOwner = 1 << 3
)

// programFile checks that the program's file is still the one that was executed,
// and that no thread may write it or put another in its place.
func programFile(out *results, a *audited, pol *policy.Policy) {
	if !pol.Process.SafeExecutable {
		out.skip(exeFileID)
		return
	}
	p := &a.Reach().ProgramFile
	gone, replaced := judgeGone(p)
	if gone != nil {
		f := out.addVerdict(exeFileID, exeFileExpected, *gone, &p.Path.Origin, &p.Deleted.Origin, &p.Replaced.Origin)
		f.Subject = "file"
	}
	if !replaced && onReadOnlyMounts(p) {
		f := out.addVerdict(exeFileID, exeFileExpected, verdict{report.Pass, "read-only", "the program that it executes, and the directories on the way to it, are on read-only mounts"}, &p.Path.Origin, &p.File.ReadOnly.Origin)
		f.Subject = "write"
		f.Evidence = append(f.Evidence, hardeningEvidence(a)...)
	} else if !replaced {
		check := threadCheck{
			id: exeFileID, expected: exeFileExpected,
			judge: func(t *posture.Thread) (report.Status, string) { return judgeRewritable(p, t) },
			say: func(status report.Status, who, observed string) string {
				switch status {
				case report.Gap:
					return who + " may change the program that it executes: " + observed
				case report.Pass:
					return who + " may not change the program that it executes: " + observed
				}
				return "whether " + who + " may change the program that it executes: " + observed
			},
			show: func(t *posture.Thread) []report.Evidence {
				return append(seen(&p.Path.Origin, &p.File.ReadOnly.Origin), seenOf([]fact{factUID}, t)...)
			},
		}
		f := check.run(out, a)
		f.Subject = "write"
		f.Evidence = append(f.Evidence, hardeningEvidence(a)...)
	}
}

// judgeGone says what became of the file since it was executed; nil for nothing.
// What is gone cannot be written any more by its name.
func judgeGone(p *posture.ProgramFile) (v *verdict, gone bool) {
	path := quoted(p.Path.Value)
	switch deleted, known := p.Deleted.Get(); {
	case known && deleted:
		return &verdict{report.Gap, "deleted", "the program " + path + " has been deleted since it was executed, or replaced: what runs is not what lies there"}, true
	case !known:
		u := unknownVerdict("whether the program has been deleted", &p.Deleted.Origin, "its file")
		return &u, p.File.Mode == 0
	}
	switch replaced, known := p.Replaced.Get(); {
	case known && replaced:
		return &verdict{report.Gap, "replaced", "another file has taken the place of the program " + path + " since it was executed"}, true
	case !known:
		u := unknownVerdict("whether the program "+path+" has been replaced", &p.Replaced.Origin, "what its path leads to")
		return &u, false
	}
	return nil, false
}

// judgeRewritable says whether a thread may write the file, or a directory on the
// way to it, by any of its ids and with what it is permitted.
func judgeRewritable(p *posture.ProgramFile, t *posture.Thread) (report.Status, string) {
	if p.Deleted.State != posture.Known {
		return report.Unknown, whyNot(&p.Deleted.Origin, "its file")
	}
	var c Credentials
	if why := (&gains{}).read(&c, t); why != "" {
		return report.Unknown, why
	}
	unclear := ""
	for i := -1; i < len(p.Directories); i++ {
		g, what := &p.File, "the file"
		if i >= 0 {
			g, what = &p.Directories[i], "the directory "+quoted(p.Directories[i].Path)
		}
		how, may, why := c.mayRewrite(g, i >= 0)
		readOnly, known := g.ReadOnly.Get()
		switch {
		case may == no || known && readOnly:
		case may == yes && !known:
			unclear = what + " is writable " + how + ", and whether its mount is read-only is not known: " + g.ReadOnly.Why()
		case may == yes && i < 0:
			return report.Gap, what + " is writable " + how + ", though not while something executes it"
		case may == yes:
			return report.Gap, what + ", where another file may take its place, is writable " + how
		default:
			unclear = what + ": " + why
		}
	}
	switch {
	case unclear != "":
		return report.Unknown, unclear
	case p.Whole.State != posture.Known && p.Replaced.State == posture.Known && len(p.Directories) == 0:
		return report.Pass, "the file is not writable, and its path does not lead to it from the root directory"
	case p.Whole.State != posture.Known:
		return report.Unknown, whyNot(&p.Whole.Origin, "the directories on the way to it")
	}
	return report.Pass, "neither the file nor a directory on the way to it is writable"
}

// onReadOnlyMounts says that nobody can write any of it, whoever he is.
func onReadOnlyMounts(p *posture.ProgramFile) bool {
	isReadOnly := func(g *posture.Guard) bool { return g.ReadOnly.State == posture.Known && g.ReadOnly.Value }
	for i := range p.Directories {
		if !isReadOnly(&p.Directories[i]) {
			return false
		}
	}
	return p.Whole.State == posture.Known && isReadOnly(&p.File)
}

// Capabilities with which files of others are written, or become one's own.
const writingCaps = capDACOverride | capFOwner | 1<<0 /* CAP_CHOWN */ | capSetuid

// mayRewrite goes by path_resolution(7). An owner gives himself the right. In a
// directory with the sticky bit only owners put something in a file's place.
func (c *Credentials) mayRewrite(g *posture.Guard, directory bool) (how string, may answer, why string) {
	if g.UID.State != posture.Known || g.GID.State != posture.Known {
		if g.Mode&0o002 != 0 && !(directory && g.Mode&posture.Sticky != 0) {
			return "by everyone", yes, ""
		}
		return "", perhaps, whyNot(firstUnknown(&g.UID.Origin, &g.GID.Origin), "whose it is")
	}
	uid, gid := g.UID.Value, g.GID.Value
	with := c.Caps.Permitted & writingCaps
	switch {
	case isOneOf(&c.UID, uid):
		return "by its owner, user " + decimal(uid.Value), yes, ""
	case with != 0 && !uid.Unmapped && !gid.Unmapped:
		return "with " + fewCaps(with), yes, ""
	case directory && g.Mode&posture.Sticky != 0:
		return "", no, ""
	case g.Mode&0o002 != 0:
		return "by everyone", yes, ""
	case g.Mode&0o020 == 0:
		return "", no, "" // the bits of the group bound a list, too
	case isOneOf(&c.GID, gid) || containsID(c.Groups, gid):
		return "by its group " + decimal(gid.Value), yes, ""
	case g.ACL.State != posture.Known || g.ACL.Value:
		return "", perhaps, "an access control list may say who may write it, and was not evaluated"
	}
	return "", no, ""
}
