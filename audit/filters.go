package audit

import (
	"context"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/probes"
)

// trySelf tries in children of the calling thread what only some policies ask
// for. It is reached by WithPolicy alone, since the default policy does not.
func trySelf(ctx context.Context, c *config, p *posture.Process, filtered bool) {
	scanSelf(ctx, c, p, filtered)
	tryReach(ctx, c, p, filtered)
}

// scanSelf tries what the calling thread's filters let through: the kernel shows
// nobody its own filters.
func scanSelf(ctx context.Context, c *config, p *posture.Process, filtered bool) {
	if !c.policy.Seccomp.AsksFilter() {
		return
	}
	if !c.probes {
		p.Scan.Fail("", notProbedOff)
		return
	}
	askABIs(ctx, p, filtered)
	const source = "children of the calling thread"
	scans, err := probes.Scan(ctx, probes.ScanInput{Filtered: filtered})
	if err != nil && len(scans) == 0 {
		p.Scan.Fail(source, named(err).Error())
		return
	}
	if err != nil {
		p.Limits = append(p.Limits, "not every system call was tried: "+named(err).Error())
	}
	p.Scan.Value = scans
	p.Scan.Know(source, "")
}

// askABIs finds out which ways into the kernel there are.
func askABIs(ctx context.Context, p *posture.Process, filtered bool) {
	abis, err := probes.ABIs(ctx, filtered)
	if err != nil {
		p.Limits = append(p.Limits, "which ABIs this kernel has could not be found out: "+named(err).Error())
		return
	}
	p.ABIs = abis
}
