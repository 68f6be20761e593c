package checks_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/selfaudit/selfaudit/checks"
	"github.com/selfaudit/selfaudit/checks/posture"
)

// The test binary starts itself twice: a first time to take credentials on, and
// by execve(2) from there a second time, which shows what became of them.
const (
	stageKey  = "SELFAUDIT_TEST_STAGE"
	wantedKey = "SELFAUDIT_TEST_CREDENTIALS"
)

func init() {
	// Credentials are set on the thread that then executes.
	if os.Getenv(stageKey) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	switch os.Getenv(stageKey) {
	case "":
		os.Exit(m.Run())
	case "take":
		if err := takeAndExec(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	case "show":
		if err := showCredentials(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
}

// wanted are credentials to take on. Sets are cut down to what is there.
type wanted struct {
	Name       string
	Keep       bool // change nothing but NoNewPrivs
	UID, GID   [4]int
	Groups     []int
	Inh, Prm   uint64
	Eff, Bnd   uint64
	Amb        uint64
	Securebits int
	NoNewPrivs bool
	// File is of the program that is executed, where that is not a plain one.
	File *program
}

func takeAndExec() error {
	var w wanted
	if err := json.Unmarshal([]byte(os.Getenv(wantedKey)), &w); err != nil {
		return err
	}
	if w.File != nil {
		if err := w.File.mount(os.Getenv("SELFAUDIT_TEST_PROGRAM")); err != nil {
			return err
		}
	}
	if !w.Keep {
		if err := take(w); err != nil {
			return err
		}
	}
	if w.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
		}
	}
	if err := showCredentials(); err != nil {
		return err
	}
	err := syscall.Exec(os.Getenv("SELFAUDIT_TEST_PROGRAM"), []string{"show"}, []string{stageKey + "=show"})
	if w.File != nil && (err == syscall.EPERM || err == syscall.EACCES) {
		if err := json.NewEncoder(os.Stdout).Encode(shown{Refused: err == syscall.EPERM, Denied: err == syscall.EACCES}); err != nil {
			return err
		}
		os.Exit(0)
	}
	return err
}

// take sets the calling thread's credentials by raw calls, in the order in
// which each step still has what it needs.
func take(w wanted) error {
	// Without it the sets would change with the ids.
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, 1<<2, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_SECUREBITS): %w", err)
	}
	if err := takeIDs(w); err != nil {
		return err
	}
	all, err := capget()
	if err != nil {
		return err
	}
	if err := capset(all.prm, all.prm, w.Inh&all.prm); err != nil {
		return err
	}
	for n := range 64 {
		if w.Amb&w.Inh&all.prm&(1<<n) != 0 {
			if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n), 0, 0); err != nil {
				return fmt.Errorf("prctl(PR_CAP_AMBIENT_RAISE, %d): %w", n, err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(w.Securebits), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_SECUREBITS): %w", err)
	}
	for n := range 64 {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
		if err != nil {
			break // above the last capability
		}
		if has == 1 && w.Bnd&(1<<n) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil {
				return fmt.Errorf("prctl(PR_CAPBSET_DROP, %d): %w", n, err)
			}
		}
	}
	prm := w.Prm & all.prm
	return capset(w.Eff&prm, prm, w.Inh&all.prm)
}

func takeIDs(w wanted) error {
	groups := make([]uint32, len(w.Groups)+1)
	for i, g := range w.Groups {
		groups[i] = uint32(g)
	}
	for _, step := range []struct {
		call string
		nr   uintptr
		args [3]uintptr
	}{
		{"setgroups", unix.SYS_SETGROUPS, [3]uintptr{uintptr(len(w.Groups)), address(&groups[0])}},
		{"setresgid", unix.SYS_SETRESGID, [3]uintptr{uintptr(w.GID[0]), uintptr(w.GID[1]), uintptr(w.GID[2])}},
		{"setfsgid", unix.SYS_SETFSGID, [3]uintptr{uintptr(w.GID[3])}},
		{"setresuid", unix.SYS_SETRESUID, [3]uintptr{uintptr(w.UID[0]), uintptr(w.UID[1]), uintptr(w.UID[2])}},
		{"setfsuid", unix.SYS_SETFSUID, [3]uintptr{uintptr(w.UID[3])}},
	} {
		if _, _, errno := unix.RawSyscall(step.nr, step.args[0], step.args[1], step.args[2]); errno != 0 {
			return fmt.Errorf("%s%v: %w", step.call, step.args, errno)
		}
	}
	runtime.KeepAlive(groups)
	return nil
}

// shown is what a thread is seen to have.
type shown struct {
	UID, GID                [4]uint32
	Groups                  []uint32
	Inh, Prm, Eff, Bnd, Amb uint64
	Securebits              uint32
	NoNewPrivs              bool
	// Refused and Denied: execve(2) failed, with EPERM or with EACCES.
	Refused, Denied bool
}

// showCredentials prints one line of JSON: what status says of the thread.
func showCredentials() error {
	f, err := os.Open("/proc/thread-self/status")
	if err != nil {
		return err
	}
	defer f.Close()
	var s shown
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		key, value, _ := strings.Cut(scan.Text(), ":")
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "Uid":
			_, err = fmt.Sscan(value, &s.UID[0], &s.UID[1], &s.UID[2], &s.UID[3])
		case "Gid":
			_, err = fmt.Sscan(value, &s.GID[0], &s.GID[1], &s.GID[2], &s.GID[3])
		case "Groups":
			for word := range strings.FieldsSeq(value) {
				var g uint32
				_, err = fmt.Sscan(word, &g)
				s.Groups = append(s.Groups, g)
			}
		case "CapInh":
			_, err = fmt.Sscanf(value, "%x", &s.Inh)
		case "CapPrm":
			_, err = fmt.Sscanf(value, "%x", &s.Prm)
		case "CapEff":
			_, err = fmt.Sscanf(value, "%x", &s.Eff)
		case "CapBnd":
			_, err = fmt.Sscanf(value, "%x", &s.Bnd)
		case "CapAmb":
			_, err = fmt.Sscanf(value, "%x", &s.Amb)
		case "NoNewPrivs":
			s.NoNewPrivs = value == "1"
		}
		if err != nil {
			return fmt.Errorf("%s: %q: %w", key, value, err)
		}
	}
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	s.Securebits = uint32(bits)
	return json.NewEncoder(os.Stdout).Encode(s)
}

func (s shown) credentials() checks.Credentials {
	c := checks.Credentials{UID: four(s.UID), GID: four(s.GID), Securebits: s.Securebits, NoNewPrivs: s.NoNewPrivs, Caps: s.sets()}
	for _, g := range s.Groups {
		c.Groups = append(c.Groups, posture.ID{Value: g, Outside: g})
	}
	return c
}

func (s shown) sets() posture.CapSets {
	return posture.CapSets{
		Inheritable: posture.CapSet(s.Inh), Permitted: posture.CapSet(s.Prm), Effective: posture.CapSet(s.Eff),
		Bounding: posture.CapSet(s.Bnd), Ambient: posture.CapSet(s.Amb),
	}
}

func four(v [4]uint32) posture.IDs {
	return posture.IDs{
		Real: posture.ID{Value: v[0], Outside: v[0]}, Effective: posture.ID{Value: v[1], Outside: v[1]},
		Saved: posture.ID{Value: v[2], Outside: v[2]}, FS: posture.ID{Value: v[3], Outside: v[3]},
	}
}

// execRows are the rules of capabilities(7), a row or more for each.
func execRows() []wanted {
	const full = ^uint64(0)
	const chown, setuid, raw = 1 << 0, 1 << 7, 1 << 13
	user := [4]int{1000, 1000, 1000, 1000}
	var root [4]int
	realRoot := [4]int{0, 1000, 1000, 1000}
	effectiveRoot := [4]int{1000, 0, 1000, 0}
	rows := []wanted{
		{Name: "as it is", Keep: true},
		{Name: "root, everything", UID: root, GID: root, Inh: 0, Prm: full, Eff: full, Bnd: full},
		{Name: "root, empty sets, full bounding set", UID: root, GID: root, Bnd: full},
		{Name: "root, empty sets, empty bounding set", UID: root, GID: root},
		{Name: "root, empty bounding set, inheritable", UID: root, GID: root, Inh: chown},
		{Name: "root, permitted, empty bounding set", UID: root, GID: root, Prm: full, Eff: full},
		{Name: "root, some permitted, another bounding", UID: root, GID: root, Prm: chown | raw, Eff: chown, Bnd: raw | setuid},
		{Name: "root, ambient", UID: root, GID: root, Inh: chown, Prm: chown, Eff: chown, Bnd: raw, Amb: chown},
		{Name: "root, noroot", UID: root, GID: root, Prm: full, Eff: full, Bnd: full, Securebits: 1},
		{Name: "root, noroot, ambient", UID: root, GID: root, Inh: chown, Prm: full, Eff: full, Bnd: full, Amb: chown, Securebits: 1},
		{Name: "real root", UID: realRoot, GID: user, Bnd: full},
		{Name: "real root, ambient", UID: realRoot, GID: user, Inh: chown, Prm: chown, Bnd: full, Amb: chown},
		{Name: "real root, noroot", UID: realRoot, GID: user, Bnd: full, Securebits: 1},
		{Name: "effective root", UID: effectiveRoot, GID: user, Bnd: full},
		{Name: "effective root, ambient", UID: effectiveRoot, GID: user, Inh: chown, Prm: chown, Bnd: full, Amb: chown},
		{Name: "saved root", UID: [4]int{1000, 1000, 0, 1000}, GID: user, Bnd: full},
		{Name: "file system root", UID: [4]int{1000, 1000, 1000, 0}, GID: user, Bnd: full},
		{Name: "user, everything", UID: user, GID: user, Inh: full, Prm: full, Eff: full, Bnd: full},
		{Name: "user, nothing", UID: user, GID: user},
		{Name: "user, full bounding set", UID: user, GID: user, Bnd: full},
		{Name: "user, ambient", UID: user, GID: user, Inh: chown | raw, Prm: chown | raw, Eff: raw, Bnd: full, Amb: chown},
		{Name: "user, ambient, empty bounding set", UID: user, GID: user, Inh: chown, Prm: chown, Amb: chown},
		{Name: "user, ambient, no-cap-ambient-raise", UID: user, GID: user, Inh: chown, Prm: chown, Amb: chown, Securebits: 1 << 6},
		{Name: "user, ambient, other effective id", UID: [4]int{1000, 1001, 1001, 1001}, GID: user, Inh: chown, Prm: chown, Amb: chown},
		{Name: "user, ambient, other effective gid", UID: user, GID: [4]int{1000, 1001, 1001, 1001}, Inh: chown, Prm: chown, Amb: chown},
		{Name: "user, ambient, other file system gid", UID: user, GID: [4]int{1000, 1000, 1000, 1001}, Inh: chown, Prm: chown, Amb: chown},
		{Name: "user, ambient, other file system gid, in the group", UID: user, GID: [4]int{1000, 1000, 1000, 1001}, Groups: []int{5, 1000}, Inh: chown, Prm: chown, Amb: chown},
		{Name: "user, keep-caps", UID: user, GID: user, Prm: full, Bnd: full, Securebits: 1 << 4},
		{Name: "root, ambient, other file system gid", UID: root, GID: [4]int{0, 0, 0, 7}, Inh: chown, Prm: chown | raw, Bnd: raw | setuid, Amb: chown},
	}
	for _, w := range rows {
		w.Name += ", no_new_privs"
		w.NoNewPrivs = true
		rows = append(rows, w)
	}
	if raceEnabled {
		return []wanted{rows[0], rows[2], rows[len(rows)-1]}
	}
	return append(rows, randomRows(100)...)
}

// randomRows draws credentials from few ids and capabilities, so that equal
// ones and overlaps are frequent. The seed is fixed.
func randomRows(n int) []wanted {
	r := rand.New(rand.NewPCG(1, 2))
	id := func() int { return []int{0, 0, 1000, 1000, 1001}[r.IntN(5)] }
	set := func() uint64 { return r.Uint64() & 0xff }
	rows := make([]wanted, n)
	for i := range rows {
		w := wanted{
			Name: fmt.Sprintf("drawn %d", i),
			UID:  [4]int{id(), id(), id(), id()}, GID: [4]int{id(), id(), id(), id()},
			Inh: set(), Prm: set(), Eff: set(), Bnd: set(), Amb: set(),
			Securebits: r.IntN(256) &^ 0xaa, NoNewPrivs: r.IntN(2) == 0,
		}
		for range r.IntN(3) {
			w.Groups = append(w.Groups, id())
		}
		rows[i] = w
	}
	return rows
}

// TestExecveOnThisKernel compares Execve with what the kernel does.
func TestExecveOnThisKernel(t *testing.T) {
	program := publicCopy(t)
	var rules tally
	t.Run("own user namespace", func(t *testing.T) {
		for _, w := range execRows() {
			t.Run(w.Name, func(t *testing.T) {
				if os.Geteuid() != 0 && !w.Keep {
					skip(t, "taking credentials on needs root")
				}
				rules.compare(t, program, w, nil)
			})
		}
	})
	t.Run("another user namespace", func(t *testing.T) {
		if os.Geteuid() != 0 {
			skip(t, "mapping many ids needs root")
		}
		for _, w := range execRows() {
			if strings.HasPrefix(w.Name, "drawn") {
				continue
			}
			t.Run(w.Name, func(t *testing.T) { rules.compare(t, program, w, inUserNamespace()) })
		}
	})
	if rules.newer > 0 && rules.older > 0 {
		t.Errorf("this kernel goes by the newer rule on ids in %d cases and by the older in %d", rules.newer, rules.older)
	}
	t.Logf("%d compared; only by the newer rule on ids: %d, only by the older: %d", rules.all, rules.newer, rules.older)
}

// tally counts the cases that only one of the two rules on ids explains.
type tally struct{ all, newer, older int }

func (n *tally) compare(t *testing.T, program string, w wanted, attr *syscall.SysProcAttr) {
	before, after := execReally(t, program, w, attr)
	c := before.credentials()
	if !w.Keep && (before.UID[0] != uint32(w.UID[0]) || before.NoNewPrivs != w.NoNewPrivs) {
		t.Fatalf("the credentials were not taken on: %+v", before)
	}
	n.all++
	newer, older := checks.Execve(c), checks.ExecveByRealIDs(c)
	switch got := after.sets(); {
	case got == newer && got == older:
	case got == newer:
		n.newer++
	case got == older:
		n.older++
	default:
		t.Errorf("before   %+v\ncomputed %+v\nreally   %+v", before, newer, got)
	}
}

func inUserNamespace() *syscall.SysProcAttr {
	const first, many = 100000, 65536
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: first, Size: many}}
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{},
	}
}

// publicCopy puts the test binary where every user can execute it.
func publicCopy(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "checks")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	name := filepath.Join(dir, "program")
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(to.Chmod(0o755), to.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func execReally(t *testing.T, program string, w wanted, attr *syscall.SysProcAttr) (before, after shown) {
	t.Helper()
	return execReallyFrom(t, program, program, w, attr)
}

// execReallyFrom has program take credentials on and execute file.
func execReallyFrom(t *testing.T, program, file string, w wanted, attr *syscall.SysProcAttr) (before, after shown) {
	t.Helper()
	asked, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{stageKey + "=take", wantedKey + "=" + string(asked), "SELFAUDIT_TEST_PROGRAM=" + file}
	cmd.SysProcAttr = attr
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	d := json.NewDecoder(bytes.NewReader(out))
	if err := errors.Join(d.Decode(&before), d.Decode(&after)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return before, after
}
