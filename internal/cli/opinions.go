package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/names"
)

// opinionThreads is how many threads the libraries are asked about. How many
// there are is the target's choice.
const opinionThreads = 64

// values are what one thread has, in words, by what they are.
type values map[string]string

// What is compared, in the order of the report.
const (
	userIDs     = "user ids"
	groupIDs    = "group ids"
	inheritable = "inheritable set"
	permitted   = "permitted set"
	effective   = "effective set"
	bounding    = "bounding set"
	ambient     = "ambient set"
)

var compared = []string{userIDs, groupIDs, inheritable, permitted, effective, bounding, ambient}

// secondOpinions compares what this module reads of the target with what two
// libraries read that others wrote, and says in sentences what came of it. It
// changes no verdict: they read by path, and know less.
func secondOpinions(ctx context.Context, target report.Target) []string {
	before, err := readAgain(ctx, target)
	if err != nil {
		return []string{"none: " + err.Error()}
	}
	said, differ := askLibraries(before)
	if !differ {
		return said
	}
	after, err := readAgain(ctx, target)
	if err != nil {
		return []string{"none: " + err.Error()}
	}
	if !reflect.DeepEqual(before.Classes, after.Classes) {
		return []string{"none: the process changed while it was read"}
	}
	return said
}

var (
	errFiltered = errors.New("a seccomp filter is in force here, and it may kill for a call that the libraries make")
	errMode     = errors.New("whether a seccomp filter is in force here is not known, and it may kill for a call that the libraries make")
	errReplaced = errors.New("the process is not the one that was audited any more")
)

// readAgain reads the facts once more, for the report holds findings only.
func readAgain(ctx context.Context, target report.Target) (*posture.Process, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	switch mode, known := collect.OwnSeccomp(); {
	case !known:
		return nil, errMode
	case mode != 0:
		return nil, errFiltered
	}
	var p *posture.Process
	var err error
	if target.Self {
		p, err = collect.Self(ctx, collect.Options{})
	} else {
		p, err = collect.PID(ctx, target.PID, collect.Options{})
	}
	if err != nil {
		return nil, err
	}
	if start, known := p.StartTime.Get(); known && !start.Equal(target.StartTime) {
		return nil, errReplaced
	}
	return p, nil
}

// askLibraries returns what each library says, and whether one differs.
func askLibraries(p *posture.Process) (said []string, differ bool) {
	for _, lib := range libraries {
		lines, d := ask(lib, p)
		said, differ = append(said, lines...), differ || d
	}
	return said, differ
}

// ask compares what one library says of each thread with what was read here.
func ask(lib library, p *posture.Process) (said []string, differ bool) {
	threads, same, skipped := 0, 0, 0
	for _, class := range p.Classes {
		ours := read(class.Thread)
		for _, tid := range class.TIDs {
			if threads == opinionThreads {
				break
			}
			threads++
			theirs, err := guarded(lib, p.PID, tid)
			if err != nil {
				said, differ = append(said, fmt.Sprintf("%s: thread %d could not be read: %v", lib.name, tid, err)), true
				continue
			}
			for _, what := range compared {
				their, asked := theirs[what]
				our, known := ours[what]
				switch {
				case !asked:
				case !known:
					skipped++
				case their == our:
					same++
				default:
					said, differ = append(said, fmt.Sprintf("%s: thread %d: %s is %s there, %s here", lib.name, tid, what, their, our)), true
				}
			}
		}
	}
	summary := fmt.Sprintf("%s agrees on %s of %s", lib.name, counted(same, "value"), counted(threads, "thread"))
	if skipped > 0 {
		// The libraries read a missing line as 0, so there is nothing to compare with.
		summary += fmt.Sprintf("; %d more could not be read here and were not compared", skipped)
	}
	return append([]string{summary}, said...), differ
}

// counted is a number of things, of which there may be one.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// guarded turns a panic of the library, which malformed files can cause, into
// an error.
func guarded(lib library, pid, tid int) (v values, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the library panics: %v", r)
		}
	}()
	return lib.read(pid, tid)
}

// read returns what was read here, without what is not known.
func read(t posture.Thread) values {
	v := values{}
	if ids, known := t.UID.Get(); known {
		v[userIDs] = outside(ids)
	}
	if ids, known := t.GID.Get(); known {
		v[groupIDs] = outside(ids)
	}
	for what, fact := range map[string]posture.Fact[posture.CapSet]{
		inheritable: t.Caps.Inheritable, permitted: t.Caps.Permitted, effective: t.Caps.Effective,
		bounding: t.Caps.Bounding, ambient: t.Caps.Ambient,
	} {
		if set, known := fact.Get(); known {
			v[what] = names.CapSetString(uint64(set))
		}
	}
	return v
}

// outside returns the ids as /proc shows them to the auditor.
func outside(ids posture.IDs) string {
	return joinIDs(uint64(ids.Real.Outside), uint64(ids.Effective.Outside), uint64(ids.Saved.Outside), uint64(ids.FS.Outside))
}

func joinIDs(ids ...uint64) string {
	return strings.Trim(fmt.Sprint(ids), "[]")
}
