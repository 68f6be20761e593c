package cli

import (
	"github.com/prometheus/procfs"
	"github.com/syndtr/gocapability/capability"

	"github.com/selfaudit/selfaudit/internal/names"
)

// library is a second source of what a thread has.
type library struct {
	name string
	read func(pid, tid int) (values, error)
}

var libraries = []library{
	{"gocapability", readGocapability},
	{"procfs", readProcfs},
}

// readGocapability asks by thread id: with 0 the library mixes the calling
// thread's capget(2) with the status of the leader.
func readGocapability(_, tid int) (values, error) {
	caps, err := capability.NewPid2(tid)
	if err != nil {
		return nil, err
	}
	if err := caps.Load(); err != nil {
		return nil, err
	}
	set := func(which capability.CapType) string {
		var bits uint64
		for n := range 64 {
			if caps.Get(which, capability.Cap(n)) {
				bits |= 1 << n
			}
		}
		return names.CapSetString(bits)
	}
	return values{
		inheritable: set(capability.INHERITABLE), permitted: set(capability.PERMITTED), effective: set(capability.EFFECTIVE),
		bounding: set(capability.BOUNDING), ambient: set(capability.AMBIENT),
	}, nil
}

func readProcfs(pid, tid int) (values, error) {
	fs, err := procfs.NewFS("/proc")
	if err != nil {
		return nil, err
	}
	thread, err := fs.Thread(pid, tid)
	if err != nil {
		return nil, err
	}
	s, err := thread.NewStatus()
	if err != nil {
		return nil, err
	}
	return values{
		userIDs: joinIDs(s.UIDs[:]...), groupIDs: joinIDs(s.GIDs[:]...),
		inheritable: names.CapSetString(s.CapInh), permitted: names.CapSetString(s.CapPrm), effective: names.CapSetString(s.CapEff),
		bounding: names.CapSetString(s.CapBnd), ambient: names.CapSetString(s.CapAmb),
	}, nil
}
