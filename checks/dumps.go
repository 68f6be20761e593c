package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	dumpableID = "memory.dumpable"
	coreID     = "memory.core"
)

// dumps checks who may read the process's memory: by tracing it, and in a core
// dump.
func dumps(out *results, a *audited, pol *policy.Policy) {
	m := &a.Reach().Memory
	dumpable := a.dumpable()
	if pol.Memory.NotDumpable {
		out.addVerdict(dumpableID, "not by its user", judgeDumpable(dumpable), &dumpable.Origin)
	} else {
		out.skip(dumpableID)
	}
	if pol.Memory.NoCore {
		v := judgeCore(m, dumpable)
		f := out.addVerdict(coreID, "none", v, &m.CorePattern.Origin, &m.CoreLimit.Origin, &dumpable.Origin)
		if m.CoreLimit.State == posture.Known {
			f.Evidence[1].Value = "RLIMIT_CORE: soft " + limitValue(m.CoreLimit.Value.Soft) + ", hard " + limitValue(m.CoreLimit.Value.Hard)
		}
	} else {
		out.skip(coreID)
	}
}

// dumpable is what the process itself answered, else what its files tell. The
// answer is one for all threads.
func (a *audited) dumpable() posture.Fact[int] {
	for i := range a.views {
		if f := &a.views[i].Dumpable; f.State == posture.Known {
			return *f
		}
	}
	return a.Reach().Memory.Dumpable
}

func judgeDumpable(f posture.Fact[int]) verdict {
	switch v, known := f.Get(); {
	case !known:
		return unknownVerdict("whether it is dumpable", &f.Origin, "whether a process is dumpable")
	case v == posture.DumpableUser:
		return verdict{report.Gap, "by its user", "it is dumpable: processes of its user may trace it and read its memory, as far as nothing else stands before them"}
	case v == posture.DumpableRootOnly:
		return verdict{report.Pass, "by root alone", "it is dumpable by root alone"}
	case v == posture.DumpableNot:
		return verdict{report.Pass, "no", "it is not dumpable"}
	default:
		return verdict{report.Unknown, strconv.Itoa(v), "PR_GET_DUMPABLE answers " + strconv.Itoa(v) + ", which prctl(2) does not describe"}
	}
}

// minCore is the smallest limit with which a core dump is written to a file: a page
// of an ELF file.
const minCore = 4096

// judgeCore goes by core(5). To a program or a socket cores go whatever the limit,
// but for the limit 1, which stops them on their way to a program.
func judgeCore(m *posture.Memory, dumpable posture.Fact[int]) verdict {
	dump, dumpKnown := dumpable.Get()
	if dumpKnown && dump == posture.DumpableNot {
		switch suid, known := m.SuidDumpable.Get(); {
		case dumpable.Source != m.Dumpable.Source || dumpable.Source == "", known && suid != posture.DumpableRootOnly:
			return verdict{report.Pass, "none", "it is not dumpable, so that no core dump is written"}
		case !known:
			return unknownVerdict("it is not dumpable by its user, and whether by root is not known", &m.SuidDumpable.Origin, "fs.suid_dumpable")
		}
		dump = posture.DumpableRootOnly
	}
	limit, limitKnown := m.CoreLimit.Get()
	pattern, known := m.CorePattern.Get()
	if !known {
		return unknownVerdict("where core dumps go", &m.CorePattern.Origin, "kernel.core_pattern")
	}
	program, socket := strings.HasPrefix(pattern, "|"), strings.HasPrefix(pattern, "@")
	toFile := !program && !socket
	switch {
	case toFile && pattern == "" && m.CoreUsesPID.State == posture.Known && m.CoreUsesPID.Value == 0:
		return verdict{report.Pass, "none", "kernel.core_pattern is empty, so that no core dump is written"}
	case toFile && dumpKnown && dump == posture.DumpableRootOnly && !strings.HasPrefix(pattern, "/"):
		return verdict{report.Pass, "none", "it is dumpable by root alone, and such a core dump is not written to a relative path"}
	case toFile && limitKnown && limit.Soft < minCore:
		return verdict{report.Pass, "none", "its soft RLIMIT_CORE is " + limitValue(limit.Soft) + ", so that no core dump is written to a file"}
	case program && limitKnown && limit.Soft == 1:
		return verdict{report.Pass, "none", "its soft RLIMIT_CORE is 1, so that no program is started for a core dump"}
	case socket && limitKnown && limit.Soft == 1:
		return verdict{report.Unknown, "unknown", "its soft RLIMIT_CORE is 1, and whether that stops core dumps to a socket is not known"}
	case !dumpKnown:
		return unknownVerdict("whether it leaves a core dump", &dumpable.Origin, "whether a process is dumpable")
	case toFile && !limitKnown:
		return unknownVerdict("whether it leaves a core dump", &m.CoreLimit.Origin, "RLIMIT_CORE")
	case program && !limitKnown:
		return unknownVerdict("whether it leaves a core dump", &m.CoreLimit.Origin, "RLIMIT_CORE")
	case program:
		return verdict{report.Gap, "to a program", "its memory goes to the program of kernel.core_pattern when it crashes: there RLIMIT_CORE, of " + limitValue(limit.Soft) + ", bounds nothing"}
	case socket:
		return verdict{report.Gap, "to a socket", "its memory goes to the socket of kernel.core_pattern when it crashes"}
	}
	return verdict{report.Gap, "to a file", "its memory is written to a file when it crashes: its soft RLIMIT_CORE is " + limitValue(limit.Soft)}
}
