package collect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"golang.org/x/sys/unix"
)

// A filter of n instructions that allows everything, and shows its tag in what
// it compares with.
func tagged(n int, tag uint32) []unix.SockFilter {
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for len(prog) < n-1 {
		prog = append(prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x10000000 + tag})
	}
	return append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

func encoded(prog []unix.SockFilter) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&prog[0])), len(prog)*8))
}

// loadHere loads a filter on the calling thread alone.
func loadHere(prog []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	return nil
}

func init() {
	// Stays under filters of the lengths given on the leader.
	acts["filtered"] = func() error {
		for i, word := range os.Args[1:] {
			n, err := strconv.Atoi(word)
			must(err)
			must(loadHere(tagged(n, uint32(i))))
		}
		return stay(1)
	}
	// The same, and is busy all the time.
	acts["stacked-busy"] = func() error {
		go func() {
			_ = stay(1)
			os.Exit(0)
		}()
		for range must1(strconv.Atoi(os.Args[1])) {
			must(loadHere(tagged(3, 0)))
		}
		for {
			busy.Add(1)
		}
	}
	// Stays under a number of short filters.
	acts["stacked"] = func() error {
		n, err := strconv.Atoi(os.Args[1])
		must(err)
		for i := range n {
			must(loadHere(tagged(3, uint32(i))))
		}
		return stay(1)
	}
}

// filtered starts a process whose leader is under filters of these lengths.
func filtered(t *testing.T, lengths ...int) int {
	t.Helper()
	cmd := command(t, "filtered")
	for _, n := range lengths {
		cmd.Args = append(cmd.Args, strconv.Itoa(n))
	}
	pid, _ := talk(t, cmd, 1)
	return pid
}

// procLine returns what a thread's status has after a name.
func procLine(pid int, name string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, pid))
	for line := range strings.Lines(string(b)) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// untouched wants a process to be neither traced nor stopped.
func untouched(t *testing.T, pid int) {
	t.Helper()
	if tracer := procLine(pid, "TracerPid"); tracer != "0" {
		t.Errorf("process %d is traced by %q", pid, tracer)
	}
	// It may be seen on its way out of the stop.
	state := ""
	for range 100 {
		if state = procLine(pid, "State"); state != "" && state[0] != 't' && state[0] != 'T' {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("process %d: state %q", pid, state)
}

func needFetch(t testing.TB) {
	t.Helper()
	needRoot(t)
	if mode, _ := OwnSeccomp(); mode != 0 {
		skip(t, "needs to be under no filter")
	}
}

// fetch reads a thread's filters without more.
func fetch(ctx context.Context, tid int, room *kernel.FilterRoom) ([][]byte, error) {
	return kernel.New(nil).SeccompFilters(ctx, tid, room, func() error { return nil }, nil)
}

func reasonOf(err error) kernel.FilterReason {
	var f *kernel.FilterError
	if errors.As(err, &f) {
		return f.Reason
	}
	return 0
}

func TestFetchInOrder(t *testing.T) {
	needFetch(t)
	pid := filtered(t, 5, 1000, 4096, 3)
	var room kernel.FilterRoom
	got, err := fetch(t.Context(), pid, &room)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for i, n := range []int{5, 1000, 4096, 3} {
		want = append(want, encoded(tagged(n, uint32(i))))
	}
	if len(got) != len(want) {
		t.Fatalf("%d filters", len(got))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("filter %d: %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
	untouched(t, pid)
	p, err := PID(t.Context(), pid, Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	f, known := classOf(p, pid).Filters.Get()
	if !known || len(f.Programs) != 4 || !bytes.Equal(f.Programs[1], want[1]) || f.Digest != digestOf(want) || len(f.ABIs) == 0 {
		t.Errorf("%d programs, digest %q, %d ABIs: %s", len(f.Programs), f.Digest, len(f.ABIs), classOf(p, pid).Filters.Why())
	}
	if raw := classOf(p, pid).Filters.Raw; raw != "4 filters of 5, 1000, 4096, 3 instructions" {
		t.Error(raw)
	}
	if tracer, known := classOf(p, pid).TracerPID.Get(); !known || tracer != 0 {
		t.Errorf("the audit sees itself as the tracer: %d", tracer)
	}
	untouched(t, pid)
}

func init() {
	// Threads of one status and different filters, one without any, and one in
	// strict mode.
	acts["motley"] = func() error {
		tids := make(chan int)
		start := func(f func()) int {
			go func() {
				runtime.LockOSThread()
				f()
			}()
			return <-tids
		}
		var told []int
		for i := range 4 {
			told = append(told, start(func() {
				must(loadHere(tagged(4+i%2, 7)))
				tids <- unix.Gettid()
				select {}
			}))
		}
		told = append(told, start(func() { tids <- unix.Gettid(); select {} }))
		var ends [2]int
		must(unix.Pipe(ends[:]))
		told = append(told, start(func() {
			full := ^uint64(0)
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, 0, uintptr(unsafe.Pointer(&full)), 0, 8, 0, 0)
			var b byte
			tids <- unix.Gettid()
			time.Sleep(10 * time.Millisecond)
			_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, 1, 0)
			_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(ends[0]), uintptr(unsafe.Pointer(&b)), 1)
		}))
		for range 100 {
			if procLine2(os.Getpid(), told[5], "Seccomp") == "1" {
				return stay(told...)
			}
			time.Sleep(10 * time.Millisecond)
		}
		return errors.New("no strict mode")
	}
}

func procLine2(pid, tid int, name string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	for line := range strings.Lines(string(b)) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func TestThreadsWithDifferentFilters(t *testing.T) {
	needFetch(t)
	pid, tids := talk(t, command(t, "motley"), 6)
	p, err := PID(t.Context(), pid, Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellRead(p); err != nil {
		t.Fatal(err)
	}
	a, b := classOf(p, tids[0]), classOf(p, tids[1])
	if a == b || a != classOf(p, tids[2]) || b != classOf(p, tids[3]) || len(a.TIDs) != 2 || len(b.TIDs) != 2 {
		t.Fatalf("classes %v and %v", a.TIDs, b.TIDs)
	}
	if a.SeccompFilters.Value != 1 || b.SeccompFilters.Value != 1 || a.Filters.Value.Digest == b.Filters.Value.Digest || a.Filters.Value.Digest == "" {
		t.Errorf("filters %+v and %+v", a.Filters.Origin, b.Filters.Origin)
	}
	if !strings.Contains(b.UID.Source, fmt.Sprintf("/%d/status", b.TID)) || b.NSpid.State != posture.Known {
		t.Errorf("class of %d has the evidence of another: %s", b.TID, b.UID.Source)
	}
	for _, tid := range []int{pid, tids[4]} {
		c := classOf(p, tid)
		if f, known := c.Filters.Get(); !known || len(f.Programs) != 0 || f.Digest != "" {
			t.Errorf("thread %d without a filter: %+v", tid, c.Filters)
		}
	}
	strict := classOf(p, tids[5])
	if f, known := strict.Filters.Get(); !known || len(f.Programs) != 0 || strict.SeccompMode.Value != 1 || !strings.Contains(strict.Filters.Raw, "strict") {
		t.Errorf("strict mode: %+v", strict.Filters)
	}
	if p.Classes[0].TID != pid {
		t.Errorf("the leader's class is not first: %v", p.Classes[0].TIDs)
	}
	p, err = PID(t.Context(), pid, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := classOf(p, tids[0]); c != classOf(p, tids[1]) || c.Filters.State != posture.Unreadable || !strings.Contains(c.Filters.Why(), "not asked for") {
		t.Errorf("without Filters: %v, %+v", c.TIDs, c.Filters.Origin)
	}
}

func TestFiltersOfSelf(t *testing.T) {
	p, err := self(Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	if mode, _ := OwnSeccomp(); mode == 0 {
		if f, known := p.Classes[0].Filters.Get(); !known || len(f.Programs) != 0 {
			t.Errorf("without a filter: %+v", p.Classes[0].Filters)
		}
	}
	runAct(t, command(t, "own-filters"))
}

func init() {
	acts["own-filters"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ALLOW))
		p, err := self(Options{Filters: true})
		if err != nil {
			return err
		}
		f := &p.Classes[0].Filters
		if f.State != posture.Unreadable || !strings.Contains(f.Why(), "cannot trace its own threads") {
			return fmt.Errorf("%+v", f.Origin)
		}
		return nil
	}
}

// busy is what the act stacked-busy counts in.
var busy atomic.Int64

func must1[T any](v T, err error) T {
	must(err)
	return v
}

// A process that is stopped does not run between the turns.
func TestDeepStackStopped(t *testing.T) {
	needFetch(t)
	const deep = 1200
	cmd := command(t, "stacked-busy")
	cmd.Args = append(cmd.Args, strconv.Itoa(deep))
	pid, _ := talk(t, cmd, 1)
	for range 500 {
		if procLine(pid, "Seccomp_filters") == strconv.Itoa(deep) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v %v", status, err)
	}
	// The process is the same program, so that its count lies at the same place.
	count := func() uint64 {
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b [8]byte
		if _, err := f.ReadAt(b[:], int64(uintptr(unsafe.Pointer(&busy)))); err != nil {
			t.Fatal(err)
		}
		return binary.NativeEndian.Uint64(b[:])
	}
	before := count()
	var room kernel.FilterRoom
	for range 5 {
		if got, err := fetch(t.Context(), pid, &room); err != nil || len(got) != deep {
			t.Fatalf("%d filters, %v", len(got), err)
		}
	}
	time.Sleep(10 * time.Millisecond)
	if state := procLine(pid, "State"); !strings.HasPrefix(state, "T ") {
		t.Errorf("state %q", state)
	}
	if after := count(); before == 0 || after != before {
		t.Errorf("it ran: it had counted to %d, then to %d", before, after)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	untouched(t, pid)
}

func init() {
	// Ends its leader, and stays on another thread under a filter.
	acts["headless"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ALLOW))
		go func() {
			for !strings.HasPrefix(procLine(os.Getpid(), "State"), "Z") {
				time.Sleep(time.Millisecond)
			}
			_ = stay(1)
			os.Exit(0)
		}()
		_, _, errno := unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
		return errno
	}
}

// A leader that has ended hides no filter of the others.
func TestFiltersWithoutLeader(t *testing.T) {
	needFetch(t)
	pid, _ := talk(t, command(t, "headless"), 1)
	p, err := PID(t.Context(), pid, Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellRead(p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Classes {
		if f, known := p.Classes[i].Filters.Get(); !known || len(f.Programs) != 1 {
			t.Errorf("threads %v: %+v", p.Classes[i].TIDs, p.Classes[i].Filters.Origin)
		}
	}
	var room kernel.FilterRoom
	if _, err := fetch(t.Context(), pid, &room); reasonOf(err) != kernel.FilterAccess {
		t.Errorf("the leader: %v", err)
	}
}

// Without a filter the kernel answers as one that does not show any.
func TestFetchOfUnfiltered(t *testing.T) {
	needFetch(t)
	pid := filtered(t)
	var room kernel.FilterRoom
	if _, err := fetch(t.Context(), pid, &room); reasonOf(err) != kernel.FilterFeature || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v", err)
	}
	untouched(t, pid)
	if _, err := fetch(t.Context(), 1<<30, &room); reasonOf(err) != kernel.FilterEnded {
		t.Errorf("no thread: %v", err)
	}
	// What confirm refuses is not stopped.
	no := errors.New("not this one")
	if _, err := newCalls().SeccompFilters(t.Context(), pid, &room, func() error { return no }, nil); err != no || room.StoodStill != 0 {
		t.Errorf("%v, stood still for %v", err, room.StoodStill)
	}
	untouched(t, pid)
}

// A process that changes all the time is read all the same.
func TestFiltersOfFlapping(t *testing.T) {
	needFetch(t)
	pid, _ := talk(t, command(t, "flap-filtered"), 1)
	for range 20 {
		p, err := PID(t.Context(), pid, Options{Filters: true})
		if err != nil {
			t.Fatal(err)
		}
		if f, known := classOf(p, pid).Filters.Get(); !known || len(f.Programs) != 1 {
			t.Errorf("%+v", classOf(p, pid).Filters.Origin)
		}
	}
	untouched(t, pid)
}

func init() {
	acts["flap-filtered"] = func() error {
		must(filterFor(unix.SECCOMP_RET_ALLOW))
		return acts["flap"]()
	}
}

// A stack that takes longer to read than a thread may stand still is read in
// turns.
func TestDeepStack(t *testing.T) {
	needFetch(t)
	const deep = 1200
	cmd := command(t, "stacked")
	cmd.Args = append(cmd.Args, strconv.Itoa(deep))
	pid, _ := talk(t, cmd, 1)
	var room kernel.FilterRoom
	began := time.Now()
	got, err := fetch(t.Context(), pid, &room)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d filters in %v, at most %v at a time", len(got), time.Since(began), room.StoodStill)
	if len(got) != deep {
		t.Fatalf("%d filters", len(got))
	}
	for i, p := range got {
		if !bytes.Equal(p, encoded(tagged(3, uint32(i)))) {
			t.Fatalf("filter %d: % x", i, p)
		}
	}
	untouched(t, pid)
}

// BenchmarkFetch shows how long a thread under a filter of 1,000 instructions
// stands still.
func BenchmarkFetch(b *testing.B) {
	needFetch(b)
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe, "1000")
	cmd.Env = append(os.Environ(), actVariable+"=filtered")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	var ready int
	if _, err := fmt.Fscan(out, &ready); err != nil {
		b.Fatal(err)
	}
	var room kernel.FilterRoom
	var sum, longest time.Duration
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fetch(context.Background(), cmd.Process.Pid, &room); err != nil {
			b.Fatal(err)
		}
		sum, longest = sum+room.StoodStill, max(longest, room.StoodStill)
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "µs/stand-still")
	b.ReportMetric(float64(longest.Microseconds()), "µs/longest")
}

func TestThousandFilteredThreads(t *testing.T) {
	needFetch(t)
	pid, _ := talk(t, command(t, "thousand-filtered"), 1)
	began := time.Now()
	p, err := PID(t.Context(), pid, Options{Filters: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d threads in %v", p.Threads.Value, time.Since(began))
	if err := wellRead(p); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range p.Classes {
		if f, known := p.Classes[i].Filters.Get(); known && len(f.Programs) == 1 {
			n += len(p.Classes[i].TIDs)
		}
	}
	if n < 1000 {
		t.Errorf("%d threads under a filter", n)
	}
	untouched(t, pid)
	// A context that ends leaves the rest unknown, and the facts read.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began = time.Now()
	p, err = PID(ctx, pid, Options{Filters: true})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err == nil {
		c := &p.Classes[len(p.Classes)-1]
		if c.UID.State != posture.Known || c.Filters.State != posture.Unreadable {
			t.Errorf("after the deadline: %+v", c.Filters.Origin)
		}
	}
	untouched(t, pid)
}

func init() {
	acts["thousand-filtered"] = func() error {
		newThreads(1000)
		must(filterFor(unix.SECCOMP_RET_ALLOW)) // on all of them
		return stay(1)
	}
}

func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
