package collect

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/fixture/mounts"
	"golang.org/x/sys/unix"
)

func init() {
	// Directories of a FUSE file system that nobody serves.
	acts["stay-fuse"] = func() error {
		must(private())
		dir, err := os.MkdirTemp("", "fuse")
		must(err)
		mountSilent(dir)
		fd := openDir(dir, unix.O_PATH)
		must(syscall.Unmount(dir, syscall.MNT_DETACH))
		mountSilent(dir)
		return stay(fd, openDir(dir, unix.O_PATH))
	}
	acts["look-fuse"] = func() error {
		pid, outside, inside := argument(1), argument(2), argument(3)
		p, err := PID(context.Background(), pid, Options{Descriptors: true})
		if err != nil {
			return err
		}
		if err := wantDescriptor(p, outside, true); err != nil {
			return err
		}
		return wantDescriptor(p, inside, false)
	}
	acts["stay-deep"] = func() error {
		dir, err := os.MkdirTemp("", "deep")
		must(err)
		must(os.Chdir(dir))
		for range 40 {
			must(os.Mkdir("d", 0o755))
			must(os.Chdir("d"))
		}
		fd := openDir(".", unix.O_PATH)
		must(os.Chdir("/"))
		return stay(fd)
	}
}

func mountSilent(dir string) {
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	must(err)
	must(mounts.Mount("test", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)))
}

func argument(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	must(err)
	return n
}

// The server of a file system that never answers does not hold the audit up.
func TestSilentServer(t *testing.T) {
	needRoot(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		skip(t, "needs /dev/fuse")
	}
	pid, fds := talk(t, privateMounts(command(t, "stay-fuse")), 2)
	look := command(t, "look-fuse")
	look.Args = append(look.Args, strconv.Itoa(pid), strconv.Itoa(fds[0]), strconv.Itoa(fds[1]))
	runAct(t, look)
}

// What takes too many steps, or longer than there is time, stays unknown.
func TestAscentBounds(t *testing.T) {
	pid, fds := talk(t, command(t, "stay-deep"), 1)
	for _, c := range []struct {
		steps int
		want  posture.State
		why   string
	}{{maxSteps, posture.Known, ""}, {20, posture.Unreadable, "to go up by"}} {
		a, fd, err := held(pid, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.tools = append(a.tools, fd)
		up := a.newAscent()
		up.steps = c.steps
		a.descriptors(up)
		d, err := descriptorOf(a.p, fds[0])
		if err != nil || d.OutsideRoot.State != c.want || d.OutsideRoot.Value || !strings.Contains(d.OutsideRoot.Err, c.why) {
			t.Errorf("%d steps: %+v %v", c.steps, d, err)
		}
		// The second time every answer is there.
		up.steps = 0
		if c.want == posture.Known {
			a.descriptors(up)
			if d, err := descriptorOf(a.p, fds[0]); err != nil || d.OutsideRoot.State != posture.Known {
				t.Errorf("not remembered: %+v %v", d, err)
			}
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		a.ctx = ended
		a.descriptors(a.newAscent())
		if f := &a.p.Descriptors; f.State != posture.Unreadable || !strings.Contains(f.Err, "context canceled") {
			t.Errorf("ended: %+v", f)
		}
		_ = unix.Close(fd)
		a.close()
	}
}
