package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/internal/render"
)

// linuxAuditLetters are the one-letter options of Linux Audit's program of the
// same name, but for -h, which asks for help here and there: auditctl(8).
const linuxAuditLetters = "abcdefiklmpqrstvwACDFRSW"

// linuxAuditWords are its long options: auditctl(8).
var linuxAuditWords = []string{
	"--backlog_wait_time", "--loginuid-immutable", "--reset-lost", "--reset_backlog_wait_time_actual", "--signal",
}

// isLinuxAudit says whether arg, the first one, is meant for Linux Audit's
// program. No option of ours stands before a command, but for help.
func isLinuxAudit(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	if slices.Contains(linuxAuditWords, name) {
		return true
	}
	return len(arg) >= 2 && arg[0] == '-' && strings.IndexByte(linuxAuditLetters, arg[1]) >= 0
}

func linuxAudit(arg string) error {
	err := fmt.Errorf("%s is an option of linux audit's auditctl, and this is selfaudit's program of the same name", render.Safe(arg))
	advice := []string{"linux audit's is mostly /usr/sbin/auditctl, from the package audit or auditd; see man 8 auditctl"}
	switch arg[1] {
	case 'p':
		advice = append(advice, "to audit a process: auditctl check --pid N")
	case 'v':
		advice = append(advice, "to see the version of this program: auditctl version")
	}
	return hint(err, advice...)
}
