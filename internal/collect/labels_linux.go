package collect

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

const (
	appArmor = "apparmor"
	seLinux  = "selinux"
	// maxLabel bounds what is kept of a label, which a privileged process chose.
	maxLabel = 4096

	enforceFile = "/sys/fs/selinux/enforce"
)

// Labels fills what AppArmor and SELinux confine the threads with:
// proc_pid_attr(5). Each module has a directory of its own since Linux 5.8;
// the files above it are those of the one that came first.
func (s *Site) Labels() {
	p := s.Process
	p.MakeReach().Labels = nil
	if s.Task == nil {
		for _, module := range []string{appArmor, seLinux} {
			p.MakeReach().Labels = append(p.MakeReach().Labels, posture.Label{Module: module, Text: posture.Failed[string]("/proc", s.NoTask.Error())})
		}
		return
	}
	for _, tid := range threadsOf(p) {
		s.label(tid)
	}
	for _, module := range []string{appArmor, seLinux} {
		if !slices.ContainsFunc(p.MakeReach().Labels, func(l posture.Label) bool { return l.Module == module }) {
			source := s.Task.Path() + "/" + strconv.Itoa(p.PID) + "/attr/current"
			p.MakeReach().Labels = append(p.MakeReach().Labels, posture.Label{Module: module, Text: posture.None[string](source, "no such security module answers here")})
		}
	}
}

// label adds what one thread has.
func (s *Site) label(tid int) {
	name := strconv.Itoa(tid) + "/attr/" + appArmor + "/current"
	data, err := s.Task.Read(name, s.Buf)
	if errors.Is(err, syscall.ENOENT) {
		name = strconv.Itoa(tid) + "/attr/current"
		data, err = s.Task.Read(name, s.Buf)
	}
	source := s.Task.Path() + "/" + name
	switch {
	case errors.Is(err, syscall.EINVAL):
		return // no module has labels
	case gone(err):
		return // the thread has ended, or the kernel has no such files
	case err != nil:
		for _, module := range []string{appArmor, seLinux} {
			s.addLabel(posture.Label{Module: module, Text: posture.Failed[string](source, err.Error())}, tid)
		}
		return
	}
	text := strings.TrimRight(string(data[:min(len(data), maxLabel)]), "\n\x00")
	if strings.Count(text, ":") >= 2 && !strings.HasSuffix(text, ")") {
		s.addLabel(s.context(text, source), tid)
		return
	}
	profile, mode, found := cutMode(text)
	l := posture.Label{Module: appArmor, Text: posture.Of(profile, source, text), Mode: mode}
	if !found {
		l.ModeWhy = source + " names no mode"
	}
	s.addLabel(l, tid)
}

// cutMode cuts "docker-default (enforce)" in two. What is not confined has no
// mode of its own.
func cutMode(text string) (profile, mode string, found bool) {
	if text == "unconfined" {
		return text, text, true
	}
	at := strings.LastIndex(text, " (")
	if at < 0 || !strings.HasSuffix(text, ")") {
		return text, "", false
	}
	return text[:at], text[at+2 : len(text)-1], true
}

// context is a label of SELinux, which holds nobody where it is permissive.
func (s *Site) context(text, source string) posture.Label {
	l := posture.Label{Module: seLinux, Text: posture.Of(text, source, text)}
	data, err := procfs.ReadUnverified(enforceFile)
	switch word := strings.TrimSpace(string(data)); {
	case err != nil:
		l.ModeWhy = err.Error()
	case word == "1":
		l.Mode = "enforcing"
	case word == "0":
		l.Mode = "permissive"
	default:
		l.ModeWhy = enforceFile + ": neither 0 nor 1"
	}
	return l
}

// addLabel adds a thread to those with the label.
func (s *Site) addLabel(l posture.Label, tid int) {
	all := &s.Process.MakeReach().Labels
	for i := range *all {
		if o := &(*all)[i]; o.Module == l.Module && o.Text.State == l.Text.State && o.Text.Value == l.Text.Value && o.Mode == l.Mode {
			o.TIDs = append(o.TIDs, tid)
			return
		}
	}
	l.TIDs = []int{tid}
	*all = append(*all, l)
}
