package probes

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// Of openat(2), faccessat2(2) and mmap(2).
const (
	openTemporary = 0o20000000 | syscall.O_DIRECTORY // O_TMPFILE
	openQuietly   = syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC
	ownerOnly     = 0o600
	accessExecute = 1
	accessWrite   = 2
	accessRead    = 4
	atEffective   = 0x200 // AT_EACCESS
	sawInode      = 0x100 // STATX_INO
	mapSize       = 4096
	protReadExec  = 0x1 | 0x4
	mapPrivate    = 0x2
)

// Bounds of one program of tries: a longer list takes several.
const (
	triesData  = 24 << 10
	triesSteps = 1500
	longestTry = 4095
)

// Access tries places of the file system in children of the calling thread, or in
// replicas of replica where that is not nil, made by its Program, and returns what became of each.
// Nothing is made that has a name, nothing is written, and of what is read not a
// byte is kept. filtered says that a filter may act on the children. The error
// says why some were not tried. Linux 3.11; no privilege is needed.
func Access(ctx context.Context, places []posture.Place, filtered bool, replica *child.Posture) ([]posture.Try, child.Taken, error) {
	out := make([]posture.Try, len(places))
	var taken child.Taken
	for i := range out {
		out[i].Detail = "it was not tried"
	}
	for next := 0; next < len(places); {
		t, err := newTries(filtered, replica)
		if err != nil {
			return out, taken, err
		}
		from := next
		for next < len(places) && t.fits(&places[next]) {
			t.place(&places[next])
			next++
		}
		err = t.run(ctx, out[from:next], places[from:next])
		if replica != nil {
			taken = t.prog.Replica()
		}
		if err = errors.Join(err, t.prog.Close()); err != nil {
			return out, taken, err
		}
	}
	return out, taken, nil
}

// accessStall is how long one call may take.
const accessStall = 2 * time.Second

// tries are those of one program.
type tries struct {
	prog     *child.Program
	filtered bool
	alone    bool // the calling thread's own posture
	// reach, by the flags of openat(2), and reachAccess have a bad address.
	reach       map[int]child.Step
	reachAccess child.Step
	list        []placeTry
}

// placeTry is one place's calls. Steps that it does not have are 0, which is a step of
// the prologue.
type placeTry struct {
	open, second, stat, act, more child.Step
	at, to                        child.Buffer
	why                           string
}

func newTries(filtered bool, replica *child.Posture) (*tries, error) {
	t := &tries{filtered: filtered, alone: replica == nil, reach: map[int]child.Step{}}
	var err error
	if replica == nil {
		t.prog, err = child.New()
	} else {
		t.prog, err = replica.Program(*replica)
	}
	if err != nil {
		return nil, err
	}
	if replica != nil {
		t.prog.Enter(false)
	}
	t.reachAccess = t.call("faccessat2", 0, child.Int(atFDCWD), child.Int(-1), child.Int(accessExecute), child.Int(atEffective))
	t.prog.End()
	return t, nil
}

func (t *tries) call(name string, f child.Flags, args ...child.Arg) child.Step {
	nr, _ := number(name)
	return t.prog.Call(nr, f, args...)
}

func (t *tries) fits(p *posture.Place) bool {
	const room, steps = 1200, 14
	if len(t.list) == 0 {
		return true
	}
	used := t.prog.Buffer(0).Offset()
	return used+2*min(len(p.Path), longestTry)+room < triesData && int(t.prog.Next())+steps < triesSteps
}

// openPath opens the place's path. The first of each flags is made with a bad
// address before: the kernel looks at flags, and then at the address.
func (t *tries) openPath(p *posture.Place, flags int) child.Step {
	flags |= openQuietly
	if _, known := t.reach[flags]; !known {
		t.reach[flags] = t.call("openat", 0, child.Int(atFDCWD), child.Int(-1), child.Int(flags), child.Int(ownerOnly))
		t.prog.End()
	}
	return t.call("openat", child.Need, child.Int(atFDCWD), t.prog.String(p.Path), child.Int(flags), child.Int(ownerOnly))
}

// reached says that no filter answers openat(2) with any of the flags, or how one does.
func (t *tries) reached() (bool, string) {
	for _, step := range t.reach {
		if o := t.prog.Outcome(step); !o.Made || o.Errno != efault {
			return false, told(o)
		}
	}
	return true, ""
}

// statOf has the kernel show that a descriptor is one.
func (t *tries) statOf(one *placeTry, fd child.Step) {
	one.at = t.prog.Buffer(statxSize)
	one.stat = t.call("statx", 0, child.Result(fd), t.prog.String(""), child.Int(atEmptyPath), child.Int(statxMask), t.prog.Addr(one.at))
}

func (t *tries) end(fd child.Step) {
	t.call("close", 0, child.Result(fd))
	t.prog.End()
}

// place writes the calls for one place.
func (t *tries) place(p *posture.Place) {
	var one placeTry
	switch {
	case p.Untried != "":
		one.why = p.Untried
	case len(p.Path) > longestTry || strings.IndexByte(p.Path, 0) >= 0:
		one.why = "its path is longer than one that can be opened"
	case p.Use&posture.UseShell != 0:
		one.act = t.access(p, accessExecute)
		t.prog.End()
	case p.Use&posture.UseDevice != 0:
		one.act, one.more = t.access(p, accessRead), t.access(p, accessWrite)
		t.prog.End()
	case p.Kind != posture.KindDirectory && p.Kind != posture.KindRegular:
		one.why = "devices, named pipes and sockets are never opened"
	case p.Use&posture.UseMasked != 0:
		t.masked(p, &one)
	case p.Use&posture.UseRead != 0:
		flags := syscall.O_NOFOLLOW
		if p.Kind == posture.KindDirectory {
			flags = syscall.O_DIRECTORY
		}
		one.open = t.openPath(p, flags)
		t.statOf(&one, one.open)
		t.end(one.open)
	default:
		t.write(p, &one)
	}
	t.list = append(t.list, one)
}

// access asks for permission alone. Of a device the rules of its control group are
// asked too.
func (t *tries) access(p *posture.Place, mode int) child.Step {
	return t.call("faccessat2", 0, child.Int(atFDCWD), t.prog.String(p.Path), child.Int(mode), child.Int(atEffective))
}

// masked opens a path and reads one byte, or one directory's first entries.
func (t *tries) masked(p *posture.Place, one *placeTry) {
	read, size, flags := "read", 1, 0
	if p.Kind == posture.KindDirectory {
		read, size, flags = "getdents64", dirRoom, syscall.O_DIRECTORY
	}
	one.open = t.openPath(p, flags)
	t.statOf(one, one.open)
	if p.Kind == posture.KindDirectory || !consumed(p.Path) {
		one.to = t.prog.Buffer(size)
		one.act = t.call(read, 0, child.Result(one.open), t.prog.Addr(one.to), child.Int(size))
		one.more = t.call(read, 0, child.Result(one.open), t.prog.Addr(one.to), child.Int(size))
	}
	t.end(one.open)
}

// dirRoom holds an entry with the longest name.
const dirRoom = 320

// consumed says that reading takes away what is read.
func consumed(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return base == "kmsg" || strings.HasPrefix(base, "trace_pipe")
}

// write opens for writing: a file without a name in a directory, or the file. What
// can be read too is mapped to be executed, and never is.
func (t *tries) write(p *posture.Place, one *placeTry) {
	flags := openTemporary | syscall.O_EXCL | syscall.O_RDWR
	if p.Kind == posture.KindRegular {
		flags = syscall.O_RDWR | syscall.O_NOFOLLOW
	}
	if p.Use&posture.UseReadOnly != 0 && p.Kind == posture.KindRegular {
		flags = syscall.O_WRONLY
	}
	one.open = t.openPath(p, flags)
	t.statOf(one, one.open)
	if p.Use&posture.UseReadOnly == 0 {
		m := "mmap"
		if _, has := number(m); !has {
			m = "mmap2"
		}
		one.act = t.call(m, 0, child.Int(0), child.Int(mapSize), child.Int(protReadExec), child.Int(mapPrivate), child.Result(one.open), child.Int(0))
	}
	t.end(one.open)
	if p.Kind == posture.KindRegular && p.Use&posture.UseReadOnly == 0 {
		one.second = t.openPath(p, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_NOFOLLOW)
		t.end(one.second)
	}
}

// run makes the calls and reads their answers.
func (t *tries) run(ctx context.Context, out []posture.Try, places []posture.Place) error {
	err := t.prog.Run(ctx, child.Options{Filtered: t.filtered && t.alone, Stall: accessStall})
	reached, answer := t.reached()
	for i := range t.list {
		one := &t.list[i]
		if one.why != "" {
			out[i].Detail = one.why
			continue
		}
		if t.filtered && !reached && one.open != 0 {
			out[i].Detail = "a seccomp filter answers openat(2), and other ways were not tried: " + answer
			continue
		}
		out[i] = t.judge(one, &places[i])
		if one.to.Offset() != 0 {
			clear(t.prog.Read(one.to))
		}
	}
	return err
}

// judge reads what became of one place.
func (t *tries) judge(one *placeTry, p *posture.Place) posture.Try {
	switch {
	case p.Use&posture.UseShell != 0:
		return t.judgeAccess("X_OK", t.prog.Outcome(one.act))
	case p.Use&posture.UseDevice != 0:
		read, write := t.judgeAccess("R_OK", t.prog.Outcome(one.act)), t.judgeAccess("W_OK", t.prog.Outcome(one.more))
		if read.Outcome == posture.Succeeded || write.Outcome == posture.Stopped {
			return read
		}
		return write
	case p.Use&posture.UseMasked != 0:
		return t.judgeMasked(one, p)
	}
	o := t.prog.Outcome(one.open)
	tried := t.opened(one, o)
	if tried.Outcome == posture.Stopped && one.second != 0 {
		if second := t.prog.Outcome(one.second); second.OK() {
			return posture.Try{Outcome: posture.Succeeded, Executable: posture.Undecided, Detail: "openat(2) of O_WRONLY|O_APPEND succeeds"}
		}
	}
	if p.Use&(posture.UseWrite|posture.UseExecute) != 0 {
		tried.Executable = t.executable(one, p, &tried)
	}
	return tried
}

// opened reads an openat(2) and what was then to be seen.
func (t *tries) opened(one *placeTry, o child.Outcome) posture.Try {
	detail := "openat(2): " + told(o)
	switch {
	case o.OK() && binary.NativeEndian.Uint32(t.prog.Read(one.at))&sawInode == 0:
		return posture.Try{Detail: detail + ", and gives no descriptor that could be seen"}
	case o.OK():
		return posture.Try{Outcome: posture.Succeeded, Detail: detail}
	case !o.Made:
		return posture.Try{Detail: detail}
	}
	switch o.Errno {
	case syscall.EOPNOTSUPP, syscall.ENOSPC, syscall.EDQUOT, syscall.ETXTBSY:
		return posture.Try{Outcome: posture.Succeeded, Detail: detail + ", which the kernel answers after its permission checks"}
	case syscall.EACCES, syscall.EPERM, syscall.EROFS:
		return posture.Try{Outcome: posture.Stopped, Detail: detail}
	default:
		return posture.Try{Detail: detail}
	}
}

// executable says whether what was written could be executed.
func (t *tries) executable(one *placeTry, p *posture.Place, tried *posture.Try) posture.Outcome {
	o := t.prog.Outcome(one.act)
	switch {
	case tried.Outcome != posture.Succeeded:
		return tried.Outcome
	case p.NoExec:
		return posture.Stopped
	case !o.Made:
		return posture.Undecided
	case o.OK() && o.Ret != 0:
		tried.Detail += "; mmap(2) of PROT_EXEC succeeds"
		return posture.Succeeded
	}
	tried.Detail += "; mmap(2) of PROT_EXEC: " + told(o)
	if !t.filtered && (o.Errno == syscall.EPERM || o.Errno == syscall.EACCES) {
		return posture.Stopped
	}
	return posture.Undecided
}

// judgeAccess reads faccessat2(2). EPERM is an answer of a filter, or of rules for
// devices that are those of the process only where it makes the call itself.
func (t *tries) judgeAccess(mode string, o child.Outcome) posture.Try {
	tried := posture.Try{Detail: "faccessat2(2) of " + mode + ": " + told(o)}
	switch {
	case o.OK() && (!t.filtered || t.genuine()):
		tried.Outcome = posture.Succeeded
	case o.Made && o.Errno == syscall.EACCES && (!t.filtered || t.genuine()), o.Made && o.Errno == syscall.EPERM && t.alone && t.genuine():
		tried.Outcome = posture.Stopped
	}
	return tried
}

// genuine says that no filter answers faccessat2(2) with other addresses.
func (t *tries) genuine() bool {
	o := t.prog.Outcome(t.reachAccess)
	return o.Made && o.Errno == efault
}

// judgeMasked reads what a masked path showed: nothing is as it should be.
func (t *tries) judgeMasked(one *placeTry, p *posture.Place) posture.Try {
	tried := t.opened(one, t.prog.Outcome(one.open))
	if tried.Outcome != posture.Succeeded {
		return tried
	}
	if one.act == 0 {
		tried.Detail += "; it was not read, since that takes away what is read"
		return tried
	}
	o, more := t.prog.Outcome(one.act), t.prog.Outcome(one.more)
	name, empty := "read(2)", uintptr(0)
	if p.Kind == posture.KindDirectory {
		name, empty = "getdents64(2)", 2*onlyDots
	}
	switch {
	case o.OK() && o.Ret > empty || o.OK() && more.OK() && o.Ret+more.Ret > empty:
		tried.Detail += "; " + name + " shows something"
	case o.OK() && more.OK():
		tried.Outcome, tried.Detail = posture.Stopped, tried.Detail+"; "+name+" shows nothing"
	case o.Made && (o.Errno == syscall.EACCES || o.Errno == syscall.EPERM):
		tried.Outcome, tried.Detail = posture.Stopped, tried.Detail+"; "+name+": "+names.ErrnoName(int(o.Errno))
	default:
		tried.Outcome, tried.Detail = posture.Undecided, tried.Detail+"; "+name+": "+told(o)
	}
	return tried
}

// onlyDots is the size of a linux_dirent64 of "." or of "..".
const onlyDots = 24
