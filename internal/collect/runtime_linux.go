package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Terminals fills the controlling terminal, and which descriptors are of others.
func (s *Site) Terminals() {
	t := &s.Process.MakeReach().Terminals
	stat, source, err := s.statMore()
	t.Controlling.Value = posture.Terminal{Major: stat.TTYMajor(), Minor: stat.TTYMinor()}
	settle(&t.Controlling.Origin, err, source, "tty_nr: "+strconv.FormatUint(uint64(stat.TTY), 10))
	var legacy posture.Fact[int]
	s.sysctl(&legacy, "dev/tty/legacy_tiocsti")
	t.LegacyTIOCSTI = posture.Carry(legacy, legacy.Value != 0)
	s.openTerminals(&t.Open)
}

// terminalMajors are the numbers of the kernel's terminals: virtual consoles and
// serial lines, /dev/tty and /dev/console, pseudo-terminals.
var terminalMajors = [...]uint32{4, 5, 136, 137, 138, 139, 140, 141, 142, 143, 188, 204, 229}

// openTerminals counts the descriptors of the leader's table that are of
// terminals. It is shown and decides nothing.
func (s *Site) openTerminals(f *posture.Fact[int]) {
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	dir, err := s.Task.Sub(strconv.Itoa(s.lives()) + "/fd")
	if err != nil {
		f.Fail(s.Task.Path(), err.Error())
		return
	}
	defer dir.Close()
	all, err := dir.Numbers(s.Buf, nil)
	for _, fd := range all {
		if err = s.Ctx.Err(); err != nil {
			break
		}
		o, err := s.Calls.StatThrough(dir.FD(), strconv.Itoa(fd), dir.Path())
		if err == nil && o.Mode&kernel.TypeMask == kernel.TypeCharacter && slices.Contains(terminalMajors[:], kernel.Major(o.Device)) {
			f.Value++
		}
	}
	settle(&f.Origin, err, dir.Path(), strconv.Itoa(f.Value)+" of terminals")
}

// Environment fills which variables of the initial environment name code to
// load. No value is kept.
func (s *Site) Environment() {
	f := &s.Process.MakeReach().Preloads
	if s.Task == nil {
		f.Fail("/proc", s.NoTask.Error())
		return
	}
	name := strconv.Itoa(s.lives()) + "/environ"
	source := s.Task.Path() + "/" + name
	var found []string
	var count int
	read := func(r io.Reader) (err error) {
		found = nil
		count, err = procfs.Environment(r, func(name []byte, empty bool) {
			if _, ok := posture.PreloadNamed(string(name)); ok && !empty {
				found = append(found, string(name))
			}
		})
		return err
	}
	err := s.Task.Stream(name, read)
	if errors.Is(err, syscall.EACCES) && s.Self {
		// The file is root's where the process is not dumpable.
		source, err = s.ownEnvironment(read)
	}
	if err == nil && count == 0 {
		err = s.emptyEnvironment(source)
	}
	slices.Sort(found)
	f.Value = slices.Compact(found)
	settle(&f.Origin, err, source, strconv.Itoa(count)+" variables")
}

// ownEnvironment reads the own initial environment where the kernel put it, once
// it is sure that that is still on the stack.
func (s *Site) ownEnvironment(read func(io.Reader) error) (source string, err error) {
	stat, source, err := s.statMore()
	source += ", env_start"
	if err != nil {
		return source, err
	}
	maps, _, err := s.readMaps(strconv.Itoa(s.lives()) + "/maps")
	if err != nil {
		return source, err
	}
	const most = 8 << 20
	switch stack := maps.Stack; {
	case stack == nil || stat.EnvStart < stack.Start || stat.EnvEnd > stack.End || stat.EnvEnd < stat.EnvStart || stack.Permissions[0] != 'r':
		return source, errors.New(source + ": not on the stack any more")
	case stat.EnvEnd-stat.EnvStart > most:
		return source, fmt.Errorf("%s: %w", source, procfs.ErrTooLong)
	}
	return source, read(bytes.NewReader(kernel.OwnMemory(stat.EnvStart, stat.EnvEnd)))
}

// emptyEnvironment is nil where the kernel says that there is no environment,
// rather than that it cannot be seen.
func (s *Site) emptyEnvironment(source string) error {
	stat, _, err := s.statMore()
	if err == nil && (stat.EnvStart == 0 || stat.EnvStart != stat.EnvEnd) {
		err = errors.New(source + ": read as empty, and the process was not started so")
	}
	return err
}
