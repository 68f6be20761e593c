package collect

import (
	"bytes"
	"slices"

	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

// decodedStack is filters as they were read, and decoded. Threads mostly have
// the same ones.
type decodedStack struct {
	raw   [][]byte
	stack []seccomp.Program
}

// denies says whether filters deny a call. What cannot be decoded might.
func (f *filterReader) denies(programs [][]byte, call *kernel.RemadeCall) bool {
	d := &f.decoded
	if d.stack == nil || !slices.EqualFunc(d.raw, programs, bytes.Equal) {
		stack, err := decode(programs)
		if err != nil {
			return true
		}
		*d = decodedStack{make([][]byte, len(programs)), stack}
		for i, p := range programs {
			d.raw[i] = slices.Clone(p)
		}
	}
	ret, _ := seccomp.Compose(d.stack, &seccomp.Data{NR: call.NR, Arch: call.Arch, IP: call.IP, Args: call.Args})
	return wayOf(ret, 0, 0).Action.Denies()
}
