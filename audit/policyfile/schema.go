package policyfile

import (
	"math"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// schema is the whole vocabulary.
func schema() []key {
	return []key{
		header("apiVersion", apiVersion, "The version of this vocabulary. Required."),
		header("kind", kindPolicy, "What the file holds. Required."),
		group("metadata", "What the policy is called.",
			entry("name", text("a name", maxName, "web"), nameField, "The policy's name in reports; without it, the file's name without its extension."),
		),
		processKeys(),
		seccompKeys(),
		filesystemKeys(),
		descriptorKeys(),
		namespaceKeys(),
		resourceKeys(),
		networkKeys(),
		memoryKeys(),
		entry("landlock", boolean(false), demanded(true, func(p *policy.Policy) *bool { return &p.Landlock }), "True asks for a Landlock domain: landlock(7).", "lsm"),
		group("probes", "Attempts that must fail, whatever stops them.",
			entry("reescalation", attempts(names.Reescalation, policy.DefaultReescalation), namesField(func(p *policy.Policy) *[]string { return &p.Probes.Reescalation }),
				"Attempts to take back an id, a group, a capability or a root.", "probe.*"),
			entry("syscalls", attempts(names.Syscalls, policy.DefaultSyscalls), namesField(func(p *policy.Policy) *[]string { return &p.Probes.Syscalls }),
				"Attempts to use what a confined process has no need of.", "probe.*"),
			entry("minimumDepth", number(1, 7, "2"), &field[uint64]{
				set: func(p *policy.Policy, v uint64) { p.Probes.MinimumDepth = int(v) },
				get: func(p *policy.Policy) (uint64, bool) {
					return uint64(p.Probes.MinimumDepth), p.Probes.MinimumDepth > 0
				},
			}, "How many layers must each stop each of those attempts, from 1 to 7.", "probe.depth"),
		),
	}
}

// header is a key with one right value.
func header(name, value, means string) key {
	return key{
		name: name, means: means, words: value, checked: true, demand: value,
		read: func(d *decoder, n node, path string) {
			if n.kind() != stringNode || n.text() != value {
				d.fail(n, "%s: %s is wanted, not %s", path, value, n.shown())
			}
		},
		write: func(*policy.Policy) (string, bool) { return value, true },
	}
}

var nameField = &field[string]{
	set: func(p *policy.Policy, v string) { p.Name = v },
	get: func(p *policy.Policy) (string, bool) { return p.Name, p.Name != "" },
}

func namesField(at func(*policy.Policy) *[]string) *field[[]string] {
	return &field[[]string]{
		set: func(p *policy.Policy, v []string) { *at(p) = v },
		get: func(p *policy.Policy) ([]string, bool) { return *at(p), len(*at(p)) > 0 },
	}
}

func processKeys() key {
	return group("process", "What credentials(7) and the process's own settings allow.",
		group("user", "Ids, as the process's own user namespace sees them.",
			entry("uid", users.id(), pointer(func(p *policy.Policy) **policy.ID { return &p.Process.User.UID }), "What the real, effective, saved and file system user ids must be, all four.", "identity.uid"),
			entry("gid", groups.id(), pointer(func(p *policy.Policy) **policy.ID { return &p.Process.User.GID }), "What the real, effective, saved and file system group ids must be, all four.", "identity.gid"),
			entry("additionalGids", supplementary(), pointer(func(p *policy.Policy) **policy.Groups { return &p.Process.User.AdditionalGIDs }), "The supplementary groups that are allowed, beside the primary one.", "identity.groups"),
		),
		capabilityKeys(),
		entry("securebits", securebitSet(), pointer(func(p *policy.Policy) **policy.Securebits { return &p.Process.Securebits }), "Securebits that must be set; keep-caps must be clear unless it is listed.", "capabilities.securebits"),
		entry("noNewPrivileges", boolean(false), demanded(true, func(p *policy.Policy) *bool { return &p.Process.NoNewPrivileges }), "True asks for no_new_privs: prctl(2).", "privilege.no_new_privs"),
		entry("threads", word("", "uniform"), &field[string]{
			set: func(p *policy.Policy, _ string) { p.Process.UniformThreads = true },
			get: func(p *policy.Policy) (string, bool) { return "uniform", p.Process.UniformThreads },
		}, "Every thread must have the leader's ids, groups, sets, no_new_privs and filters.", "threads.uniform"),
		rlimitKey(),
		entry("apparmorProfile", text("a profile's name", maxName, "docker-default"), asked(func(p *policy.Policy) *string { return &p.Process.AppArmorProfile }), "The AppArmor profile that must confine it.", "lsm"),
		entry("selinuxLabel", text("a label", maxName, "system_u:system_r:container_t:s0"), asked(func(p *policy.Policy) *string { return &p.Process.SELinuxLabel }), "The SELinux label that it must have.", "lsm"),
		entry("tracer", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Process.NoTracer }), "False asks that no process traces it.", "process.tracer"),
		entry("terminal", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Process.NoTerminal }), "False asks for no controlling terminal.", "process.tty"),
		entry("preload", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Process.NoPreload }), "False asks for no LD_PRELOAD and its kind in the environment.", "process.environment"),
		entry("executable", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Process.SafeExecutable }), "False asks for a program file that is neither writable nor replaced.", "process.executable"),
	)
}

func capabilityKeys() key {
	set := func(name, means string, at func(*policy.Capabilities) **policy.CapSet) key {
		return entry(name, capabilitySet(), pointer(func(p *policy.Policy) **policy.CapSet { return at(&p.Process.Capabilities) }), means, "capabilities."+name)
	}
	return group("capabilities", "Upper bounds on the sets of capabilities(7), on every thread.",
		set("effective", "What is in force.", func(c *policy.Capabilities) **policy.CapSet { return &c.Effective }),
		set("permitted", "What can be put in force by capset(2).", func(c *policy.Capabilities) **policy.CapSet { return &c.Permitted }),
		set("inheritable", "What a program with file capabilities can inherit.", func(c *policy.Capabilities) **policy.CapSet { return &c.Inheritable }),
		set("ambient", "What every program that is executed keeps.", func(c *policy.Capabilities) **policy.CapSet { return &c.Ambient }),
		set("bounding", "What an execve(2) can grant at most.", func(c *policy.Capabilities) **policy.CapSet { return &c.Bounding }),
		set("exec", "What an execve(2) would grant, all rules applied.", func(c *policy.Capabilities) **policy.CapSet { return &c.Exec }),
	)
}

func filesystemKeys() key {
	return group("filesystem", "What lies under the root directory.",
		group("root", "The root directory.",
			entry("host", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Filesystem.Root.NotHost }), "False asks for a root other than the machine's; a chroot(2) passes where no working directory was left outside.", "filesystem.root", "filesystem.cwd"),
			entry("chroot", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Filesystem.Root.NotChroot }), "False asks for a root of its own, that of its mount namespace, and a working directory within.", "filesystem.root", "filesystem.cwd"),
			entry("readonly", boolean(false), demanded(true, func(p *policy.Policy) *bool { return &p.Filesystem.Root.ReadOnly }), "True asks for a root on a read-only mount.", "filesystem.root"),
		),
		mountKey(),
		entry("propagation", word("", "private", "slave"), asked(func(p *policy.Policy) *string { return &p.Filesystem.Propagation }), "The loosest propagation allowed on any mount that it sees: mount_namespaces(7).", "filesystem.propagation"),
		entry("readable", paths("[/usr]", true), bound(func(p *policy.Policy) **[]string { return &p.Filesystem.Readable }), "Where it may read and list directories; paths below are included, and so is to list what leads there.", "filesystem.readable"),
		entry("writable", paths("[/tmp]", true), bound(func(p *policy.Policy) **[]string { return &p.Filesystem.Writable }), "Where it may write; paths below are included.", "filesystem.writable"),
		entry("executable", paths("[/usr/bin]", true), bound(func(p *policy.Policy) **[]string { return &p.Filesystem.Executable }), "Where it may execute what it can write.", "filesystem.executable"),
		entry("maskedPaths", paths("[/proc/kcore]", false), namesField(func(p *policy.Policy) *[]string { return &p.Filesystem.MaskedPaths }), "Paths that must show nothing, where they exist.", "filesystem.masked"),
		entry("readonlyPaths", paths("[/proc/sys]", false), namesField(func(p *policy.Policy) *[]string { return &p.Filesystem.ReadonlyPaths }), "Paths that must lie on a read-only mount, where they exist.", "filesystem.masked"),
		entry("devices", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Filesystem.NoDevices }), "False asks for no device nodes that it may open beyond OCI's default ones.", "filesystem.device"),
		entry("setuidFiles", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Filesystem.NoSetuidFiles }), "False asks for no setuid, setgid or file-capability program that gives the process what it does not have.", "filesystem.setuid"),
		entry("shell", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Filesystem.NoShell }), "False asks for no shell and no package manager.", "filesystem.shell"),
	)
}

func descriptorKeys() key {
	return group("descriptors", "Open file descriptors.",
		entry("outsideRoot", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoneOutsideRoot }), "False asks that no directory is open, and none the working directory, that lies outside the root.", "fds.directory", "filesystem.cwd"),
		entry("writable", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoneWritable }), "False asks that nothing is open for writing outside the root or on a read-only mount.", "fds.writable"),
		entry("devices", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoDevices }), "False asks that no device is open but null, zero, full, random, urandom and terminals.", "fds.device"),
		entry("rawSockets", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoRawSockets }), "False asks that no raw or packet socket is open.", "fds.socket"),
		entry("namespaces", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoNamespaces }), "False asks that no namespace is open, and no pidfd but of the process itself and its children.", "fds.namespace"),
		entry("kernelObjects", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Descriptors.NoKernelObjects }), "False asks for no BPF, io_uring, perf, KVM or other kernel object that grants more than the process has, and no file of another process's memory.", "fds.kernel"),
	)
}

func resourceKeys() key {
	limit := number(1, math.MaxInt64, "1000000")
	return group("resources", "Upper bounds set by control groups: cgroups(7).",
		group("memory", "Memory.", entry("limit", limit, limited(func(r *policy.Resources) *uint64 { return &r.Memory }), "In bytes.", "limit.cgroup")),
		group("pids", "Processes and threads.", entry("limit", limit, limited(func(r *policy.Resources) *uint64 { return &r.PIDs }), "How many, threads too.", "limit.cgroup")),
		group("cpu", "Processor time.",
			entry("quota", limit, limited(func(r *policy.Resources) *uint64 { return &r.CPUQuota }), "In microseconds per period.", "limit.cgroup"),
			entry("period", limit, limited(func(r *policy.Resources) *uint64 { return &r.CPUPeriod }), "In microseconds: 100000 unless it is named.", "limit.cgroup"),
		),
	)
}

// limited is a number that 0 stands for the absence of.
func limited(of func(*policy.Resources) *uint64) *field[uint64] {
	return &field[uint64]{
		set: func(p *policy.Policy, v uint64) { *of(&p.Resources) = v },
		get: func(p *policy.Policy) (uint64, bool) { v := *of(&p.Resources); return v, v > 0 },
	}
}

func networkKeys() key {
	ports := listOf("port", func(d *decoder, n node, path string) (uint64, bool) {
		return readNumber(d, n, path, "a port", 1, math.MaxUint16)
	})
	ports.demand = "[443]"
	ports.format = func(list []uint64) string {
		words := make([]string, len(list))
		for i, n := range list {
			words[i] = strconv.FormatUint(n, 10)
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return group("network", "What it can reach and be reached by.",
		entry("egress", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Network.NoEgress }), "False asks for no route out.", "network.egress"),
		entry("listen", ports, portsField, "Ports that it may listen on; an empty list allows none.", "network.listen"),
		entry("raw", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Network.NoRaw }), "False asks that raw and packet sockets cannot be made.", "network.raw"),
		entry("abstract", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Network.NoAbstract }), "False asks that no abstract socket of others is in reach: unix(7).", "network.abstract"),
		entry("controlSockets", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Network.NoControl }), "False asks that no socket of a container runtime, systemd, D-Bus or the like is in reach, and no token of a cluster or a cloud, by path and permission.", "network.control-socket"),
	)
}

var portsField = &field[[]uint64]{
	set: func(p *policy.Policy, v []uint64) {
		ports := make([]uint16, len(v))
		for i, n := range v {
			ports[i] = uint16(n)
		}
		p.Network.Listen = ports
	},
	get: func(p *policy.Policy) (v []uint64, asked bool) {
		if p.Network.Listen == nil {
			return nil, false
		}
		for _, n := range p.Network.Listen {
			v = append(v, uint64(n))
		}
		return v, true
	},
}

func memoryKeys() key {
	return group("memory", "Its address space.",
		entry("aslr", boolean(false), demanded(true, func(p *policy.Policy) *bool { return &p.Memory.ASLR }), "True asks for address space layout randomisation.", "memory.aslr"),
		entry("writeExecute", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Memory.NoWriteExecute }), "False asks for no memory that is writable and executable.", "memory.wx"),
		entry("executableStack", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Memory.NoExecutableStack }), "False asks for a stack that is not executable.", "memory.execstack"),
		entry("dumpable", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Memory.NotDumpable }), "False asks that it is not dumpable: PR_SET_DUMPABLE.", "memory.dumpable"),
		entry("core", boolean(true), demanded(false, func(p *policy.Policy) *bool { return &p.Memory.NoCore }), "False asks that it leaves no core dump.", "memory.core"),
	)
}
