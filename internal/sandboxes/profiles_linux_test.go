package sandboxes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture/launch"
)

// profiled are containers as docs/profiles.md has them, with what an older
// engine needs beside: the current default filter, as a file.
var profiled = []struct {
	sandbox
	profile string
	// gaps are the ids of all that may be found.
	gaps []string
}{
	{sandbox{name: "hardened-current", command: hardenedRun + currentFilter + " sleeper /sleeper", start: docker}, "docker-hardened", nil},
	{sandbox{name: "hardened-older", command: hardenedRun + " sleeper /sleeper", start: docker}, "docker-hardened", []string{"probe.io-uring-setup"}},
	{sandbox{name: "hardened-user-current", command: hardenedRun + " --user 65532:65532" + currentFilter + " sleeper /sleeper", start: docker}, "docker-hardened", nil},
	{sandbox{name: "compose-current", command: hardenedRun + limitFlags + currentFilter + " sleeper /sleeper", start: docker}, "compose-hardened", nil},
	{sandbox{name: "compose-unlimited", command: hardenedRun + currentFilter + " sleeper /sleeper", start: docker}, "compose-hardened", []string{"limit.cgroup", "limit.rlimit"}},
	{sandbox{name: "unmasked-current", command: hardenedRun + " --security-opt systempaths=unconfined" + currentFilter + " sleeper /sleeper", start: docker}, "docker-hardened", []string{"filesystem.masked"}},
}

const (
	hardenedRun   = "docker run --rm --cap-drop ALL --cap-add NET_BIND_SERVICE --read-only --tmpfs /tmp:noexec,nosuid --security-opt no-new-privileges"
	limitFlags    = " --memory 256m --cpus 1.0 --ulimit nproc=128 --ulimit nofile=1024:2048"
	currentFilter = " --security-opt seccomp=DIR/filter.json"
)

// TestDockerProfiles starts those containers by Docker itself, and holds each
// against its profile.
func TestDockerProfiles(t *testing.T) {
	b := newBench(t)
	launch.Need(t, dockerTools...)
	text, err := json.Marshal(seccomp.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(b.dir, "filter.json"), string(text))
	document, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{hardenedRun + " IMAGE\n", hardenedRun + limitFlags + " IMAGE\n"} {
		if !strings.Contains(string(document), "\n"+command) {
			t.Errorf("docs/profiles.md does not have: %s", command)
		}
	}
	for i := range profiled {
		c := &profiled[i]
		t.Run(c.name, func(t *testing.T) {
			pol, _ := policy.Builtin(c.profile)
			pid := b.start(t, &c.sandbox)
			b.remember(t, pid)
			r, err := audit.Check(t.Context(), audit.WithPID(pid), audit.WithPolicy(pol))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range append(r.Gaps(), r.Unknowns()...) {
				t.Logf("pid %s: %v %s %s: %s", strconv.Itoa(pid), f.Status, f.ID, f.Subject, f.Message)
				if !slices.Contains(got, f.ID) {
					got = append(got, f.ID)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.gaps) || (r.Verdict == report.Confined) != (len(c.gaps) == 0) {
				t.Errorf("verdict %s, %v, want %v", r.Verdict, got, c.gaps)
			}
		})
	}
}
