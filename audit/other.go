package audit

import (
	"context"
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/auditopt"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/probes"
)

// maxScanned bounds how many different lists of filters are tried live. Threads
// of real programs have one or two.
const maxScanned = 4

// observeOther collects what there is of another process. It is reached by
// WithPID alone, so that a program that never calls it links none of this.
func observeOther(ctx context.Context, c *config, o collect.Options) (*posture.Process, error) {
	wanted := c.policy.Seccomp.AsksFilter() || auditopt.From(ctx).Filters
	o.Filters = wanted
	p, err := collect.PID(ctx, c.pid, o)
	if err != nil || !wanted {
		return p, err
	}
	if !c.probes {
		p.Scan.Fail("", notProbedOff)
		return p, nil
	}
	askABIs(ctx, p, mayBeFiltered())
	scanOther(ctx, p)
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
