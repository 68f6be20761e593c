package probes

import (
	"context"
	"runtime"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/names"
)

// ABIs finds out which of the architecture's ABIs the kernel has, by calls in a
// child of the calling thread. filtered says that a filter may act on that
// thread: where one stands before the answer, the fact is unreadable. So is an
// ABI that a program of this architecture cannot enter. It needs what Scan needs.
func ABIs(ctx context.Context, filtered bool) ([]posture.ABI, error) {
	var out []posture.ABI
	for _, abi := range names.ABIs(runtime.GOARCH) {
		present, err := presence(ctx, abi, filtered)
		if err != nil {
			return out, err
		}
		out = append(out, posture.ABI{Name: abi.Name, Present: present})
	}
	return out, nil
}

// asked are calls that a kernel with the ABI answers as no filter does: with an
// id, or with EBADF for the descriptor -1.
var asked = [...]string{"getpid", "close", "fchdir"}

func presence(ctx context.Context, abi names.ABI, filtered bool) (posture.Fact[bool], error) {
	source := abi.Name + ": getpid(2) in a child"
	switch why := entrance(abi); {
	case native(abi):
		return posture.Of(true, "", "this program runs in it"), nil
	case why != "" && runtime.GOARCH == "arm64":
		return compat(ctx, filtered, why)
	case why != "":
		return posture.Failed[bool]("", why), nil
	}
	calls := make([]call, 0, len(asked))
	for _, name := range asked {
		if nr, ok := names.Syscall(abi.Arch, name); ok {
			calls = append(calls, call{nr: nr, arch: abi.Arch, args: specialCall(name).arguments(abi.WordBits)})
		}
	}
	s := &scanner{in: ScanInput{Filtered: filtered}}
	err := s.pass(ctx, abi, pass{filtered: filtered}, selectCalls(calls, func(*call) bool { return true }), sawPlain)
	if err != nil {
		return posture.Failed[bool](source, err.Error()), err
	}
	return entered(abi, calls, filtered, source), nil
}

// entered reads the answers to the calls of another ABI.
func entered(abi names.ABI, calls []call, filtered bool, source string) posture.Fact[bool] {
	lacking := 0
	for k := range calls {
		p := &calls[k].plain
		switch {
		case p.Made && (p.Errno == 0 && p.Ret != 0 || p.Errno == syscall.EBADF):
			return posture.Of(true, source, calls[k].name()+"(2) was answered by the kernel")
		case abi.WordBits == 32 && (p.Trapped || p.Signal == syscall.SIGSYS && p.Repeated || p.returned(syscall.EPERM)):
			// A filter was asked, so the kernel came that far. x32 differs from
			// x86-64 by a bit of the number alone, and filters are asked first.
			return posture.Of(true, source, "a filter was asked about "+calls[k].name()+"(2)")
		case p.Signal == syscall.SIGSEGV && p.Repeated:
			lacking++
		case p.returned(syscall.ENOSYS) && !filtered:
			lacking++
		}
	}
	if len(calls) > 0 && lacking == len(calls) {
		return posture.Of(false, source, toldBy(calls[0].plain))
	}
	return posture.Failed[bool](source, "a filter, or a kernel without the ABI: "+toldBy(calls[0].plain))
}

// toldBy says in words what came back.
func toldBy(s sight) string {
	if s.Made {
		return "it answers " + errnoName(s.Errno)
	}
	return end(s.Outcome)
}

// compat asks an arm64 kernel for the 32-bit personality, which one whose
// processors run no 32-bit programs refuses with EINVAL: personality(2).
func compat(ctx context.Context, filtered bool, why string) (posture.Fact[bool], error) {
	const perLinux32 = 8
	source := "personality(PER_LINUX32) in a child"
	prog, err := child.New()
	if err != nil {
		return posture.Failed[bool](source, err.Error()), err
	}
	defer prog.Close()
	nr, _ := number("personality")
	step := prog.Call(nr, child.Spends, child.Int(perLinux32))
	if err := prog.Run(ctx, child.Options{Filtered: filtered}); err != nil {
		return posture.Failed[bool](source, err.Error()), err
	}
	if o := prog.Outcome(step); o.Made && o.Errno == syscall.EINVAL && !filtered {
		return posture.Of(false, source, "EINVAL"), nil
	}
	return posture.Failed[bool](source, why), nil
}
