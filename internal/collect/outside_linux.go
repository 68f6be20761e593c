package collect

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// maxSteps bounds how many directories one audit goes up by in all. The kernel
// has no bound on depth, nor on how many deep directories a target holds; what
// is left then stays unknown.
const maxSteps = 200_000

// ascent goes up from directories, for one audit. It remembers every directory
// that it came through, since most lead the same way.
type ascent struct {
	*collector
	steps   int
	answers map[ascentKey]ascentAnswer
}

// directoryKey is one directory, as it is reached by one mount.
type directoryKey struct{ dev, ino, mount uint64 }

type ascentKey struct{ root, directory directoryKey }

// ascentAnswer is where the way up ends.
type ascentAnswer struct {
	outside posture.Fact[bool]
	// alike is true where it ends at what looks like the kept task directory.
	alike bool
}

func (a *collector) newAscent() *ascent {
	return &ascent{collector: a, steps: maxSteps, answers: map[ascentKey]ascentAnswer{}}
}

func keyOf(st *kernel.FileStat) directoryKey { return directoryKey{st.Dev, st.Ino, st.MountID} }

// from goes up from the directory open at fd until it comes to root, or to
// where there is nothing above: then no path inside the root leads to it.
func (u *ascent) from(fd int, st kernel.FileStat, root *place, source string) ascentAnswer {
	var answer ascentAnswer
	f := &answer.outside
	if root.State != posture.Known {
		f.Origin = root.Origin
		return answer
	}
	var through []ascentKey
	at := fd
	defer func() {
		if at != fd {
			kernel.Close(at)
		}
		if u.ctx.Err() != nil {
			return // says nothing about the directories
		}
		for _, key := range through {
			u.answers[key] = answer
		}
	}()
	for {
		if err := u.ctx.Err(); err != nil {
			f.Fail(source, source+": "+err.Error()+" on the way up from it")
			return answer
		}
		if st.HasMountID && root.Value.HasMountID {
			key := ascentKey{keyOf(&root.Value), keyOf(&st)}
			if known, ok := u.answers[key]; ok {
				answer = known
				return answer
			}
			through = append(through, key)
		}
		if sameDirectory(&st, &root.Value) && atRoot(f, &st, &root.Value, source) {
			return answer
		}
		if u.steps--; u.steps < 0 {
			f.Fail(source, source+": more than "+strconv.Itoa(maxSteps)+" directories to go up by in one audit")
			return answer
		}
		up, above, err := u.up(at, source+"/..")
		if err != nil {
			f.Fail(source, err.Error())
			return answer
		}
		if at != fd {
			kernel.Close(at)
		}
		at = up
		if sameDirectory(&above, &st) && above.MountID == st.MountID {
			u.top(f, &st, source)
			answer.alike = u.looksKept(at)
			return answer
		}
		st = above
	}
}

// atRoot says whether the directory that the root is reached at ends the way:
// by another mount it is another place.
func atRoot(f *posture.Fact[bool], st, root *kernel.FileStat, source string) bool {
	if !st.HasMountID || !root.HasMountID {
		f.Fail(source, source+": comes to the root directory, and no mount ids tell whether by the same mount")
		return true
	}
	if st.MountID != root.MountID {
		return false
	}
	f.Know(source, "")
	return true
}

func (u *ascent) up(at int, shown string) (int, kernel.FileStat, error) {
	fd, err := kernel.Open(at, "..", kernel.OpenPath|kernel.OpenDirectory, strings.TrimSuffix(shown, "/.."))
	if err != nil {
		return -1, kernel.FileStat{}, err
	}
	st, err := u.c.Stat(fd, shown)
	if err != nil {
		kernel.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

// top is the answer where nothing is above. A chroot of the auditor's own
// looks like that too, and may lie inside the target's root.
func (u *ascent) top(f *posture.Fact[bool], st *kernel.FileStat, source string) {
	if !u.p.Self && st.HasMountRoot && !st.MountRoot {
		f.Fail(source, source+": the auditor's own root directory is in the way")
		return
	}
	f.Value = true
	f.Know(source, "")
}
