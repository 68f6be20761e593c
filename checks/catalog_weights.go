package checks

import "github.com/selfaudit/selfaudit/checks/report"

// weights is what findings carry of the entries of catalog, in their order.
var weights = [...]struct {
	id string
	weight
}{
	{"capabilities.ambient", weight{report.Capabilities, report.Critical, fixCapabilitiesAmbient}},
	{"capabilities.bounding", weight{report.Capabilities, report.Medium, fixCapabilitiesBounding}},
	{"capabilities.effective", weight{report.Capabilities, report.Critical, fixCaps}},
	{"capabilities.exec", weight{report.Capabilities, report.High, fixCapabilitiesExec}},
	{"capabilities.inheritable", weight{report.Capabilities, report.High, fixCaps}},
	{"capabilities.permitted", weight{report.Capabilities, report.Critical, fixCaps}},
	{"capabilities.securebits", weight{report.Capabilities, report.High, fixCapabilitiesSecurebits}},
	{"contradiction", weight{report.Privilege, report.High, fixContradiction}},
	{"fds.directory", weight{report.Filesystem, report.High, fixFdsDirectory}},
	{"filesystem.cwd", weight{report.Filesystem, report.Critical, fixFilesystemCwd}},
	{"filesystem.root", weight{report.Filesystem, report.High, fixFilesystemRoot}},
	{"identity.gid", weight{report.Privilege, report.Critical, fixUser}},
	{"identity.groups", weight{report.Privilege, report.High, fixIdentityGroups}},
	{"identity.uid", weight{report.Privilege, report.Critical, fixUser}},
	{"privilege.no_new_privs", weight{report.Privilege, report.High, fixNNP}},
	{"probe.depth", weight{report.Isolation, report.Medium, fixProbeDepth}},
	{"seccomp.abi", weight{report.Seccomp, report.High, fixSeccompAbi}},
	{"seccomp.filter", weight{report.Seccomp, report.High, fixSeccompFilter}},
	{"seccomp.mode", weight{report.Seccomp, report.High, fixSeccompMode}},
	{"seccomp.surplus", weight{report.Seccomp, report.Medium, fixSeccompSurplus}},
	{"seccomp.syscall", weight{report.Seccomp, report.High, fixSeccompSyscall}},
	{"threads.uniform", weight{report.Privilege, report.Critical, fixThreadsUniform}},
}
