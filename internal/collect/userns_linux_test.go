package collect

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"golang.org/x/sys/unix"
)

func known(entries ...posture.MapEntry) *idMap {
	m := posture.Of(entries, "test", "")
	return &m
}

func TestIDView(t *testing.T) {
	full := known(posture.MapEntry{Inside: 0, Outside: 0, Size: noID})
	half := known(posture.MapEntry{Inside: 0, Outside: 100000, Size: 65536})
	torn := known(posture.MapEntry{Inside: 0, Outside: 1000, Size: 1}, posture.MapEntry{Inside: 1, Outside: 5000, Size: 1})
	unread, absent := new(idMap), &idMap{Origin: posture.Origin{State: posture.Absent}}
	for _, c := range []struct {
		name string
		v    idView
		seen uint32
		want string // value, value and "unmapped", or "?"
	}{
		{"own, all mapped", idView{same: true, m: full, own: full}, 0, "0"},
		{"own, nobody", idView{same: true, m: full, own: full}, 65534, "65534"},
		{"own, nobody mapped, may be hidden", idView{same: true, m: half, own: half}, 65534, "65534 unmapped"},
		{"own, nobody mapped, another", idView{same: true, m: half, own: half}, 65532, "65532"},
		{"own, not mapped, sysctl says 99", idView{same: true, m: half, own: half, sysctl: posture.Of(uint32(99), "", "")}, 99, "99 unmapped"},
		{"own, all mapped, sysctl says 99", idView{same: true, m: full, own: full, sysctl: posture.Of(uint32(99), "", "")}, 99, "99"},
		{"own, map unread, sysctl says 99", idView{same: true, m: unread, sysctl: posture.Of(uint32(99), "", "")}, 99, "?"},
		{"own, one id mapped", idView{same: true, m: known(posture.MapEntry{Inside: 0, Outside: 1000, Size: 1})}, 65534, "65534 unmapped"},
		{"own, no map at all", idView{same: true, m: known()}, 65534, "65534 unmapped"},
		{"own, map unread", idView{same: true, m: unread}, 1000, "1000"},
		{"own, map unread, may be hidden", idView{same: true, m: unread}, 65534, "?"},
		{"own, no user namespaces", idView{same: true, m: absent}, 65534, "65534"},
		{"container's root", idView{m: half, own: full}, 100000, "0"},
		{"container's last", idView{m: half, own: full}, 165535, "65535"},
		{"beyond the container", idView{m: half, own: full}, 165536, "65534 unmapped"},
		{"the machine's root in the container", idView{m: half, own: full}, 0, "65534 unmapped"},
		{"nobody on the machine, in the container", idView{m: half, own: full}, 65534, "65534 unmapped"},
		{"overflow seen by one who is mapped himself", idView{m: half, own: half}, 65534, "?"},
		{"an outer id that we cannot see", idView{m: known(posture.MapEntry{Inside: 5, Outside: noID, Size: 10}), own: half}, 65534, "?"},
		{"ids that we see in another order: the first", idView{m: known(posture.MapEntry{Inside: 5, Outside: 0, Size: 100}, posture.MapEntry{Inside: 0, Outside: 1, Size: 1}), own: torn}, 0, "5"},
		{"ids that we see in another order: another line's", idView{m: known(posture.MapEntry{Inside: 5, Outside: 0, Size: 100}, posture.MapEntry{Inside: 0, Outside: 1, Size: 1}), own: torn}, 1, "0"},
		{"ids that we see in another order: none's", idView{m: known(posture.MapEntry{Inside: 5, Outside: 0, Size: 100}), own: torn}, 1, "?"},
		{"the initial namespace, seen from one with one id", idView{m: known(posture.MapEntry{Inside: 0, Outside: noID, Size: noID}), own: known(posture.MapEntry{Inside: 0, Outside: 1000, Size: 1})}, 0, "?"},
		{"a line that ours holds", idView{m: known(posture.MapEntry{Inside: 0, Outside: 1000, Size: 100}), own: half}, 1005, "5"},
		{"a line that ours does not hold", idView{m: known(posture.MapEntry{Inside: 0, Outside: 65500, Size: 100}), own: half}, 65505, "?"},
		{"our map unread: the first", idView{m: half, own: unread}, 100000, "0"},
		{"our map unread: the second", idView{m: half, own: unread}, 100001, "?"},
		{"no map read", idView{m: unread, own: full}, 0, "?"},
		{"no map written", idView{m: known(), own: full}, 0, "65534 unmapped"},
		{"not told whose", idView{m: half, own: half, unknown: "x"}, 100000, "?"},
	} {
		got := "?"
		if id, why := c.v.id(c.seen); why == "" {
			got = strconv.FormatUint(uint64(id.Value), 10)
			if id.Unmapped {
				got += " unmapped"
			}
			outside := c.seen
			if c.v.same && id.Unmapped {
				outside = overflowID
			}
			if id.Outside != outside {
				t.Errorf("%s: outside %d", c.name, id.Outside)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// userNamespace starts an act in a user namespace, with the given maps or none.
func userNamespace(t *testing.T, act string, maps []syscall.SysProcIDMap) *exec.Cmd {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	if err != nil || strings.TrimSpace(string(b)) == "0" {
		skip(t, "needs user namespaces")
	}
	cmd := command(t, act)
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = maps, maps
	return cmd
}

func init() {
	acts["stay"] = func() error { return stay(1) }
	acts["mapped-root"] = func() error { return ownIDs(0, false) }
	acts["mapped-nobody"] = func() error { return ownIDs(overflowID, true) }
	acts["unmapped"] = func() error { return ownIDs(overflowID, true) }
}

func ownIDs(value uint32, unmapped bool) error {
	p, err := self(Options{})
	if err != nil {
		return err
	}
	want := posture.ID{Value: value, Outside: value, Unmapped: unmapped}
	for _, th := range []*posture.Thread{&p.Classes[0].Thread, &p.Kernel[0]} {
		if got, known := th.UID.Get(); !known || got.Real != want || got.FS != want {
			return fmt.Errorf("uid %+v %s, want %+v", got, th.UID.Why(), want)
		}
		if got, known := th.GID.Get(); !known || got.Saved != want {
			return fmt.Errorf("gid %+v %s, want %+v", got, th.GID.Why(), want)
		}
	}
	return nil
}

func TestUserNamespaces(t *testing.T) {
	own := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	if os.Getuid() != os.Getgid() {
		skip(t, "needs one number for user and group")
	}
	t.Run("self as root inside", func(t *testing.T) { runAct(t, userNamespace(t, "mapped-root", own)) })
	t.Run("self as root outside, nobody is mapped", func(t *testing.T) {
		needRoot(t)
		runAct(t, userNamespace(t, "mapped-nobody", []syscall.SysProcIDMap{{ContainerID: 1, HostID: 100001, Size: 65535}}))
	})
	t.Run("self without a map", func(t *testing.T) { runAct(t, userNamespace(t, "unmapped", nil)) })
	for _, c := range []struct {
		name string
		maps []syscall.SysProcIDMap
		want posture.ID
	}{
		{"root inside", own, posture.ID{Value: 0, Outside: uint32(os.Getuid())}},
		{"another inside", []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getuid(), Size: 1}}, posture.ID{Value: 65532, Outside: uint32(os.Getuid())}},
		{"no map", nil, posture.ID{Value: overflowID, Outside: uint32(os.Getuid()), Unmapped: true}},
	} {
		t.Run(c.name+", from outside", func(t *testing.T) {
			pid, _ := talk(t, userNamespace(t, "stay", c.maps), 1)
			p, err := PID(context.Background(), pid, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if same, known := p.UserNamespace.Same.Get(); !known || same {
				t.Errorf("same user namespace: %+v", p.UserNamespace.Same)
			}
			if got, known := p.Classes[0].UID.Get(); !known || got.Real != c.want || got.Saved != c.want {
				t.Errorf("uid %+v %s, want %+v", got, p.Classes[0].UID.Why(), c.want)
			}
			if got, known := p.Classes[0].GID.Get(); !known || got.FS != c.want {
				t.Errorf("gid %+v %s, want %+v", got, p.Classes[0].GID.Why(), c.want)
			}
		})
	}
}

// A process of another user hides its user namespace's link. The maps still
// tell that it has one of its own, and whose ids these are.
func TestUserNamespaceOutOfReach(t *testing.T) {
	needRoot(t)
	pid, _ := talk(t, userNamespace(t, "stay", []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}), 1)
	cmd := command(t, "look")
	cmd.Args = append(cmd.Args, strconv.Itoa(pid))
	runAct(t, cmd)
}

func init() {
	acts["look"] = func() error {
		must(dropAll())
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil { // else our own link is out of reach too
			return err
		}
		pid, err := strconv.Atoi(os.Args[1])
		must(err)
		p, err := PID(context.Background(), pid, Options{})
		if err != nil {
			return err
		}
		if same, known := p.UserNamespace.Same.Get(); !known || same {
			return fmt.Errorf("%+v", p.UserNamespace.Same)
		}
		want := posture.ID{Value: overflowID, Outside: 0, Unmapped: true}
		if got, known := p.Classes[0].UID.Get(); !known || got.Real != want {
			return fmt.Errorf("uid %+v %s", got, p.Classes[0].UID.Why())
		}
		// Of process 1 the link is hidden too, and its map is ours.
		p, err = PID(context.Background(), 1, Options{})
		if err != nil {
			return err
		}
		if got, known := p.Classes[0].UID.Get(); !known || got.Real.Value != 0 || got.Real.Unmapped {
			return fmt.Errorf("process 1: %+v %s", got, p.Classes[0].UID.Why())
		}
		return nil
	}
}
