package collect

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Layout fills how the address space was laid out.
func (s *Site) Layout() {
	m := &s.Process.MakeReach().Memory
	stat, source, err := s.statMore()
	m.Randomized.Value = stat.Randomized()
	settle(&m.Randomized.Origin, err, source, "flags: "+strconv.FormatUint(uint64(stat.Flags), 10))
	s.sysctl(&m.RandomizeVASpace, "kernel/randomize_va_space")
	s.personalities()
}

// statMore reads a stat file of the process.
func (s *Site) statMore() (stat procfs.StatMore, source string, err error) {
	if s.Task == nil {
		return stat, "/proc", s.NoTask
	}
	name := s.by.leader("stat")
	source = s.Task.Path() + "/" + name
	data, err := s.Task.Read(name, s.Buf)
	if err != nil {
		return stat, source, err
	}
	if stat, err = procfs.ParseStatMore(data); err == nil && stat.PID != s.Process.PID {
		err = procfs.ErrMalformed
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", source, err)
	}
	return stat, source, err
}

// sysctl reads a sysctl that is a number. A kernel without it makes the fact absent.
func (s *Site) sysctl(f *posture.Fact[int], name string) {
	text, source, err := s.sysctlText(name)
	if err == nil {
		if f.Value, err = strconv.Atoi(text); err != nil {
			err = fmt.Errorf("%s: %w", source, procfs.ErrMalformed)
		}
	}
	settle(&f.Origin, err, source, text)
	if gone(err) {
		f.State = posture.Absent
	}
}

var errKept = errors.New("no /proc was left but the process's own threads")

func (s *Site) sysctlText(name string) (text, source string, err error) {
	source = "/proc/sys/" + name
	if s.Proc == nil {
		if err = s.NoTask; err == nil {
			err = errKept
		}
		return "", source, err
	}
	data, err := s.Proc.Dir().Sysctl(name, s.Buf)
	return strings.TrimSuffix(string(data), "\n"), source, err
}

// personalities reads those of all threads. The files are for whoever may trace
// the process; a process that is not dumpable cannot read its own.
func (s *Site) personalities() {
	m := &s.Process.MakeReach().Memory
	m.Personalities = nil
	if s.Task == nil {
		return
	}
	for _, tid := range threadsOf(s.Process) {
		p := posture.Personality{TIDs: []int{tid}}
		name := strconv.Itoa(tid) + "/personality"
		data, err := s.Task.Read(name, s.Buf)
		if gone(err) {
			continue
		}
		if err == nil {
			if p.Flags.Value, err = procfs.ParsePersonality(data); err != nil {
				err = fmt.Errorf("%s/%s: %w", s.Task.Path(), name, err)
			}
		}
		settle(&p.Flags.Origin, err, s.Task.Path()+"/"+name, strings.TrimSpace(string(data)))
		at := slices.IndexFunc(m.Personalities, func(o posture.Personality) bool {
			return o.Flags.State == p.Flags.State && o.Flags.Value == p.Flags.Value
		})
		if at >= 0 {
			m.Personalities[at].TIDs = append(m.Personalities[at].TIDs, tid)
		} else {
			m.Personalities = append(m.Personalities, p)
		}
	}
}

// maxMapsReadings is how often the mappings are read for enoughAlike readings in a
// row that agree in what is executable: the kernel hands them out in pieces, and
// memory may be executable for moments only.
const maxMapsReadings = 32

// Mappings fills what is mapped where.
func (s *Site) Mappings() {
	m := &s.Process.MakeReach().Memory
	m.Stacks = nil
	if s.Task == nil {
		m.Mappings.Fail("/proc", s.NoTask.Error())
		return
	}
	tid := s.lives()
	name := strconv.Itoa(tid) + "/maps"
	source := s.Task.Path() + "/" + name
	var before uint64
	same := 0
	var worst posture.Mappings
	for n := range maxMapsReadings {
		if err := s.Ctx.Err(); err != nil {
			m.Mappings.Fail(source, source+": "+err.Error())
			return
		}
		now, digest, err := s.readMaps(name)
		if errors.Is(err, procfs.ErrMalformed) && n+1 < maxMapsReadings {
			// A mapping that grew between two pieces overlaps the one before.
			same = 0
			continue
		}
		if err != nil {
			m.Mappings.Fail(source, err.Error())
			return
		}
		// What was seen once counts, also where it is gone already.
		if n > 0 && len(now.WriteExecute)+len(now.Twice) == 0 && len(worst.WriteExecute)+len(worst.Twice) > 0 {
			now.WriteExecute, now.More, now.Twice, now.MoreTwice = worst.WriteExecute, worst.More, worst.Twice, worst.MoreTwice
		}
		worst = now
		if same++; n > 0 && digest != before {
			same = 1
		}
		if same == enoughAlike {
			m.Mappings = posture.Of(now, source, strconv.Itoa(now.Count)+" mappings")
			s.stacks()
			return
		}
		before = digest
	}
	if len(worst.WriteExecute)+len(worst.Twice) > 0 {
		m.Mappings = posture.Of(worst, source, "mappings that keep changing")
		s.stacks()
		return
	}
	m.Mappings.Fail(source, source+": "+procfs.ErrChanging.Error())
}

func (s *Site) readMaps(name string) (m posture.Mappings, digest uint64, err error) {
	err = s.Task.Stream(name, func(r io.Reader) (err error) {
		m, digest, err = procfs.ParseMaps(r)
		return err
	})
	return m, digest, err
}

// lives is a thread that has not ended: the leader may have.
func (s *Site) lives() int {
	for i := range s.Process.Classes {
		if len(s.Process.Classes[i].TIDs) > 0 {
			return s.Process.Classes[i].TIDs[0]
		}
	}
	return s.Process.PID
}

// stacks reads where the threads' stacks are, where one may be executable.
func (s *Site) stacks() {
	m := &s.Process.MakeReach().Memory
	if len(m.Mappings.Value.WriteExecute) == 0 {
		return
	}
	for _, tid := range threadsOf(s.Process) {
		name := strconv.Itoa(tid) + "/syscall"
		data, err := s.Task.Read(name, s.Buf)
		if gone(err) && !s.there(tid) {
			continue
		}
		stack := posture.Stack{TID: tid}
		waits := false
		if err == nil {
			stack.Pointer.Value, waits, err = procfs.ParseStackPointer(data)
		}
		if err == nil && !waits {
			err = errors.New("the thread runs")
		}
		settle(&stack.Pointer.Origin, err, s.Task.Path()+"/"+name, "0x"+strconv.FormatUint(stack.Pointer.Value, 16))
		m.Stacks = append(m.Stacks, stack)
	}
}

// there says whether a thread is still there.
func (s *Site) there(tid int) bool {
	_, err := s.Task.Read(strconv.Itoa(tid)+"/stat", s.Buf)
	return !gone(err)
}

// Dumps fills what decides whether there are core dumps, and who may read the
// process's memory.
func (s *Site) Dumps() {
	m := &s.Process.MakeReach().Memory
	s.owner(&m.Dumpable)
	s.sysctl(&m.SuidDumpable, "fs/suid_dumpable")
	s.sysctl(&m.CoreUsesPID, "kernel/core_uses_pid")
	text, source, err := s.sysctlText("kernel/core_pattern")
	m.CorePattern.Value = text
	settle(&m.CorePattern.Origin, err, source, text)
	s.coreLimit(&m.CoreLimit)
}

func (s *Site) coreLimit(f *posture.Fact[posture.Limit]) {
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	name := strconv.Itoa(s.lives()) + "/limits"
	source := s.Task.Path() + "/" + name
	data, err := s.Task.Read(name, s.Buf)
	if err == nil {
		var all []posture.Limit
		if all, err = procfs.ParseLimits(data); err != nil {
			err = fmt.Errorf("%s: %w", source, err)
		}
		for _, l := range all {
			if l.Name == "RLIMIT_CORE" {
				f.Value = l
			}
		}
	}
	settle(&f.Origin, err, source, "")
}

// owner tells by the owner of a file in /proc whether the process is dumpable:
// its effective ids where it is, else those of the root of the user namespace
// that its memory belongs to.
func (s *Site) owner(f *posture.Fact[int]) {
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	tid := s.lives()
	name := strconv.Itoa(tid) + "/status"
	source := s.Task.Path() + "/" + name
	fd, err := s.Task.Open(name, kernel.OpenPath)
	if err != nil {
		f.Fail(source, err.Error())
		return
	}
	defer kernel.Close(fd)
	st, err := s.Calls.Inode(fd, "", source)
	if err != nil {
		f.Fail(source, err.Error())
		return
	}
	why := ""
	f.Value, why = s.decideOwner(tid, st.UID, st.GID)
	raw := "owned by " + idWord(st.UID) + " and group " + idWord(st.GID)
	if why != "" {
		f.Fail(source, raw+": "+why)
		return
	}
	f.Know(source, raw)
}

func (s *Site) decideOwner(tid int, uid, gid uint32) (dumpable int, why string) {
	for i := range s.Process.Classes {
		c := &s.Process.Classes[i]
		if !slices.Contains(c.TIDs, tid) {
			continue
		}
		if c.UID.State != posture.Known || c.GID.State != posture.Known {
			return 0, "its ids are not known"
		}
		return decideOwner(&c.Thread, uid, gid, s.rootOf(uid))
	}
	return 0, "its ids are not known"
}

// rootOf says whether a user id, as the auditor sees it, may be that of a root:
// the machine's, that of the process's user namespace, or one that is not shown.
func (s *Site) rootOf(uid uint32) bool {
	if uid == 0 || uid == overflowID {
		return true
	}
	m := &s.Process.UserNamespace.UIDMap
	return m.State == posture.Known && slices.ContainsFunc(m.Value, func(e posture.MapEntry) bool { return e.Inside == 0 && e.Outside == uid })
}

// decideOwner is pure. An id that stands for any that is not mapped tells nothing,
// and neither do ids of a root: they are the same either way.
func decideOwner(t *posture.Thread, uid, gid uint32, byRoot bool) (dumpable int, why string) {
	u, g := t.UID.Value.Effective, t.GID.Value.Effective
	isRoot := func(id posture.ID) bool {
		return id.Outside == 0 || id.Outside == overflowID || !id.Unmapped && id.Value == 0
	}
	switch {
	case u.Outside == uid && !isRoot(u), u.Outside == uid && g.Outside == gid && !isRoot(g):
		return posture.DumpableUser, ""
	case u.Outside == uid && g.Outside == gid:
		return 0, "the files of a process of root belong to root either way, and only the process itself can tell"
	case u.Outside != uid && u.Outside != overflowID && byRoot, u.Outside == uid && g.Outside != overflowID && gid == 0:
		return posture.DumpableNot, ""
	}
	return 0, "which does not fit its ids"
}
