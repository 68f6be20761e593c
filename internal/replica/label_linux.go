package replica

import (
	"errors"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// Files of a task that say its LSM label: that of the first module which has
// labels, and that of AppArmor, Linux 5.8.
const (
	labelFile    = "attr/current"
	appArmorFile = "attr/apparmor/current"
)

// label takes on the label of the process where it is another than our own and
// AppArmor's: aa_change_profile(2). What another module allows would not be that
// of the process, so that one is refused: selinux(8). A kernel without such a
// module answers EINVAL to both.
func (m *maker) label() error {
	const most = 256
	theirs, err1 := m.file(m.task, m.class.TID, labelFile)
	ours, err2 := m.file(m.own, kernel.Gettid(), labelFile)
	switch {
	case (err1 == nil) != (err2 == nil):
		return errors.Join(err1, err2)
	case err1 != nil || theirs == ours:
		return nil
	}
	confined, err := m.file(m.task, m.class.TID, appArmorFile)
	if err != nil || confined != theirs {
		return errors.New("its LSM label is " + strconv.Quote(theirs[:min(len(theirs), most)]) + ", and a replica keeps this program's")
	}
	m.po.Label = &child.Label{Proc: m.proc.Dir().FD(), File: "self/" + appArmorFile, Text: "changeprofile " + profileOf(confined)}
	if m.labels == nil {
		m.labels = map[int]string{}
	}
	m.labels[m.class.TID] = confined
	return nil
}

// profileOf takes from a label of AppArmor how it is enforced: "name (enforce)".
func profileOf(label string) string {
	label = strings.TrimSuffix(label, "\n")
	if name, mode, found := cutLast(label, " ("); found && strings.HasSuffix(mode, ")") {
		return name
	}
	return label
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

// otherLabel says that a process or thread has not the label that replicas of
// the class were to take on, or nothing.
func (t *Target) otherLabel(task *procfs.Dir, tid, class int) string {
	want, taken := t.labels[class]
	if !taken {
		return ""
	}
	switch is, err := task.Read(strconv.Itoa(tid)+"/"+appArmorFile, &t.buf); {
	case err != nil:
		return "its LSM label could not be read: " + err.Error()
	case string(is) != want:
		return "LSM label"
	default:
		return ""
	}
}
