package sandboxes

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// bundle runs what "runc spec" writes, with the sleeper in place of a shell
// and without a terminal.
func bundle(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	dir := filepath.Join(b.dir, s.name)
	plant(t, filepath.Join(dir, "rootfs"), filepath.Join(b.dir, "sleeper"))
	launch.Output(t, nil, "runc", "spec", "--bundle", dir)
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	spec.Process.Terminal, spec.Process.Args = false, []string{"/sleeper", b.token(s)}
	if text, err = json.Marshal(&spec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	state := []string{"--root", filepath.Join(dir, "state")}
	run := append(append([]string{s.name}, state...), "run", "--bundle", dir, b.token(s))
	t.Cleanup(func() {
		// For where it did not end by itself; otherwise there is nothing to delete.
		_ = b.command(s, append(append([]string{s.name}, state...), "delete", "--force", b.token(s))).Run()
	})
	return b.find(t, s, launch.Start(t, b.command(s, run)))
}

// podmanRun is how each command line of podman begins.
var podmanRun = []string{"podman", "run", "--rm", "--network", "none"}

// podman runs the same flags on a store of its own.
func podman(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	words := b.words(s)
	flags := words[len(podmanRun) : len(words)-2] // the engine adds those before by itself
	cmd := b.engine().Run(t.Context(), flags, words[len(words)-1], b.token(s))
	return b.find(t, s, launch.Start(t, b.command(s, cmd.Args)))
}

// nspawn runs in a control group of its own, since it makes two below the one
// that it is in and leaves them there.
func nspawn(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	t.Cleanup(func() { removeGroups(t, b.token(s)) })
	own := *s
	for _, root := range hierarchies(t) {
		if !divided(root) {
			continue
		}
		group := filepath.Join(root, b.token(s))
		if err := os.Mkdir(group, 0o755); err != nil {
			t.Fatal(err)
		}
		own.prepare = "echo $$ >" + group + "/cgroup.procs\n" + own.prepare
	}
	return b.sleeper(t, &own, b.words(s))
}

// divided says whether a hierarchy is one that systemd divides into groups:
// that of version 2, and that of version 1 which controls nothing.
func divided(root string) bool {
	return slices.Contains([]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}, root)
}

// nginx serves on a socket in the directory. The worker is what is confined:
// the master stays root.
func nginx(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	write(t, filepath.Join(b.dir, "nginx.conf"), strings.ReplaceAll(`daemon off;
user www-data;
worker_processes 1;
error_log stderr;
pid DIR/nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path DIR/nginx-body;
	proxy_temp_path DIR/nginx-proxy;
	fastcgi_temp_path DIR/nginx-fastcgi;
	scgi_temp_path DIR/nginx-scgi;
	uwsgi_temp_path DIR/nginx-uwsgi;
	server { listen unix:DIR/nginx.socket; return 204; }
}
`, "DIR", b.dir))
	return launch.Below(t, b.command(s, b.words(s)), func(pid int) bool {
		status := launch.Status(pid)
		return status["Name"] == "nginx" && strings.HasPrefix(status["Uid"], "33\t") && status["State"] == "S (sleeping)"
	})
}

// chronyd serves the time on loopback.
func chronyd(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	// A port that was free a moment ago: without one it has nothing to do.
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(socket.LocalAddr().String())
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(b.dir, "chrony.conf"), "local stratum 10\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\nport "+port+
		"\ncmdport 0\npidfile "+b.dir+"/chrony.pid\nbindcmdaddress /\n")
	return launch.Below(t, b.command(s, b.words(s)), func(pid int) bool {
		status := launch.Status(pid)
		return status["Name"] == "chronyd" && status["Seccomp"] == "2" && status["State"] == "S (sleeping)"
	})
}

// strict enters strict mode by itself and reads a pipe.
func strict(t *testing.T, b *bench, s *sandbox) int {
	t.Helper()
	cmd := b.command(s, b.words(s))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pid := launch.Below(t, cmd, func(pid int) bool { return launch.Status(pid)["Seccomp"] == "1" })
	t.Cleanup(func() {
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
	})
	return pid
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
