package cli

import "strings"

// fetchHints is what to do where filters could not be read, by what the reason
// says. The first that fits is taken.
var fetchHints = [...]struct{ reason, do string }{
	{"is under a filter itself", "run auditctl outside any seccomp filter: most containers have one, and some services"},
	{"already traced by process", "end that tracer (a debugger, strace) and try again"},
	{"the auditor is in another", "run auditctl in the initial user namespace, on the machine itself and not in a rootless container"},
	{"needs CAP_SYS_ADMIN", "run auditctl as root"},
	{"no ptrace access", "run auditctl as root; where it is root, look at kernel.yama.ptrace_scope, which at 3 forbids this to everybody"},
	{"does not show filters", "audit from inside: auditctl seccomp without --pid, started in the same sandbox, tries every call"},
	{"stand still", "try again when the thread runs"},
	{"could not be attached to", "try again when the thread runs"},
	{"has ended", "name a process that is still there"},
}

func hintFor(why string) string {
	for _, h := range fetchHints {
		if strings.Contains(why, h.reason) {
			return h.do
		}
	}
	return "run auditctl as root in the initial user namespace, outside any seccomp filter"
}
