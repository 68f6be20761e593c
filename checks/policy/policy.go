// Package policy says what a process is expected to be allowed to do. It is a
// leaf: reading policies from files is audit/policyfile's work.
//
// The zero value of every field asks nothing. What has no check yet has no
// field here, so that no policy can ask for it and be passed silently.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Policy is what is expected. Words are those of the OCI runtime
// specification where it has one.
type Policy struct {
	Name string `json:"name"`
	// Source says where the policy came from: "builtin:confined", a file's
	// path, or empty for one made in Go.
	Source string `json:"-"`
	// SHA256 is that of the file's bytes; empty for others, see Digest.
	SHA256 string `json:"-"`

	Process     Process     `json:"process,omitzero"`
	Seccomp     Seccomp     `json:"seccomp,omitzero"`
	Filesystem  Filesystem  `json:"filesystem,omitzero"`
	Descriptors Descriptors `json:"descriptors,omitzero"`
	Network     Network     `json:"network,omitzero"`
	Namespaces  Namespaces  `json:"namespaces,omitzero"`
	Resources   Resources   `json:"resources,omitzero"`
	Memory      Memory      `json:"memory,omitzero"`
	// Landlock asks for a Landlock domain: landlock(7), Linux 5.13.
	Landlock bool   `json:"landlock,omitempty"`
	Probes   Probes `json:"probes,omitzero"`
}

// Process is about credentials(7).
type Process struct {
	User         User         `json:"user,omitzero"`
	Capabilities Capabilities `json:"capabilities,omitzero"`
	Securebits   *Securebits  `json:"securebits,omitempty"`
	// NoNewPrivileges asks for no_new_privs: prctl(2), Linux 3.5.
	NoNewPrivileges bool `json:"noNewPrivileges,omitempty"`
	// UniformThreads asks that every thread has the leader's credentials.
	UniformThreads bool `json:"threads,omitempty"`
	// Rlimits are upper bounds on resource limits, each resource once.
	Rlimits []Rlimit `json:"rlimits,omitempty"`
	// AppArmorProfile is the profile that must confine it, in enforce mode.
	AppArmorProfile string `json:"apparmorProfile,omitempty"`
	// SELinuxLabel is the context that it must have, where SELinux enforces.
	SELinuxLabel string `json:"selinuxLabel,omitempty"`
	// NoTracer asks that no process traces it: ptrace(2).
	NoTracer bool `json:"noTracer,omitempty"`
	// NoTerminal asks for no controlling terminal: tty(4).
	NoTerminal bool `json:"noTerminal,omitempty"`
	// NoPreload asks for no LD_PRELOAD and its kind in the environment: ld.so(8).
	NoPreload bool `json:"noPreload,omitempty"`
	// SafeExecutable asks for a program file that the process cannot write, and
	// that was neither deleted nor replaced since it was executed.
	SafeExecutable bool `json:"safeExecutable,omitempty"`
}

// Rlimit is an upper bound on a resource limit: getrlimit(2).
type Rlimit struct {
	// Type is RLIMIT_NOFILE and the like.
	Type string `json:"type"`
	// Soft and Hard bound the two values. Nil does not look at it.
	Soft *uint64 `json:"soft,omitempty"`
	Hard *uint64 `json:"hard,omitempty"`
}

// User is about ids. Nil asks nothing.
type User struct {
	UID            *ID     `json:"uid,omitempty"`
	GID            *ID     `json:"gid,omitempty"`
	AdditionalGIDs *Groups `json:"additionalGids,omitempty"`
}

// ID is an expectation on all four user or group ids.
type ID struct {
	// Nonroot allows any id but 0. Exact is not looked at then.
	Nonroot bool   `json:"nonroot,omitempty"`
	Exact   uint32 `json:"exact"`
}

// Groups is an upper bound on supplementary groups.
type Groups struct {
	// Nonroot allows any group but 0. Allowed is not looked at then.
	Nonroot bool     `json:"nonroot,omitempty"`
	Allowed []uint32 `json:"allowed"`
}

// Capabilities are upper bounds, one a set. Nil asks nothing.
type Capabilities struct {
	Effective   *CapSet `json:"effective,omitempty"`
	Permitted   *CapSet `json:"permitted,omitempty"`
	Inheritable *CapSet `json:"inheritable,omitempty"`
	Ambient     *CapSet `json:"ambient,omitempty"`
	Bounding    *CapSet `json:"bounding,omitempty"`
	// Exec bounds what an execve(2) would grant.
	Exec *CapSet `json:"exec,omitempty"`
}

// CapSet is a set of capabilities, one bit each: capabilities(7).
type CapSet uint64

// Securebits are bits that must be set, SECBIT_* of capabilities(7). KEEP_CAPS
// must be clear unless it is among them.
type Securebits struct {
	Set uint32 `json:"set"`
}

// Mode is a seccomp mode. The zero value asks nothing.
type Mode uint8

// Seccomp modes, in the order of their strength.
const (
	ModeAny Mode = iota
	ModeFilter
	ModeStrict
)

// Seccomp is about seccomp(2).
//
// Calls are named as syscalls(2) names them, or by a group that
// names.SyscallGroups has, as "@mount".
type Seccomp struct {
	Mode Mode `json:"mode,omitempty"`
	// Enforcing asks for a filter that denies something, rather than logs.
	Enforcing bool `json:"enforcing,omitempty"`
	// Deny are calls that the filter must deny, in every ABI.
	Deny []string `json:"deny,omitempty"`
	// Allow, where it is not nil, are the only calls that the filter may let
	// through, in every ABI.
	Allow *[]string `json:"allow,omitempty"`
	// Architectures, where it is not empty, are the only ABIs by which any
	// call may be let through: names of names.ABIs.
	Architectures []string `json:"architectures,omitempty"`
}

// AsksFilter says whether the policy asks what the filter does, which takes
// reading it.
func (s *Seccomp) AsksFilter() bool {
	return s.Enforcing || len(s.Deny) > 0 || s.Allow != nil || len(s.Architectures) > 0
}

// Filesystem is about what lies under the root directory.
type Filesystem struct {
	Root Root `json:"root,omitzero"`
	// Mounts are mounts that must be there, each destination once.
	Mounts []Mount `json:"mounts,omitempty"`
	// Propagation is the loosest that any mount may have: "private" or "slave".
	// Empty asks nothing.
	Propagation string `json:"propagation,omitempty"`
	// NoSetuidFiles asks that no set-user-ID or set-group-ID program, and none
	// with file capabilities, gives the process what it does not have.
	NoSetuidFiles bool `json:"noSetuidFiles,omitempty"`
	// Readable, Writable and Executable are upper bounds, by path prefix, on
	// where it can read, write, and execute what it wrote. Nil asks nothing, an
	// empty list allows nothing.
	Readable   *[]string `json:"readable,omitempty"`
	Writable   *[]string `json:"writable,omitempty"`
	Executable *[]string `json:"executable,omitempty"`
	// MaskedPaths are paths that must show nothing, where they exist.
	MaskedPaths []string `json:"maskedPaths,omitempty"`
	// ReadonlyPaths are paths that must lie on a read-only mount, where they exist.
	ReadonlyPaths []string `json:"readonlyPaths,omitempty"`
	// NoDevices asks for no device node that it may open but OCI's default ones.
	NoDevices bool `json:"noDevices,omitempty"`
	// NoShell asks for no shell and no package manager that it may execute.
	NoShell bool `json:"noShell,omitempty"`
}

// AsksAccess says whether the policy asks what of the file system can be read,
// written, executed or opened.
func (f *Filesystem) AsksAccess() bool {
	return f.Readable != nil || f.Writable != nil || f.Executable != nil || len(f.MaskedPaths) > 0 || len(f.ReadonlyPaths) > 0 || f.NoDevices || f.NoShell
}

// Mount is an expectation on what is mounted at one place.
type Mount struct {
	// Destination is the mount point, as the process sees it.
	Destination string `json:"destination"`
	// Options are those of mount(8) that it must have: "ro", "nosuid".
	Options []string `json:"options"`
}

// Root is about the root directory.
type Root struct {
	// NotHost asks for a root other than the machine's; a chroot passes.
	NotHost bool `json:"notHost,omitempty"`
	// NotChroot asks for a root of its own, of its mount namespace.
	NotChroot bool `json:"notChroot,omitempty"`
	// ReadOnly asks for a root on a read-only mount.
	ReadOnly bool `json:"readonly,omitempty"`
}

// Descriptors is about open file descriptors.
type Descriptors struct {
	// NoneOutsideRoot asks that no descriptor leads out of the root.
	NoneOutsideRoot bool `json:"noneOutsideRoot,omitempty"`
	// NoneWritable asks that nothing is open for writing that lies outside the
	// root or on a read-only mount.
	NoneWritable bool `json:"noneWritable,omitempty"`
	// NoDevices asks for no device but null, zero, full, random, urandom and
	// terminals.
	NoDevices bool `json:"noDevices,omitempty"`
	// NoRawSockets asks for no raw or packet socket: raw(7), packet(7).
	NoRawSockets bool `json:"noRawSockets,omitempty"`
	// NoNamespaces asks for no namespace, and no pidfd of a process that is
	// neither this one nor its child.
	NoNamespaces bool `json:"noNamespaces,omitempty"`
	// NoKernelObjects asks for no other kernel object that grants what the
	// process itself may not do: BPF, io_uring, perf, KVM and their kind, and the
	// memory of other processes.
	NoKernelObjects bool `json:"noKernelObjects,omitempty"`
}

// Namespaces is about namespaces(7).
type Namespaces struct {
	// Private are types of namespaces, as /proc/PID/ns names them, that must be
	// others than the machine's first ones.
	Private []string `json:"private,omitempty"`
	IDMap   IDMap    `json:"idmap,omitzero"`
}

// IDMap is an upper bound on both id maps: user_namespaces(7).
type IDMap struct {
	// Size is how many ids may be mapped. 0 asks nothing.
	Size uint32 `json:"size,omitempty"`
	// NotHostRoot asks that the machine's id 0 is not mapped.
	NotHostRoot bool `json:"notHostRoot,omitempty"`
}

// Resources are upper bounds on what cgroups limit: cgroups(7). 0 asks nothing.
type Resources struct {
	// Memory is in bytes.
	Memory uint64 `json:"memory,omitempty"`
	// PIDs is how many processes and threads.
	PIDs uint64 `json:"pids,omitempty"`
	// CPUQuota is the processor time in each CPUPeriod, both in microseconds. A
	// period of 0 is the kernel's usual one, of 100000.
	CPUQuota  uint64 `json:"cpuQuota,omitempty"`
	CPUPeriod uint64 `json:"cpuPeriod,omitempty"`
}

// Network is about what the process can reach by sockets.
type Network struct {
	// NoAbstract asks that no abstract socket of others can be reached: unix(7).
	NoAbstract bool `json:"noAbstract,omitempty"`
	// NoEgress asks for no route out.
	NoEgress bool `json:"noEgress,omitempty"`
	// Listen, where it is not nil, are the only ports that it may listen on.
	Listen []uint16 `json:"listen,omitzero"`
	// NoRaw asks that raw and packet sockets cannot be made: raw(7), packet(7).
	NoRaw bool `json:"noRaw,omitempty"`
	// NoControl asks that no socket of a container runtime or the like is in
	// reach, and no secret of such.
	NoControl bool `json:"noControl,omitempty"`
}

// Memory is about the address space.
type Memory struct {
	// ASLR asks that it is laid out at random: proc_sys_kernel(5).
	ASLR bool `json:"aslr,omitempty"`
	// NoWriteExecute asks that nothing in it is both writable and executable.
	NoWriteExecute bool `json:"noWriteExecute,omitempty"`
	// NoExecutableStack asks that no thread's stack is executable.
	NoExecutableStack bool `json:"noExecutableStack,omitempty"`
	// NotDumpable asks that it is not dumpable by its user: PR_SET_DUMPABLE.
	NotDumpable bool `json:"notDumpable,omitempty"`
	// NoCore asks that it leaves no core dump: core(5).
	NoCore bool `json:"noCore,omitempty"`
}

// Probes names the attempts that must fail, by their names without "probe.".
type Probes struct {
	Reescalation []string `json:"reescalation,omitempty"`
	Syscalls     []string `json:"syscalls,omitempty"`
	// MinimumDepth is how many layers must each stop each of those attempts.
	// 0 asks nothing.
	MinimumDepth int `json:"minimumDepth,omitempty"`
}

// Names returns all attempts that the policy asks for.
func (p Probes) Names() []string {
	return append(append([]string(nil), p.Reescalation...), p.Syscalls...)
}

// AsksReach says whether the policy asks what the process can reach, beside who
// it is: anything that neither confined nor privdrop have a key for.
func (p *Policy) AsksReach() bool {
	rest := *p
	rest.Name, rest.Source, rest.SHA256 = "", "", ""
	rest.Seccomp, rest.Probes = Seccomp{}, Probes{}
	rest.Filesystem.Root = Root{}
	rest.Descriptors.NoneOutsideRoot = false
	rest.Process.User, rest.Process.Capabilities, rest.Process.Securebits = User{}, Capabilities{}, nil
	rest.Process.NoNewPrivileges, rest.Process.UniformThreads = false, false
	return !reflect.DeepEqual(rest, Policy{})
}

// ErrEmpty means that a policy asks for nothing, which no process could fail.
var ErrEmpty = errors.New("policy asks for nothing: name at least one expectation")

// Validate returns an error for a policy that nothing could fail.
func (p *Policy) Validate() error {
	if p == nil {
		return errors.New("policy: nil")
	}
	asks := *p
	asks.Name, asks.Source, asks.SHA256 = "", "", ""
	bare, err := json.Marshal(asks)
	if err != nil {
		return fmt.Errorf("policy %q: %w", p.Name, err)
	}
	empty, err := json.Marshal(Policy{})
	if err != nil {
		return fmt.Errorf("policy %q: %w", p.Name, err)
	}
	if string(bare) == string(empty) {
		return fmt.Errorf("policy %q: %w", p.Name, ErrEmpty)
	}
	return nil
}

// Digest is SHA256 where it is set, else that of the policy's JSON form.
func (p *Policy) Digest() string {
	if p.SHA256 != "" {
		return p.SHA256
	}
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
