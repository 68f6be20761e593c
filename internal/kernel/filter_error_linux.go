package kernel

import "golang.org/x/sys/unix"

// FilterReason is why the filters of a thread could not be read.
type FilterReason uint8

const (
	// FilterOwn: the caller is under a filter itself.
	FilterOwn FilterReason = iota + 1
	// FilterAdmin: the caller has no CAP_SYS_ADMIN.
	FilterAdmin
	// FilterUserNamespace: it has, in another user namespace than the initial.
	FilterUserNamespace
	// FilterAccess: PTRACE_SEIZE was refused. The thread is traced already, or
	// ends just now, or the caller has no ptrace access to it.
	FilterAccess
	// FilterFeature: this kernel does not show filters, or the thread has none:
	// it answers EINVAL to both.
	FilterFeature
	// FilterNotClassic: the kernel kept no classic program of a filter.
	FilterNotClassic
	// FilterNotStopped: the thread did not come to stand still.
	FilterNotStopped
	// FilterNotAttached: PTRACE_SEIZE did not return.
	FilterNotAttached
	// FilterEnded: the thread has ended, or was never there.
	FilterEnded
	// FilterTooMany: more instructions than a kernel lets a thread have.
	FilterTooMany
	// FilterFailed: something else; Err says what.
	FilterFailed
)

var filterWords = [...]string{
	FilterOwn:           "the kernel shows filters to no caller that is under a filter itself",
	FilterAdmin:         "reading filters needs CAP_SYS_ADMIN in the initial user namespace",
	FilterUserNamespace: "reading filters needs CAP_SYS_ADMIN in the initial user namespace, and the auditor is in another",
	FilterAccess:        "no ptrace access",
	FilterFeature:       "this kernel does not show filters, which takes Linux 4.4 and CONFIG_CHECKPOINT_RESTORE, or the thread is under none any more",
	FilterNotClassic:    "the kernel has no classic program of a filter",
	FilterNotStopped:    "did not come to stand still in half a second: in an uninterruptible wait, in vfork(2), frozen, or starved of processor time",
	FilterNotAttached:   "could not be attached to in a second: in the middle of an execve(2), or frozen while stopped",
	FilterEnded:         "has ended",
	FilterTooMany:       "more filters than the kernel lets a thread have",
	FilterFailed:        "filters not readable",
}

// FilterError says why the filters of a thread could not be read. Its words do
// not name the thread.
type FilterError struct {
	Reason FilterReason
	// Err is the call that failed, or nil.
	Err error
}

// Error names the reason, and the call and errno where there is one.
func (e *FilterError) Error() string {
	if e.Err == nil {
		return filterWords[e.Reason]
	}
	return filterWords[e.Reason] + ": " + e.Err.Error()
}

// Unwrap returns the error of the call.
func (e *FilterError) Unwrap() error { return e.Err }

// filterReasons is what errnos of the requests mean.
var filterReasons = [...]struct {
	request uintptr
	errno   unix.Errno
	reason  FilterReason
}{
	{unix.PTRACE_SEIZE, unix.EPERM, FilterAccess},
	{unix.PTRACE_SEIZE, unix.EACCES, FilterAccess}, // of a security module
	{unix.PTRACE_SEIZE, unix.ESRCH, FilterEnded},
	{ptraceGetFilter, unix.EACCES, FilterUserNamespace},
	{ptraceGetFilter, unix.EINVAL, FilterFeature},
	{ptraceGetFilter, unix.EIO, FilterFeature},
	{ptraceGetFilter, unix.EMEDIUMTYPE, FilterNotClassic},
	{ptraceGetFilter, unix.E2BIG, FilterTooMany},
	{ptraceGetFilter, unix.ESRCH, FilterEnded},
	{unix.PTRACE_INTERRUPT, unix.ESRCH, FilterEnded},
}

func filterError(request uintptr, errno unix.Errno) error {
	name := "ptrace(PTRACE_SECCOMP_GET_FILTER)"
	switch request {
	case unix.PTRACE_SEIZE:
		name = "ptrace(PTRACE_SEIZE)"
	case unix.PTRACE_INTERRUPT:
		name = "ptrace(PTRACE_INTERRUPT)"
	}
	err := fail(name, "", errno)
	for _, r := range filterReasons {
		if r.request == request && r.errno == errno {
			return &FilterError{r.reason, err}
		}
	}
	return &FilterError{FilterFailed, err}
}
