package checks

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
)

// reachFamilies are the checks of what a process can reach, rather than who it
// is. A program whose policy never asks for them links none.
var reachFamilies = []family{openDescriptors, namespaces, cgroupLimits, rlimits, setuidPrograms, modules, abstractSockets, access, egress, listening, rawSockets, controlSockets, addressSpace, dumps, holders, programFile, mounts, propagation}

// reachIDs are the ids of those checks, in the order of the catalogue, with what
// each weighs. A program that links none of them still says which they are.
var reachIDs = [...]struct {
	id       string
	layer    report.Layer
	severity report.Severity
}{
	{deviceID, report.Filesystem, report.High},
	{kernelID, report.Privilege, report.High},
	{openNSID, report.Isolation, report.High},
	{socketID, report.Network, report.High},
	{writableID, report.Filesystem, report.High},
	{nodeID, report.Filesystem, report.High},
	{executableID, report.Filesystem, report.Medium},
	{maskedID, report.Filesystem, report.High},
	{mountID, report.Filesystem, report.Medium},
	{propagationID, report.Filesystem, report.Medium},
	{readableID, report.Filesystem, report.Medium},
	{setuidID, report.Filesystem, report.High},
	{shellID, report.Filesystem, report.Low},
	{writeID, report.Filesystem, report.Medium},
	{idmapID, report.Isolation, report.High},
	{cgroupID, report.Isolation, report.Medium},
	{rlimitID, report.Isolation, report.Low},
	{lsmID, report.Isolation, report.Medium},
	{aslrID, report.Memory, report.Medium},
	{coreID, report.Memory, report.Low},
	{dumpableID, report.Memory, report.Medium},
	{execstackID, report.Memory, report.High},
	{wxID, report.Memory, report.Medium},
	{namespaceID, report.Isolation, report.Medium},
	{abstractID, report.Network, report.Medium},
	{controlID, report.Network, report.Critical},
	{egressID, report.Network, report.Medium},
	{listenID, report.Network, report.Medium},
	{rawID, report.Network, report.High},
	{environID, report.Privilege, report.Medium},
	{exeFileID, report.Filesystem, report.Medium},
	{tracerID, report.Privilege, report.High},
	{ttyID, report.Privilege, report.Medium},
}

// reach runs all of them.
func reach(out *results, a *audited, pol *policy.Policy) {
	for _, family := range reachFamilies {
		family(out, a, pol)
	}
}

// leaveReach stands in for reach where those checks are left out.
func leaveReach(out *results, _ *audited, pol *policy.Policy) {
	asked := pol.AsksReach()
	for i := range reachIDs {
		f := &reachIDs[i]
		var last *report.Finding
		if asked {
			last = out.add(f.id, report.Unknown, "checked", "unknown", leftOut)
		} else {
			last = out.skip(f.id)
		}
		last.Layer, last.Severity = f.layer, f.severity
	}
}
