package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/internal/render"
)

// maxPID is PID_MAX_LIMIT, the most that kernel.pid_max can be: proc_sys_kernel(5).
const maxPID = 1 << 22

// procDir is where /proc is taken to be. Nothing shows that it is the kernel's
// file system: whatever is read there only words an error.
const procDir = "/proc"

// parsePID returns the process id that s names. It refuses what no process can
// have, and a thread that is not the leader of its process: a thread is not a
// process, and auditing its process instead is for the caller to say. flag is
// where s was written, and command what hints begin with.
func parsePID(flag, s, command string) (int, error) {
	digits := strings.Trim(s, "0123456789") == ""
	pid, err := strconv.Atoi(s)
	switch {
	case s == "" || !digits && err != nil:
		return 0, hint(fmt.Errorf("%s %s: not a number", flag, render.Safe(s)), "pgrep or pidof find a process by name")
	case err == nil && pid < 1:
		return 0, hint(fmt.Errorf("%s %s: a process id is above zero", flag, render.Safe(s)), "leave --pid out to audit the process that auditctl itself is")
	}
	if most := pidMax(procDir); err != nil || pid > most {
		return 0, fmt.Errorf("%s %s: no such process: kernel.pid_max is %d", flag, render.Safe(s), most)
	}
	if leader, ok := leaderOf(procDir, pid); ok && leader != pid {
		return 0, hint(fmt.Errorf("%s %d: a thread of process %d, not a process", flag, pid, leader),
			fmt.Sprintf("audit the process with all its threads: %s --pid %d", command, leader))
	}
	return pid, nil
}

// pidMax is kernel.pid_max, or the most that it can be where it is not readable.
func pidMax(proc string) int {
	b, err := readUnverified(filepath.Join(proc, "sys/kernel/pid_max"))
	if err != nil {
		return maxPID
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 || n > maxPID {
		return maxPID
	}
	return n
}

// leaderOf returns the id of the process that thread tid belongs to. It is a
// convenience for the error message alone: the audit verifies for itself.
func leaderOf(proc string, tid int) (int, bool) {
	b, err := readUnverified(filepath.Join(proc, strconv.Itoa(tid), "status"))
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "Tgid:"); ok {
			leader, err := strconv.Atoi(strings.TrimSpace(value))
			return leader, err == nil && leader > 0
		}
	}
	return 0, false
}
