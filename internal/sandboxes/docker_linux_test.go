package sandboxes

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/internal/fixture/container"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

var dockerTools = []string{"docker", "dockerd", "containerd", "runc"}

// daemon is a dockerd with its own data, state and socket, and without a
// network, so that nothing of the machine's is touched.
type daemon struct{ socket string }

// newDaemon starts it and makes an image of the sleeper.
func newDaemon(t *testing.T, b *bench) *daemon {
	t.Helper()
	in := func(name string) string { return filepath.Join(b.dir, name) }
	d := &daemon{socket: "unix://" + in("docker.socket")}
	// By default it writes a key below /etc.
	write(t, in("docker.json"), `{"deprecated-key-path": "`+in("docker.key")+`"}`)
	// It leaves the control group that its containers' are below.
	group := filepath.Base(b.dir) + ".docker"
	t.Cleanup(func() { removeGroups(t, group) })
	s := &sandbox{prepare: runtimeDirectory}
	ended := launch.Start(t, b.command(s, []string{"dockerd", "--log-level", "error", "--config-file", in("docker.json"), "--cgroup-parent", "/" + group,
		"--data-root", in("docker-data"), "--exec-root", in("docker-exec"), "--pidfile", in("docker.pid"), "--host", d.socket,
		"--storage-driver", "vfs", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"}))
	for deadline := time.Now().Add(30 * time.Second); d.docker("version").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if err, over := ended(); over || time.Now().After(deadline) {
			t.Fatalf("dockerd does not answer: %v", err)
		}
	}
	t.Cleanup(func() {
		// Where all went well none is left.
		out, err := d.docker("ps", "--all", "--quiet").Output()
		if err != nil {
			t.Errorf("docker ps: %v", err)
		}
		if left := strings.Fields(string(out)); len(left) > 0 {
			_ = d.docker(append([]string{"rm", "--force"}, left...)...).Run()
		}
	})
	archive := in("docker.tar")
	container.Pack(t, archive, map[string]string{"sleeper": in("sleeper")})
	if out, err := d.docker("import", archive, "sleeper").CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	return d
}

func (d *daemon) docker(args ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"--host", d.socket}, args...)...)
}

// docker runs the same flags against the daemon.
func docker(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	d := b.daemon()
	words := append([]string{"docker", "--host", d.socket}, b.words(s)[1:]...)
	return b.sleeper(t, s, words)
}
