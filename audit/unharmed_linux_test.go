package audit_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// load is clients that ask a server without a pause. Nothing is asked twice: an
// answer that does not come is a request that is lost.
type load struct {
	address string
	stop    chan struct{}
	clients sync.WaitGroup
	answers atomic.Int64

	mu   sync.Mutex
	lost []error
	// longest is how long an answer has taken at most, since it was last read.
	longest time.Duration
}

// Clients that keep their connection, and clients that make one for each request.
const (
	keeping = 6
	dialing = 2
)

func startLoad(address string) *load {
	l := &load{address: address, stop: make(chan struct{})}
	for i := range keeping + dialing {
		l.clients.Go(func() { l.ask(i < keeping) })
	}
	return l
}

// end stops the clients, each after its last answer, and returns what was lost.
func (l *load) end() []error {
	close(l.stop)
	l.clients.Wait()
	return l.lost
}

// maximum returns the longest wait for an answer since it was last called.
func (l *load) maximum() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.longest
	l.longest = 0
	return d
}

func (l *load) ask(keep bool) {
	var c net.Conn
	defer func() {
		if c != nil {
			_ = c.Close() // its requests were answered
		}
	}()
	var in *bufio.Reader
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		begin := time.Now()
		err := error(nil)
		if c == nil {
			if c, err = net.DialTimeout("tcp4", l.address, 10*time.Second); err == nil {
				in = bufio.NewReader(c)
				// A connection that waits for late packets holds its port.
				err = c.(*net.TCPConn).SetLinger(0)
			}
		}
		if err == nil {
			err = request(c, in, "/"+strconv.Itoa(n))
		}
		l.count(time.Since(begin), err)
		if err != nil {
			return
		}
		if !keep {
			_ = c.Close() // answered, as above
			c = nil
		}
	}
}

// request asks for a path, and requires that very path as the answer.
func request(c net.Conn, in *bufio.Reader, path string) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return err
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body := make([]byte, len(path)+1)
	n, _ := r.Body.Read(body) // what was read is what counts
	if r.StatusCode != http.StatusOK || string(body[:n]) != path {
		return fmt.Errorf("%s: %s, %q", path, r.Status, body[:n])
	}
	_, _ = r.Body.Read(body) // its end
	return nil
}

func (l *load) count(took time.Duration, err error) {
	l.answers.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, took)
	if err != nil {
		l.lost = append(l.lost, err)
	}
}

// facts are what an audit could have changed in a process: of each thread what
// its status says of privileges, signals and tracers, and of the process its
// descriptors, mapped files, limits and control group.
func facts(t *testing.T, pid int) map[string]string {
	t.Helper()
	at := "/proc/" + strconv.Itoa(pid)
	out := map[string]string{}
	tasks, err := os.ReadDir(at + "/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		out["thread "+task.Name()] = lasting(read(t, at+"/task/"+task.Name()+"/status"))
	}
	for _, name := range []string{"limits", "cgroup", "mountinfo", "uid_map", "loginuid", "oom_score_adj", "environ", "coredump_filter"} {
		out[name] = read(t, at+"/"+name)
	}
	for _, name := range []string{"root", "cwd", "exe"} {
		out[name], _ = os.Readlink(at + "/" + name)
	}
	fds, err := filepath.Glob(at + "/fd/*")
	if err != nil || len(fds) == 0 {
		t.Fatalf("%d descriptors, %v", len(fds), err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			out["descriptor "+filepath.Base(fd)] = to
		}
	}
	for line := range strings.Lines(read(t, at+"/maps")) {
		// Go's heap and stacks come and go.
		if f := strings.Fields(line); len(f) > 5 || f[1][3] == 's' {
			out["map "+f[0]] = strings.Join(f[1:], " ")
		}
	}
	return out
}

// lasting leaves out of a status file what changes by itself.
func lasting(status string) string {
	var b strings.Builder
	for line := range strings.Lines(status) {
		changes := slices.ContainsFunc([]string{"State", "Vm", "Rss", "HugetlbPages", "SigQ", "voluntary_", "nonvoluntary_", "Cpus_allowed", "Mems_allowed", "Threads", "FDSize"}, func(key string) bool { return strings.HasPrefix(line, key) })
		if !changes {
			b.WriteString(line)
		}
	}
	return b.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameFacts fails where a process is not as it was. Threads that its runtime
// started under load are new, and are like one that was there.
func sameFacts(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, was := range before {
		if is, there := after[name]; !there || is != was {
			t.Errorf("%s:\nbefore %s\nafter  %s", name, was, is)
		}
	}
	kinds := map[string]bool{}
	own := func(status string) string {
		var b strings.Builder
		for line := range strings.Lines(status) {
			if !strings.HasPrefix(line, "Pid:") && !strings.HasPrefix(line, "NSpid:") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	for name, was := range before {
		if strings.HasPrefix(name, "thread ") {
			kinds[own(was)] = true
		}
	}
	for name, is := range after {
		if _, there := before[name]; there {
			continue
		}
		if !strings.HasPrefix(name, "thread ") {
			t.Errorf("not there before: %s: %s", name, is)
		} else if !kinds[own(is)] {
			t.Errorf("%s is like none before:\n%s", name, is)
		}
	}
}

// auditor is what this process has that an audit could leave in it.
func auditor(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{"processes": len(launch.Descendants(os.Getpid())), "mounts": strings.Count(read(t, "/proc/self/mountinfo"), "\n")}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	out["descriptors"] = len(fds)
	for line := range strings.Lines(read(t, "/proc/self/maps")) {
		if f := strings.Fields(line); f[1][3] == 's' {
			out["shared maps"]++
		}
	}
	return out
}

// command builds auditctl, for whoever is to start it.
func command(t *testing.T) string {
	t.Helper()
	file := filepath.Join(publicDir(t), "auditctl")
	launch.Static(t, file, "github.com/selfaudit/selfaudit/cmd/auditctl")
	return file
}

// TestUnharmed: a service under load loses no request to a hundred audits, and
// is afterwards as it was; nothing is left of what stood in for it.
func TestUnharmed(t *testing.T) {
	launch.NeedRoot(t)
	const inProcess, byCommand = 80, 20
	auditctl := command(t)
	pid, address := launch.Server(t, fixture.Clean(), 10)
	// The server's runtime and this one get the threads that they need.
	warm := startLoad(address)
	checkServer(t, pid)
	time.Sleep(500 * time.Millisecond)
	if lost := warm.end(); len(lost) > 0 {
		t.Fatalf("lost before the first audit: %v", lost)
	}
	idle := settled(t, pid)
	own := auditor(t)

	l := startLoad(address)
	time.Sleep(time.Second)
	rate, alone := l.answers.Swap(0), l.maximum()
	begin := time.Now()
	for range inProcess {
		checkServer(t, pid)
	}
	byLibrary := l.maximum()
	for range byCommand {
		document, exit := launch.Report(t, exec.Command(auditctl, "check", "--pid", strconv.Itoa(pid)))
		if exit != 0 {
			t.Fatalf("exit status %d\n%s", exit, document)
		}
	}
	byProgram, took := l.maximum(), time.Since(begin)
	answers := l.answers.Load()
	for _, err := range l.end() {
		t.Errorf("lost: %v", err)
	}
	t.Logf("without audits %d answers a second, the longest wait %v", rate, alone)
	t.Logf("during %d audits in %v %d answers, %.0f a second, the longest wait %v; beside %d of auditctl %v",
		inProcess+byCommand, took, answers, float64(answers)/took.Seconds(), byLibrary, byCommand, byProgram)
	if answers < inProcess+byCommand {
		t.Errorf("only %d answers", answers)
	}
	sameFacts(t, idle, settled(t, pid))
	if now := auditor(t); !maps.Equal(now, own) {
		t.Errorf("before %v, after %v", own, now)
	}
	if left := launch.Mentioning(auditctl); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
}

func checkServer(t *testing.T, pid int) {
	t.Helper()
	if r := checkPID(t, pid); r.Verdict != report.Confined {
		t.Fatalf("verdict %s: %v %v", r.Verdict, r.Gaps(), r.Unknowns())
	}
}

// settled are the facts of a server whose connections have all been closed.
func settled(t *testing.T, pid int) map[string]string {
	t.Helper()
	until(t, func() bool {
		sockets := 0
		for name, to := range facts(t, pid) {
			if strings.HasPrefix(name, "descriptor ") && strings.HasPrefix(to, "socket:") {
				sockets++
			}
		}
		return sockets == 1
	})
	return facts(t, pid)
}

// TestUnharmedStill: of a process with a filter that does nothing everything is
// as it was, its state and its memory too.
func TestUnharmedStill(t *testing.T) {
	launch.NeedRoot(t)
	for _, stopped := range []bool{false, true} {
		t.Run("stopped "+strconv.FormatBool(stopped), func(t *testing.T) {
			cmd := exec.Command(launch.Holed(t), "-settings", launch.JSON(t, fixture.Clean()), "--", "/bin/sleep", "60")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			pid := cmd.Process.Pid
			until(t, func() bool {
				st := launch.Status(pid)
				return st["Name"] == "sleep" && strings.HasPrefix(st["State"], "S")
			})
			if stopped {
				if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				until(t, func() bool { return strings.HasPrefix(launch.Status(pid)["State"], "T") })
			}
			before := still(t, pid)
			for range 20 {
				if r := checkPID(t, pid); r.Verdict != report.Confined {
					t.Fatalf("verdict %s: %v %v", r.Verdict, r.Gaps(), r.Unknowns())
				}
			}
			// Its sleep is taken up again by itself.
			until(t, func() bool { return launch.Status(pid)["State"] == before["State"] })
			after := still(t, pid)
			for name, was := range before {
				if is := after[name]; is != was {
					t.Errorf("%s:\nbefore %s\nafter  %s", name, was, is)
				}
			}
		})
	}
}

// still is all that is known of a process that does nothing.
func still(t *testing.T, pid int) map[string]string {
	t.Helper()
	out := facts(t, pid)
	maps.Copy(out, launch.Status(pid))
	for _, key := range []string{"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches", "SigQ"} {
		delete(out, key) // each stop is one; others of its user have signals too
	}
	for _, name := range []string{"maps", "io", "timerslack_ns"} {
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name); err == nil {
			out[name] = string(text)
		}
	}
	return out
}
