//go:build amd64 || arm64

package replica_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/child"
	"github.com/selfaudit/selfaudit/internal/collect"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"github.com/selfaudit/selfaudit/internal/replica"
	"github.com/selfaudit/selfaudit/probes"
)

// hierarchies finds where cgroup file systems are mounted: "unified" is that of
// version 2, and the others are named after their options.
func hierarchies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		switch w[2] {
		case "cgroup2":
			out["unified"] = w[1]
		case "cgroup":
			for option := range strings.SplitSeq(w[3], ",") {
				out[option] = w[1]
			}
		}
	}
	return out
}

// newCgroup makes a cgroup in a hierarchy, which is removed when the test ends.
// The path is that of its directory.
func newCgroup(t *testing.T, name string) string {
	t.Helper()
	all := hierarchies(t)
	at, found := all[name]
	if !found && strings.Contains(" "+available(all["unified"])+" ", " "+name+" ") {
		// Version 2 has it.
		at, found = all["unified"], true
		put(t, at+"/cgroup.subtree_control", "+"+name)
		t.Cleanup(func() { put(t, at+"/cgroup.subtree_control", "-"+name) })
	}
	if !found {
		launch.Skip(t, "needs a mounted cgroup hierarchy "+name)
	}
	dir := filepath.Join(at, "selfaudit test "+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// It goes where nothing is left in it.
		var err error
		for range 300 {
			if err = os.Remove(dir); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		left, _ := os.ReadFile(dir + "/cgroup.procs")
		t.Errorf("%v; left in it: %q", err, left)
	})
	return dir
}

// available are the controllers of version 2 that can be used.
func available(at string) string {
	text, _ := os.ReadFile(at + "/cgroup.controllers")
	return strings.TrimSpace(string(text))
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// joiner makes replicas of the first class of a process.
type joiner struct {
	*replica.Target
	process *posture.Process
	po      child.Posture
	limits  []string
}

func (j *joiner) class() *posture.Class { return &j.process.Classes[0] }

// join prepares a replica. The calling goroutine stays on its thread.
func join(t *testing.T, pid int, joins bool) (*joiner, error) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	target, err := replica.Open(t.Context(), pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	if joins {
		target.JoinCgroups()
	}
	p, err := collect.PID(t.Context(), pid, collect.Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	j := &joiner{Target: target, process: p}
	j.po, j.limits, err = target.Posture(j.class())
	return j, err
}

// cgroupsOf runs a replica that does nothing and returns its cgroup file, as it is
// read from outside.
func cgroupsOf(t *testing.T, j *joiner) string {
	t.Helper()
	var seen string
	po := j.po
	admit := po.Admit
	po.Admit = func(c child.Candidate) string {
		seen = get(t, "/proc/"+strconv.Itoa(c.PID)+"/cgroup")
		return admit(c)
	}
	prog, err := child.NewReplica(po)
	if err != nil {
		t.Fatal(err)
	}
	prog.Enter(false)
	prog.Call(0xffffff, 0)
	err = prog.Run(t.Context(), child.Options{})
	if says := j.Differs(prog.Replica(), j.class()); err != nil || says != "" {
		t.Errorf("%v, %q", err, says)
	}
	if err := prog.Close(); err != nil {
		t.Error(err)
	}
	return seen
}

// TestJoinCgroup: a replica is in every cgroup of its process where it is to be,
// also by way of a pid namespace and from a cgroup namespace beside, and in this
// program's own else.
func TestJoinCgroup(t *testing.T) {
	launch.NeedRoot(t)
	var dirs []string
	for name := range hierarchies(t) {
		if slices.Contains([]string{"unified", "pids", "devices", "freezer", "memory", "name=systemd"}, name) {
			dirs = append(dirs, newCgroup(t, name))
		}
	}
	if len(dirs) == 0 {
		launch.Skip(t, "needs a mounted cgroup hierarchy")
	}
	own := get(t, "/proc/self/cgroup")
	for name, flags := range map[string]uintptr{
		"plain":      0,
		"namespaces": syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	} {
		t.Run(name, func(t *testing.T) {
			pid := launch.Wait(t, &syscall.SysProcAttr{Cloneflags: flags}, fixture.Clean())
			for _, dir := range dirs {
				put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
			}
			sameCgroups(t, pid, own, dirs)
		})
	}
	t.Run("cgroup namespace", func(t *testing.T) {
		script := ""
		for _, dir := range dirs {
			script += "echo 0 >'" + dir + "/cgroup.procs' && "
		}
		pid := sandbox{command: []string{"sh", "-c", script + "exec unshare -Cpf sleep 300"}}.start(t)
		if here, there := get(t, "/proc/"+strconv.Itoa(pid)+"/cgroup"), own; here == there {
			t.Fatalf("it did not go there: %s", here)
		}
		sameCgroups(t, pid, own, dirs)
	})
}

func sameCgroups(t *testing.T, pid int, own string, dirs []string) {
	t.Helper()
	theirs := get(t, "/proc/"+strconv.Itoa(pid)+"/cgroup")
	for joins, want := range map[bool]string{true: theirs, false: own} {
		j, err := join(t, pid, joins)
		if err != nil {
			t.Fatal(err)
		}
		if got := cgroupsOf(t, j); got != want {
			t.Errorf("joins: %t: the child is in\n%s\nand not in\n%s", joins, got, want)
		}
		if err := j.Still(); err != nil {
			t.Error(err)
		}
		told := slices.ContainsFunc(j.limits, func(l string) bool { return strings.Contains(l, "were not made in the process's cgroup") })
		if told == joins {
			t.Errorf("joins: %t, and the limits: %q", joins, j.limits)
		}
	}
	for _, dir := range dirs {
		for in := range strings.Lines(get(t, dir+"/cgroup.procs")) {
			if in = strings.TrimSpace(in); !slices.Contains(launch.Descendants(pid), number(in)) && !strings.Contains(launch.Status(number(in))["Name"], "unshare") {
				t.Errorf("left in %s: %s (%v)", dir, in, launch.Status(number(in))["Name"])
			}
		}
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// TestJoinMoved: a process that leaves the cgroup that was joined is not the one
// that the attempts stand for.
func TestJoinMoved(t *testing.T) {
	launch.NeedRoot(t)
	dir := newCgroup(t, "unified")
	pid := launch.Wait(t, nil, fixture.Clean())
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	j, err := join(t, pid, true)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(dir)+"/cgroup.procs", strconv.Itoa(pid))
	if err := j.Still(); !errors.Is(err, replica.ErrChanged) || !strings.Contains(err.Error(), "cgroup of unified") {
		t.Errorf("%v", err)
	}
}

// freezer is a way to freeze a cgroup.
type freezer struct {
	hierarchy, file, freeze, thaw, state, frozen string
	// traceable: what is frozen can be traced all the same.
	traceable bool
}

var freezers = []freezer{
	{"unified", "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1", true},
	{"freezer", "freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN", false},
}

// frozen makes a process with a filter, or without, in a frozen cgroup.
func (f freezer) start(t *testing.T, settings fixture.Settings) (pid int, dir string) {
	t.Helper()
	dir = newCgroup(t, f.hierarchy)
	pid = launch.Wait(t, nil, settings)
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	put(t, dir+"/"+f.file, f.freeze)
	t.Cleanup(func() { put(t, dir+"/"+f.file, f.thaw) })
	f.isFrozen(t, dir)
	return pid, dir
}

func (f freezer) isFrozen(t *testing.T, dir string) {
	t.Helper()
	for range 300 {
		if strings.Contains(get(t, dir+"/"+f.state), f.frozen) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s does not freeze: %s", dir, get(t, dir+"/"+f.state))
}

// TestFrozen: no replica joins a frozen cgroup. Without joining, the filters of a
// process in one of version 1 cannot be read and that is soon said; otherwise
// attempts are made. The process stays frozen, and goes on as it was afterwards.
func TestFrozen(t *testing.T) {
	launch.NeedRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bare := fixture.Clean()
	bare.Filter = false
	for _, f := range freezers {
		for name, s := range map[string]fixture.Settings{"filter": fixture.Clean(), "no filter": bare} {
			t.Run(f.hierarchy+", "+name, func(t *testing.T) {
				pid, dir := f.start(t, s)
				before := named(t, self)
				begin := time.Now()
				if _, err := join(t, pid, false); f.traceable || !s.Filter {
					r := try(t, pid, []string{"setuid-root", "userns"}, nil)
					open := map[bool]posture.Outcome{true: no, false: yes}[s.Filter]
					if len(r) != 1 || r[0].err != nil || r[0].find(t, "setuid-root").Outcome != no || r[0].find(t, "userns").Outcome != open {
						t.Errorf("%+v", r)
					}
					if _, err := join(t, pid, true); err == nil || !strings.Contains(err.Error(), "its cgroup is frozen") {
						t.Errorf("joined: %v", err)
					}
				} else if err == nil || !strings.Contains(err.Error(), "its seccomp filters could not be read") {
					t.Errorf("not joined: %v", err)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				if after := named(t, self); len(after) > len(before) {
					t.Errorf("left running: %v, before %v", after, before)
				}
				f.isFrozen(t, dir)
				put(t, dir+"/"+f.file, f.thaw)
				goesOn(t, pid)
			})
		}
	}
}

// goesOn says that a process is neither traced nor stopped.
func goesOn(t *testing.T, pid int) {
	t.Helper()
	var s map[string]string
	for range 300 {
		s = launch.Status(pid)
		if s["TracerPid"] == "0" && (strings.HasPrefix(s["State"], "S") || strings.HasPrefix(s["State"], "R")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("state %q, traced by %q", s["State"], s["TracerPid"])
}

// TestPidsLimit: where a process could make no other, that a replica could
// proves nothing; joined, the replica cannot.
func TestPidsLimit(t *testing.T) {
	launch.NeedRoot(t)
	dir := newCgroup(t, "pids")
	s := fixture.Clean()
	s.Filter = false
	pid := launch.Wait(t, nil, s)
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	outcomes := func(joins bool) (posture.Attempt, posture.Attempt, string, []string) {
		j, err := join(t, pid, joins)
		if err != nil {
			t.Fatal(err)
		}
		made := run(t, j, "userns", "userns-clone")
		return made[0], made[1], j.Doubt(j.class(), &made[1]), j.limits
	}
	if a, b, doubt, limits := outcomes(false); a.Outcome != yes || b.Outcome != yes || doubt != "" || strings.Contains(strings.Join(limits, ""), "a limit on processes") {
		t.Errorf("no limit: %v, %v, %q, %q", a, b, doubt, limits)
	}
	now := number(get(t, dir+"/pids.current"))
	put(t, dir+"/pids.max", strconv.Itoa(now+20))
	if a, b, doubt, limits := outcomes(false); a.Outcome != yes || b.Outcome != yes || doubt != "" || !strings.Contains(strings.Join(limits, ""), fmt.Sprintf("a limit on processes (%s/pids.max %d)", dir, now+20)) {
		t.Errorf("room for more: %v, %v, %q, %q", a, b, doubt, limits)
	}
	put(t, dir+"/pids.max", strconv.Itoa(now))
	if a, b, doubt, _ := outcomes(false); a.Outcome != yes || b.Outcome != yes || !strings.Contains(doubt, "the process's cgroup has a limit on processes") {
		t.Errorf("full: %v, %v, %q", a, b, doubt)
	}
	// Its children are the limit's too, so one more than none fits no grandchild.
	put(t, dir+"/pids.max", strconv.Itoa(now+1))
	if a, b, doubt, limits := outcomes(true); a.Outcome != yes || b.Outcome == yes || doubt != "" || strings.Contains(strings.Join(limits, ""), "cgroup") {
		t.Errorf("full and joined: %v, %v, %q, %q", a, b, doubt, limits)
	}
}

// run makes attempts in a replica.
func run(t *testing.T, j *joiner, names ...string) []posture.Attempt {
	t.Helper()
	var r tried
	r.attempts, r.taken, r.err = probes.RunIn(t.Context(), probes.Input{
		Names: names, Process: j.process, CapsetExcept: j.class().Caps.Effective.Value, Replica: &j.po, Thread: &j.class().Thread,
	})
	if r.err != nil || len(r.attempts) != len(names) {
		t.Fatalf("%v: %v, %+v", names, r.err, r.taken)
	}
	out := make([]posture.Attempt, len(names))
	for k, name := range names {
		out[k] = r.find(t, name)
	}
	return out
}

// TestDeviceRules: they are named, and no attempt of the catalogue meets them.
func TestDeviceRules(t *testing.T) {
	launch.NeedRoot(t)
	dir := newCgroup(t, "devices")
	pid := launch.Wait(t, nil, fixture.Clean())
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	const says = "device rules ("
	for _, restricted := range []bool{false, true} {
		if restricted {
			put(t, dir+"/devices.deny", "c 1:5 rwm")
			put(t, dir+"/devices.deny", "a")
		}
		j, err := join(t, pid, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(j.limits, "\n"), says); got != restricted {
			t.Errorf("restricted: %t, and the limits: %q", restricted, j.limits)
		}
	}
}

// TestPrograms: BPF programs of the process's cgroup are named; what they would
// have stopped is not taken for what the process can do, and joined they stop it.
func TestPrograms(t *testing.T) {
	launch.NeedRoot(t)
	dir := newCgroup(t, "unified")
	const capNetRaw = 1 << 13
	s := fixture.Clean()
	s.Filter, s.Permitted, s.Effective = false, capNetRaw, capNetRaw
	pid := launch.Wait(t, nil, s)
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	raw := func(joins bool) (posture.Attempt, string, string) {
		j, err := join(t, pid, joins)
		if err != nil {
			t.Fatal(err)
		}
		a := run(t, j, "raw-socket")[0]
		return a, j.Doubt(j.class(), &a), strings.Join(j.limits, "\n")
	}
	if a, doubt, limits := raw(false); a.Outcome != yes || doubt != "" || strings.Contains(limits, "BPF") {
		t.Errorf("no program: %v, %q, %q", a, doubt, limits)
	}
	attach(t, dir, unix.BPF_CGROUP_DEVICE, unix.BPF_PROG_TYPE_CGROUP_DEVICE)
	if a, doubt, limits := raw(false); a.Outcome != yes || doubt != "" || !strings.Contains(limits, "device rules (of BPF programs in effect") {
		t.Errorf("device rules: %v, %q, %q", a, doubt, limits)
	}
	attach(t, dir, unix.BPF_CGROUP_INET_SOCK_CREATE, unix.BPF_PROG_TYPE_CGROUP_SOCK)
	if a, doubt, limits := raw(false); a.Outcome != yes || !strings.Contains(doubt, "a program that decides on sockets") || !strings.Contains(limits, "a program that decides on sockets") {
		t.Errorf("no sockets: %v, %q, %q", a, doubt, limits)
	}
	if a, doubt, limits := raw(true); a.Outcome == yes || doubt != "" || strings.Contains(limits, "cgroup") {
		t.Errorf("no sockets, joined: %v, %q, %q", a, doubt, limits)
	}
}

// attach attaches a program to a cgroup that forbids all that it is asked about.
func attach(t *testing.T, dir string, place, kind uint32) {
	t.Helper()
	const setReturn, exit = 0xb7, 0x95 // r0 = 0; exit
	code := []uint64{setReturn, exit}
	license := []byte("GPL\x00")
	load := struct {
		kind, count   uint32
		code, license uint64
		_             [4]uint32
		_             [16]byte
		ifindex, at   uint32
	}{kind: kind, count: uint32(len(code)), code: address(&code[0]), license: address(&license[0]), at: place}
	prog, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&load)), unsafe.Sizeof(load))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	if errno == unix.EINVAL || errno == unix.ENOSYS || errno == unix.EPERM {
		launch.Skip(t, "needs BPF programs of cgroups: bpf(2) BPF_PROG_LOAD: "+errno.Error())
	}
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(int(prog))
	at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(at)
	to := struct{ target, prog, place, flags uint32 }{uint32(at), uint32(prog), place, 0}
	// It goes with its cgroup.
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to)); errno != 0 {
		t.Fatal("bpf(2) BPF_PROG_ATTACH: ", errno)
	}
}

func address[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// TestJoinNowhere: a hierarchy that cannot be reached from here is named, and the
// others are joined.
func TestJoinNowhere(t *testing.T) {
	launch.NeedRoot(t)
	dir := newCgroup(t, "unified")
	pid := launch.Wait(t, nil, fixture.Clean())
	put(t, dir+"/cgroup.procs", strconv.Itoa(pid))
	// An auditor in a mount namespace of its own, in which that is covered.
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asBlind+"="+strconv.Itoa(pid)+" "+filepath.Dir(dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "cgroup of the hierarchy unified: ") {
		t.Errorf("%v: %s", err, out)
	}
}

// asBlind makes the test binary prepare a replica that is to join cgroups which
// are covered, and print its limits: a process and what to cover.
const asBlind = "SELFAUDIT_TEST_BLIND"

func blind(spec string) error {
	word, covered, _ := strings.Cut(spec, " ")
	pid, err := strconv.Atoi(word)
	if err != nil {
		return err
	}
	if err := mounts.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mounts.Mount("tmpfs", covered, "tmpfs", 0, ""); err != nil {
		return err
	}
	runtime.LockOSThread()
	target, err := replica.Open(context.Background(), pid)
	if err != nil {
		return err
	}
	defer target.Close()
	target.JoinCgroups()
	p, err := collect.PID(context.Background(), pid, collect.Options{Filters: true})
	if err != nil {
		return err
	}
	_, limits, err := target.Posture(&p.Classes[0])
	fmt.Println(strings.Join(limits, "\n"))
	return err
}
