package names

import "strconv"

// signals are the standard signals of signal(7) as amd64, 386, arm64 and arm
// number them. Real-time signals have no fixed names.
var signals = [...]string{
	1:  "SIGHUP",
	2:  "SIGINT",
	3:  "SIGQUIT",
	4:  "SIGILL",
	5:  "SIGTRAP",
	6:  "SIGABRT",
	7:  "SIGBUS",
	8:  "SIGFPE",
	9:  "SIGKILL",
	10: "SIGUSR1",
	11: "SIGSEGV",
	12: "SIGUSR2",
	13: "SIGPIPE",
	14: "SIGALRM",
	15: "SIGTERM",
	16: "SIGSTKFLT",
	17: "SIGCHLD",
	18: "SIGCONT",
	19: "SIGSTOP",
	20: "SIGTSTP",
	21: "SIGTTIN",
	22: "SIGTTOU",
	23: "SIGURG",
	24: "SIGXCPU",
	25: "SIGXFSZ",
	26: "SIGVTALRM",
	27: "SIGPROF",
	28: "SIGWINCH",
	29: "SIGIO",
	30: "SIGPWR",
	31: "SIGSYS",
}

// SignalName returns "SIGSYS" for 31. A number without a name reads
// "signal 34".
func SignalName(n int) string {
	if n > 0 && n < len(signals) && signals[n] != "" {
		return signals[n]
	}
	return "signal " + strconv.Itoa(n)
}

// SignalNumber returns the number of the standard signal of that name.
func SignalNumber(name string) (int, bool) {
	for n, known := range signals {
		if known != "" && name == known {
			return n, true
		}
	}
	return 0, false
}
