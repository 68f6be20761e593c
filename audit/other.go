package audit

import (
	"context"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/replica"
	"github.com/selfaudit/selfaudit/probes"
)

// maxScanned bounds how many different lists of filters are tried live. Threads
// of real programs have one or two.
const maxScanned = 4

// observeOther collects what there is of another process, and makes the attempts
// in its place. It is reached by WithPID alone, so that a program that never
// calls it links none of this.
func observeOther(ctx context.Context, c *config, o collect.Options) (*posture.Process, error) {
	asked := c.policy.Seccomp.AsksFilter() || auditopt.From(ctx).Filters
	tries := c.probes && (len(attemptsOf(c.policy)) > 0 || c.policy.Filesystem.AsksAccess())
	var target *replica.Target
	var errOpen error
	if tries {
		// Held before the facts are read, so that both are of one process.
		if target, errOpen = replica.Open(ctx, c.pid); errOpen == nil {
			defer target.Close()
			if auditopt.From(ctx).JoinCgroup {
				target.JoinCgroups()
			}
		}
	}
	// Whoever stands in for a process needs its filters.
	o.Filters = o.Filters || asked || tries
	o.Descriptors = o.Descriptors || tries && asksHeld(c.policy)
	p, err := collect.PID(ctx, c.pid, o)
	if err != nil {
		return nil, err
	}
	switch {
	case !c.probes:
		p.NotProbed = notProbedOff
		p.Scan.Fail("", notProbedOff)
		return p, nil
	case errOpen != nil:
		p.NotProbed = "nothing could be tried in its place: " + named(errOpen).Error()
	case tries:
		if err := standIn(ctx, c, p, target); err != nil {
			return nil, err
		}
	}
	askABIs(ctx, p, mayBeFiltered())
	if asked {
		scanOther(ctx, p)
	}
	return p, nil
}

// mayBeFiltered says that a filter may act on the calling thread.
func mayBeFiltered() bool {
	mode, known := collect.OwnSeccomp()
	return !known || mode != seccompDisabled
}

// scanOther loads the filters that were read into children of this thread, and
// makes every call there: what the kernel really does with them is held
// against what they were computed to do.
func scanOther(ctx context.Context, p *posture.Process) {
	const source = "children that loaded the same filters"
	var done []string
	for i := range p.Classes {
		f, known := p.Classes[i].Filters.Get()
		switch {
		case !known || len(f.Programs) == 0 || slices.Contains(done, f.Digest):
			continue
		case len(done) == maxScanned:
			p.Limits = append(p.Limits, "only "+strconv.Itoa(maxScanned)+" of the different lists of filters were tried live")
			return
		}
		done = append(done, f.Digest)
		scans, err := probes.Scan(ctx, probes.ScanInput{Filters: f.Programs})
		if err != nil {
			p.Limits = append(p.Limits, "the filters could not be tried live: "+named(err).Error())
			continue
		}
		for k := range scans {
			scans[k].Digest = f.Digest
		}
		collect.Predict(&f, scans)
		p.Scan.Value = append(p.Scan.Value, scans...)
		p.Scan.Know(source, "")
	}
}
