package checks_test

import (
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

func onlySeccomp(s policy.Seccomp) func(*policy.Policy) {
	return func(pol *policy.Policy) { *pol = policy.Policy{Seccomp: s} }
}

func denying(calls string) func(*policy.Policy) {
	return onlySeccomp(policy.Seccomp{Deny: strings.Fields(calls)})
}

func allowing(calls string) func(*policy.Policy) {
	list := strings.Fields(calls)
	return onlySeccomp(policy.Seccomp{Allow: &list})
}

func onABIs(abis string) func(*policy.Policy) {
	return onlySeccomp(policy.Seccomp{Architectures: strings.Fields(abis)})
}

var justEnforcing = onlySeccomp(policy.Seccomp{Enforcing: true})

// under puts all threads under the filter, as seen from outside.
func under(s filterSpec) func(*posture.Process) {
	return func(p *posture.Process) {
		mute(p)
		p.Self = false
		for i := range p.Classes {
			p.Classes[i].Filters = s.fetched()
		}
	}
}

// and makes several changes.
func and(changes ...func(*posture.Process)) func(*posture.Process) {
	return func(p *posture.Process) {
		for _, change := range changes {
			change(p)
		}
	}
}

// apartWith gives the second thread other filters.
func apartWith(s filterSpec) func(*posture.Process) {
	return func(p *posture.Process) {
		t := apart(p, 11)
		t.Filters = s.fetched()
		t.Filters.Value.Digest = "0dd"
		p.Self = false
		mute(p)
	}
}

// onABI changes what is known of one of the ABIs.
func onABI(i int, f posture.Fact[bool]) func(*posture.Process) {
	return func(p *posture.Process) { p.ABIs[i].Present = f }
}

const (
	x32  = 1
	i386 = 2
)

func conditional(a posture.Action, when string, notes ...string) posture.Way {
	w := way(a, when)
	w.Notes = notes
	return w
}

// multiplexed lets i386 make socketcall alone, on that condition.
func multiplexed(when string) filterSpec {
	return allowList(served).with("i386", "socketcall", conditional(posture.ActionAllow, when))
}

var filterHoles = []hole{
	// seccomp.syscall
	{name: "denied", ask: denying("mount"), change: under(allowList(served)), want: want{}},
	{name: "let through", ask: denying("mount"), change: under(allowList("mount")), want: want{"seccomp.syscall mount": gap}, says: "thread 10 can make mount, which the policy denies: allowed"},
	{name: "killed for", ask: denying("mount"), change: under(denyList("").with("x86-64", "mount", killed...)), want: want{}},
	{name: "trapped", ask: denying("mount"), change: under(denyList("").with("x86-64", "mount", ways(posture.ActionTrap)...)), want: want{}},
	{name: "errno 0", ask: denying("mount"), change: under(denyList("").with("x86-64", "mount", posture.Way{Action: posture.ActionErrno})), want: want{}},
	{name: "let through on a condition", ask: denying("clone"), change: under(denyList("").with("x86-64", "clone",
		conditional(posture.ActionErrno, "arg0 & 0x7e020000 != 0"), conditional(posture.ActionAllow, "arg0 & 0x7e020000 == 0", "the high word of arg0 is not compared"))),
		want: want{"seccomp.syscall clone": gap}, says: "allowed if arg0 & 0x7e020000 == 0 (the high word of arg0 is not compared)"},
	{name: "only logged", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", logged...)),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap}, says: "only logged"},
	{name: "left to a tracer", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", traced...)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown}, says: "left to a tracer"},
	{name: "left to a supervisor", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", notified...)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown}, says: "without one it answers ENOSYS"},
	{name: "not decided", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", open...)),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown}, says: "more than 4096 paths"},
	{name: "an action without a name", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", way(99, ""))),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown}},
	{name: "not decided, and let through", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount", way(posture.ActionUndecided, ""), way(posture.ActionAllow, "arg0 == 1"))),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": unknown}},
	{name: "no outcome", ask: denying("mount"), change: under(denyList("ptrace").with("x86-64", "mount")), want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown}},
	{name: "a group", ask: denying("@reboot"), change: under(denyList("reboot kexec_load")), want: want{"seccomp.syscall kexec_file_load": gap}},
	{name: "a call that the ABI does not have", ask: denying("socketcall"), change: under(allowList(served)), want: want{}},
	{name: "a name of 32 bits", ask: denying("umount setuid32"), change: under(denyList("setuid setuid32").otherwise("i386", killed)),
		want: want{"seccomp.syscall umount": gap}, says: "umount2 is allowed"},
	{name: "a name of 32 bits, denied by that of 64", ask: denying("umount _llseek"), change: under(denyList("umount2 lseek").otherwise("i386", killed)), want: want{}},
	{name: "a name of the oldest kernels", ask: denying("oldstat olduname sigaction"), change: under(denyList("mount").otherwise("i386", killed)), want: want{}},
	{name: "a word that is no call", ask: denying("mont"), change: under(allowList(served)), want: want{`seccomp.syscall "mont"`: unknown}},
	{name: "a word that is no call, without a filter", ask: denying("mont mount"), change: file(noFilter),
		want: want{`seccomp.syscall "mont"`: unknown, "seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi i386": gap}},
	{name: "no filter", ask: denying("mount"), change: file(noFilter),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi i386": gap}, says: "no filter is loaded"},
	{name: "no filter, and no ABI known", ask: denying("mount"), change: and(file(noFilter), func(p *posture.Process) { p.ABIs = nil }),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi": gap}},
	{name: "strict mode", ask: denying("mount"), change: file(func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }), want: want{}},
	{name: "what strict mode leaves", ask: denying("write rt_sigreturn exit exit_group sigreturn"), change: file(func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }),
		want: want{"seccomp.syscall write": gap, "seccomp.syscall exit": gap, "seccomp.syscall rt_sigreturn": gap, "seccomp.abi i386": gap}},
	{name: "one thread lets through", threads: 3, ask: denying("mount"), change: apartWith(allowList("mount")), want: want{"seccomp.syscall mount": gap}, says: "thread 11", tids: []int{11}},
	{name: "one thread's filters not read", threads: 2, ask: denying("mount"), change: one(func(t *posture.Thread) { t.Filters = unreadable[posture.Filters]() }),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}, says: "EACCES", tids: []int{11}},
	{name: "one thread not read, another lets through", threads: 3, ask: denying("mount"), change: and(apartWith(allowList("mount")), func(p *posture.Process) {
		apart(p, 12).Filters = unreadable[posture.Filters]()
	}), want: want{"seccomp.syscall mount": gap, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "one thread without a filter", threads: 2, ask: denying("mount"), change: one(noFilter),
		want: want{"seccomp.syscall mount": gap, "seccomp.filter": gap, "seccomp.abi i386": gap}, says: "thread 11", tids: []int{11}},
	{name: "fewer threads than there are, filters", threads: 2, ask: denying("mount"), change: and(under(allowList(served)), func(p *posture.Process) { p.Threads.Value = 3 }),
		want: want{"seccomp.syscall mount": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}, says: "only 2 of 3"},

	// seccomp.surplus
	{name: "nothing but the list", ask: allowing(served), change: under(allowList(served)), want: want{}},
	{name: "less than the list", ask: allowing(served + " openat @mount"), change: under(allowList(served)), want: want{}},
	{name: "more than the list", ask: allowing(served), change: under(allowList(served + " openat getpid")),
		want: want{"seccomp.surplus openat": gap, "seccomp.surplus getpid": gap}, says: "which is not on the allow-list: allowed"},
	{name: "more than an empty list", ask: allowing(""), change: under(allowList("read")), want: want{"seccomp.surplus read": gap}},
	{name: "on a condition", ask: allowing(served), change: under(allowList(served).with("x86-64", "socket", way(posture.ActionAllow, "arg0 == 1"))),
		want: want{"seccomp.surplus socket": gap}, says: "if arg0 == 1"},
	{name: "more than the list, logged", ask: allowing(served), change: under(allowList(served).with("x86-64", "openat", logged...)),
		want: want{"seccomp.surplus openat": gap, "seccomp.filter": gap}, says: "only logged"},
	{name: "more than the list, left to a tracer", ask: allowing(served), change: under(allowList(served).with("x86-64", "openat", traced...)),
		want: want{"seccomp.surplus openat": unknown, "seccomp.filter": unknown}, says: "left to a tracer"},
	{name: "of one thread more than the list", threads: 2, ask: allowing(served), change: apartWith(allowList("openat")),
		want: want{"seccomp.surplus openat": gap}, says: "thread 11 can make openat", tids: []int{11}},
	{name: "of one thread more than the list, of another nothing known", threads: 3, ask: allowing(served), change: and(apartWith(allowList("openat")), func(p *posture.Process) {
		apart(p, 12).Filters = unreadable[posture.Filters]()
	}), want: want{"seccomp.surplus openat": gap, "seccomp.surplus": unknown, "seccomp.filter": unknown, "seccomp.abi i386": unknown}},
	{name: "no filter, under an allow-list", ask: allowing(served), change: file(noFilter),
		want: want{"seccomp.surplus": gap, "seccomp.filter": gap, "seccomp.abi i386": gap}, says: "no filter"},
	{name: "strict mode under a list", ask: allowing("read write exit rt_sigreturn sigreturn"), change: file(func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }), want: want{}},
	{name: "strict mode under a shorter list", ask: allowing("read exit rt_sigreturn sigreturn"), change: file(func(t *posture.Thread) { noFilter(t); t.SeccompMode.Value = 1 }),
		want: want{"seccomp.surplus write": gap, "seccomp.abi i386": gap}},

	// seccomp.filter
	{name: "it denies something", ask: justEnforcing, change: under(denyList("mount")), want: want{}},
	{name: "it denies under an argument", ask: justEnforcing, change: under(denyList("").with("x86-64", "ioctl", way(posture.ActionErrno, "arg1 == 0x5412"), way(posture.ActionAllow, "arg1 != 0x5412"))), want: want{}},
	{name: "it allows everything", ask: justEnforcing, change: under(denyList("").otherwise("i386", allowed)), want: want{"seccomp.filter": gap}, says: "no effect"},
	{name: "it logs everything", ask: justEnforcing, change: under(denyList("").otherwise("x86-64", logged)), want: want{"seccomp.filter": gap}, says: "no effect: every call is allowed or only logged"},
	{name: "it logs what has no number yet", ask: justEnforcing, change: under(denyList("mount").with("x86-64", "", logged...)), want: want{"seccomp.filter": gap}, says: "only logged"},
	{name: "it logs what nobody denies", ask: justEnforcing, change: under(denyList("mount").with("x86-64", "openat", logged...)), want: want{}},
	{name: "it traces only", ask: justEnforcing, change: under(denyList("").with("x86-64", "mount", traced...)), want: want{"seccomp.filter": unknown}, says: "left to a tracer"},
	{name: "it notifies only", ask: justEnforcing, change: under(denyList("").with("x86-64", "mount", notified...)), want: want{"seccomp.filter": unknown}, says: "left to a supervisor"},
	{name: "it leaves the rest to a tracer", ask: justEnforcing, change: under(allowList(served).with("x86-64", "mount", refused...).otherwise("x86-64", traced)), want: want{}},
	{name: "the rest is not decided", ask: justEnforcing, change: under(denyList("mount").otherwise("x86-64", open)), want: want{"seccomp.filter": unknown}},
	{name: "calls to come are allowed under a list", ask: allowing(served), change: under(allowList(served).with("x86-64", "", allowed...)), want: want{"seccomp.filter": gap}, says: "numbers that no call has yet are allowed"},
	{name: "calls to come are traced under a list", ask: allowing(served), change: under(allowList(served).with("x86-64", "", traced...)), want: want{"seccomp.filter": unknown}},
	{name: "calls to come are allowed, the rest denied", ask: denying("mount"), change: under(allowList(served).with("x86-64", "", allowed...)), want: want{}},
	{name: "it does not look at the architecture", ask: denying("mount"), change: and(under(denyList("mount").otherwise("i386", allowed)), func(p *posture.Process) {
		p.Classes[0].Filters.Value.Programs = [][]byte{blindProgram}
	}), want: want{"seccomp.abi i386": gap}, says: "no filter looks at the architecture"},

	// seccomp.abi
	{name: "i386 lets it through", ask: denying("mount"), change: under(allowList(served).with("i386", "mount", allowed...)), want: want{"seccomp.abi i386": gap}, says: "by the ABI i386 that the policy forbids: mount"},
	{name: "i386 lets something else through", ask: denying("mount"), change: under(allowList(served).with("i386", "getpid", allowed...)), want: want{}},
	{name: "i386 lets the wide form through", ask: denying("setuid"), change: under(allowList(served).with("i386", "setuid32", allowed...)), want: want{"seccomp.abi i386": gap}, says: "setuid32"},
	{name: "i386 lets it through by socketcall", ask: denying("socket"), change: under(multiplexed("")), want: want{"seccomp.abi i386": gap}, says: "socketcall (which does socket)"},
	{name: "i386 lets socketcall through on a condition", ask: denying("socket"), change: under(multiplexed("arg0 != 1")), want: want{"seccomp.abi i386": unknown}, says: "was not examined"},
	{name: "i386 lets ipc through", ask: denying("shmget"), change: under(allowList(served).with("i386", "ipc", allowed...)), want: want{"seccomp.abi i386": gap}, says: "ipc (which does shmget)"},
	{name: "i386 logs it", ask: denying("mount"), change: under(allowList(served).with("i386", "mount", logged...)), want: want{"seccomp.abi i386": gap}, says: "only logged"},
	{name: "i386 leaves it to a tracer", ask: denying("mount"), change: under(allowList(served).with("i386", "mount", traced...)), want: want{"seccomp.abi i386": unknown}, says: "left to a tracer"},
	{name: "i386 has no such call", ask: denying("epoll_ctl_old"), change: and(under(denyList("epoll_ctl_old").otherwise("i386", allowed))), want: want{}},
	{name: "i386 is not in this kernel", ask: denying("mount"), change: and(under(denyList("mount").otherwise("i386", allowed)), onABI(i386, fact(false, "a child", "i386"))), want: want{}},
	{name: "whether i386 is there is not known", ask: denying("mount"), change: and(under(denyList("mount").otherwise("i386", allowed)), onABI(i386, unreadable[bool]())),
		want: want{"seccomp.abi i386": unknown}, says: "EACCES"},
	{name: "whether i386 is there is not known, and it is denied", ask: denying("mount"), change: and(under(allowList(served)), onABI(i386, unreadable[bool]())), want: want{}},
	{name: "whether i386 is there is said to be absent", ask: denying("mount"), change: and(under(denyList("mount").otherwise("i386", allowed)), onABI(i386, absent[bool]())), want: want{"seccomp.abi i386": unknown}},
	{name: "i386 is not named", ask: denying("mount"), change: and(under(denyList("mount").otherwise("i386", allowed)), func(p *posture.Process) { p.ABIs = p.ABIs[:2] }),
		want: want{"seccomp.abi i386": unknown}, says: "was not asked"},
	{name: "i386 without a filter that may not be there", ask: denying("mount"), change: and(file(noFilter), onABI(i386, unreadable[bool]())),
		want: want{"seccomp.abi i386": unknown, "seccomp.filter": gap, "seccomp.syscall mount": gap}},
	{name: "x32 lets it through", ask: denying("mount"), change: and(under(denyList("mount").otherwise("x32", allowed)), onABI(x32, fact(true, "a child", "x32"))), want: want{"seccomp.abi x32": gap}},
	{name: "x32 that is not in this kernel", ask: denying("mount"), change: under(denyList("mount").otherwise("x32", allowed)), want: want{}},
	{name: "i386 under a list", ask: allowing(served), change: under(allowList(served).with("i386", "read", allowed...)), want: want{}},
	{name: "i386 lets more than the list through", ask: allowing(served), change: under(allowList(served).with("i386", "getpid", allowed...)), want: want{"seccomp.abi i386": gap}, says: "getpid"},
	{name: "i386 lets calls to come through, under a list", ask: allowing(served), change: under(allowList(served).with("i386", "", allowed...)), want: want{"seccomp.abi i386": gap}, says: "have no name"},
	{name: "an ABI that is not listed lets a call through", ask: onABIs("x86-64"), change: under(denyList("").with("i386", "getpid", allowed...)), want: want{"seccomp.abi i386": gap}, says: "getpid"},
	{name: "an ABI that is not listed lets a number through", ask: onABIs("x86-64"), change: under(denyList("").with("i386", "", way(posture.ActionAllow, "arg5 == 3"))), want: want{"seccomp.abi i386": gap}, says: "numbers"},
	{name: "an ABI that is not listed lets nothing through", ask: onABIs("x86-64"), change: under(denyList("")), want: want{}},
	{name: "an ABI that is listed", ask: onABIs("SCMP_ARCH_X86_64 i386"), change: under(denyList("").otherwise("i386", allowed)), want: want{}},
	{name: "an ABI that is listed, without a filter", ask: onABIs("x86-64 i386"), change: file(noFilter), want: want{}},
	{name: "the native ABI is not listed", ask: onABIs("i386"), change: under(denyList("")), want: want{"seccomp.abi x86-64": gap}},
	{name: "no ABI that is there is listed", ask: onABIs("arm64"), change: under(denyList("")), want: want{"seccomp.abi x86-64": gap}},
	{name: "an ABI that is not listed, without a filter", ask: onABIs("x86-64"), change: file(noFilter), want: want{"seccomp.abi i386": gap}, says: "no filter is loaded"},

	// what could pass wrongly
	{name: "filters without ABIs", ask: denying("mount"), change: spoilt(func(f *posture.Filters) { f.ABIs = nil }), want: blindly, says: "there are 0 lists"},
	{name: "filters with an ABI twice", ask: denying("mount"), change: spoilt(func(f *posture.Filters) { f.ABIs = append(f.ABIs, f.ABIs...) }), want: blindly, says: "there are 2 lists"},
	{name: "filters without numbers", ask: denying("mount"), change: spoilt(func(f *posture.Filters) {
		for i := range f.ABIs {
			f.ABIs[i].Calls = nil
		}
	}), want: blindly, says: "was not evaluated"},
	{name: "filters without ways", ask: denying("mount"), change: spoilt(func(f *posture.Filters) {
		for i := range f.ABIs {
			for k := range f.ABIs[i].Calls {
				f.ABIs[i].Calls[k].Ways = nil
			}
		}
	}), want: blindly},
	{name: "filters out of order", ask: denying("mount"), change: spoilt(func(f *posture.Filters) {
		for i := range f.ABIs {
			f.ABIs[i].Calls = append(f.ABIs[i].Calls, posture.FilteredCalls{First: 0, Last: ^uint32(0), Ways: allowed})
		}
	}), want: blindly, says: "order"},
	{name: "numbers that nobody evaluated", ask: denying("mount"), change: spoilt(func(f *posture.Filters) {
		for i := range f.ABIs {
			f.ABIs[i].Calls = f.ABIs[i].Calls[:1]
		}
	}), want: want{"seccomp.filter": unknown, "seccomp.syscall mount": unknown}, says: "was not evaluated"},
	{name: "numbers of i386 that nobody evaluated", ask: allowing(served), change: spoilt(func(f *posture.Filters) {
		f.ABIs[2].Calls = []posture.FilteredCalls{{First: 0, Last: 0xfffff, Ways: killed}}
	}), want: want{"seccomp.abi i386": unknown}, says: "number 1048576 was not evaluated"},
	{name: "a number that nobody evaluated", ask: justEnforcing, change: spoilt(func(f *posture.Filters) {
		// 0 to 39 and from 41 on: 40 is sendfile.
		f.ABIs[0].Calls = []posture.FilteredCalls{{First: 0, Last: 39, Ways: killed}, {First: 41, Last: 0xbfffffff, Ways: killed}}
	}), want: want{"seccomp.filter": unknown}, says: "was not evaluated for every number"},
	{name: "filters that another source alone shows", ask: denying("mount"), change: func(p *posture.Process) {
		unread(p)
		p.Kernel[0].Filters = allowList("mount").fetched()
	}, want: want{"seccomp.syscall mount": gap}},
	{name: "filters that another source alone shows, which deny", ask: denying("mount"), change: func(p *posture.Process) {
		mute(p)
		unread(p)
		p.Kernel = []posture.Thread{{TID: 10, Filters: allowList(served).fetched()}}
	}, want: want{}},
	{name: "no ABI known", ask: denying("mount"), change: and(under(allowList(served)), func(p *posture.Process) { p.ABIs = nil }),
		want: want{"seccomp.filter": unknown, "seccomp.syscall mount": unknown, "seccomp.abi": unknown}, says: "was not found out"},
	{name: "an ABI without a table", ask: allowing(served), change: and(under(allowList(served)), func(p *posture.Process) { p.ABIs[0].Name = "riscv64" }),
		want: want{"seccomp.filter": unknown, "seccomp.surplus": unknown, "seccomp.abi": unknown}, says: `"riscv64"`},
}

// blindly are the findings where nothing that was read can be used.
var blindly = want{"seccomp.filter": unknown, "seccomp.syscall mount": unknown, "seccomp.abi i386": unknown}

func spoilt(change func(*posture.Filters)) func(*posture.Process) {
	return and(under(allowList(served)), func(p *posture.Process) { change(&p.Classes[0].Filters.Value) })
}

// TestRemarks: what does the same work is named, and changes no status.
func TestRemarks(t *testing.T) {
	for _, c := range []struct {
		spec filterSpec
		deny string
		says string
		not  string
	}{
		{denyList("openat"), "openat", "openat2", ""},
		{denyList("openat creat open openat2 open_by_handle_at"), "openat", "io_uring_setup is let through, and IORING_OP_OPENAT", "does the same"},
		{denyList("openat open creat openat2 open_by_handle_at io_uring_setup"), "openat", "", "io_uring"},
		{denyList("execve"), "execve", "; execveat does the same and is let through: name it in deny", ""},
		{denyList("execve"), "execve execveat", "", "does the same"},
		{allowList(served), "execve", "", "does the same"},
		{denyList(""), "execve", "execveat does the same", ""},
	} {
		p, pol := hole{ask: denying(c.deny), change: under(c.spec)}.make()
		name, _, _ := strings.Cut(c.deny, " ")
		f := find(t, checks.Run(p, pol), "seccomp.syscall", name)
		if !strings.Contains(f.Message, c.says) || c.not != "" && strings.Contains(f.Message, c.not) {
			t.Errorf("deny %s: %s: %q", c.deny, f.Status, f.Message)
		}
		if want := c.spec["x86-64"].calls[name] != nil || c.spec["x86-64"].byDefault[0].Action.Denies(); want != (f.Status == report.Pass) {
			t.Errorf("deny %s: %s", c.deny, f.Status)
		}
	}
}

// TestEvidenceNamesTheInstruction that decides.
func TestEvidenceNamesTheInstruction(t *testing.T) {
	p, pol := hole{ask: denying("mount"), change: under(allowList("mount").with("i386", "mount", allowed...))}.make()
	for subject, id := range map[string]string{"mount": "seccomp.syscall", "i386": "seccomp.abi"} {
		f := find(t, checks.Run(p, pol), id, subject)
		last := f.Evidence[len(f.Evidence)-1]
		if last.Source != ptraceSource || !strings.Contains(last.Value, "filter 1, instruction 37: allowed") {
			t.Errorf("%s: evidence %+v", id, f.Evidence)
		}
	}
}

// TestConfinedAsksNothingOfFilters: the default profile asks for the mode alone.
func TestConfinedAsksNothingOfFilters(t *testing.T) {
	pol, _ := policy.Builtin("confined")
	for _, f := range checks.Run(confined(1), pol) {
		switch f.ID {
		case "seccomp.filter", "seccomp.abi", "seccomp.syscall", "seccomp.surplus":
			if f.Status != report.Skipped {
				t.Errorf("%s is %s", f.ID, f.Status)
			}
		}
	}
}
