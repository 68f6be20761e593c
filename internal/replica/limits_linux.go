package replica

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// rlimits are the resource limits that bear on attempts: getrlimit(2). Those on
// a process's own memory are left alone: a replica has this program's.
var rlimits = [...]struct {
	number    int
	name, key string
}{
	{1, "RLIMIT_FSIZE", "Max file size"},
	{6, "RLIMIT_NPROC", "Max processes"},
	{7, "RLIMIT_NOFILE", "Max open files"},
	{8, "RLIMIT_MEMLOCK", "Max locked memory"},
	{11, "RLIMIT_SIGPENDING", "Max pending signals"},
	{12, "RLIMIT_MSGQUEUE", "Max msgqueue size"},
	{13, "RLIMIT_NICE", "Max nice priority"},
	{14, "RLIMIT_RTPRIO", "Max realtime priority"},
}

const capSysResource = 24

// limit takes on resource limits. A hard one cannot be raised without
// CAP_SYS_RESOURCE, and where it is lower than the process's an attempt may
// fail for that alone.
func (m *maker) limit() {
	theirs, err := m.file(m.task, m.class.TID, "limits")
	ours, err2 := m.file(m.own, kernel.Gettid(), "limits")
	if err != nil || err2 != nil {
		m.limits = append(m.limits, "attempts were made under this program's resource limits: those of the process could not be read")
		return
	}
	for _, l := range rlimits {
		soft, hard, ok := limitOf(theirs, l.key)
		_, own, okOwn := limitOf(ours, l.key)
		if !ok || !okOwn {
			continue
		}
		if hard > own && !m.has(capSysResource) {
			m.limits = append(m.limits, "attempts were made under a lower "+l.name+" than the process's: raising it takes CAP_SYS_RESOURCE")
			hard = own
			soft = min(soft, own)
		}
		m.po.Rlimits = append(m.po.Rlimits, child.Rlimit{Resource: l.number, Name: l.name, Soft: soft, Hard: hard})
	}
}

// limitOf finds a limit in the bytes of a limits file: proc_pid_limits(5).
func limitOf(file, key string) (soft, hard uint64, ok bool) {
	for line := range strings.SplitSeq(file, "\n") {
		rest, found := strings.CutPrefix(line, key+" ")
		if !found {
			continue
		}
		words := strings.Fields(rest)
		if len(words) < 2 {
			return 0, 0, false
		}
		soft, ok1 := limitWord(words[0])
		hard, ok2 := limitWord(words[1])
		return soft, hard, ok1 && ok2
	}
	return 0, 0, false
}

func limitWord(w string) (uint64, bool) {
	if w == "unlimited" {
		return ^uint64(0), true
	}
	n, err := strconv.ParseUint(w, 10, 64)
	return n, err == nil
}
