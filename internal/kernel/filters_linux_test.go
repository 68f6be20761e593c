package kernel

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each errno of a request has the reason that ptrace(2) and the kernel's source
// give it, those among them that this kernel never answers.
func TestFilterReasons(t *testing.T) {
	for _, c := range []struct {
		request uintptr
		errno   unix.Errno
		want    FilterReason
		words   string
	}{
		{unix.PTRACE_SEIZE, unix.EPERM, FilterAccess, "no ptrace access: ptrace(PTRACE_SEIZE): EPERM"},
		{unix.PTRACE_SEIZE, unix.ESRCH, FilterEnded, "has ended: ptrace(PTRACE_SEIZE): ESRCH"},
		{ptraceGetFilter, unix.EINVAL, FilterFeature, "CONFIG_CHECKPOINT_RESTORE, or the thread is under none any more: ptrace(PTRACE_SECCOMP_GET_FILTER): EINVAL"},
		{ptraceGetFilter, unix.EIO, FilterFeature, "Linux 4.4"},
		{ptraceGetFilter, unix.EACCES, FilterUserNamespace, "initial user namespace"},
		{ptraceGetFilter, unix.EMEDIUMTYPE, FilterNotClassic, "no classic program"},
		{ptraceGetFilter, unix.E2BIG, FilterTooMany, "more filters"},
		{ptraceGetFilter, unix.EFAULT, FilterFailed, "EFAULT"},
		{unix.PTRACE_INTERRUPT, unix.ESRCH, FilterEnded, "has ended"},
	} {
		err := filterError(c.request, c.errno)
		var refused *FilterError
		if !errors.As(err, &refused) || refused.Reason != c.want || !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%#x, %v: %v", c.request, c.errno, err)
		}
	}
	for reason := FilterOwn; reason <= FilterFailed; reason++ {
		if (&FilterError{Reason: reason}).Error() == "" {
			t.Errorf("no words for %d", reason)
		}
	}
}
