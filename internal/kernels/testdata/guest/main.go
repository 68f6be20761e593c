// Guest is the first process of a virtual machine. It gives the machine a root
// file system in memory, runs the test programs that /plan names, says on the
// console what came of each, and turns the machine off.
//
// A line of the plan is a folder, a program and its arguments.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Stages of the guest: process 1 lays out the machine and executes itself once
// more there, and what runs the plan is a child, since process 1 reaps.
const (
	stageReap = "reap"
	stagePlan = "plan"
)

// limit bounds one program.
const limit = 6 * time.Minute

func main() {
	stage := ""
	if len(os.Args) > 1 {
		stage = os.Args[1]
	}
	var err error
	switch stage {
	case stageReap:
		err = reap()
	case stagePlan:
		if err := plan(); err != nil {
			fmt.Println("guest:", err)
			os.Exit(1)
		}
		return
	default:
		err = layOut()
	}
	// Process 1 must not end: the kernel would panic.
	if err != nil {
		fmt.Println("guest:", err)
	}
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("guest: reboot:", err)
	}
	select {}
}

// mounts are made once the root is a tmpfs.
var mounts = []struct{ kind, at string }{
	{"proc", "/proc"}, {"sysfs", "/sys"}, {"securityfs", "/sys/kernel/security"}, {"devtmpfs", "/dev"}, {"devpts", "/dev/pts"}, {"tmpfs", "/dev/shm"}, {"tmpfs", "/mnt"}, {"cgroup2", "/sys/fs/cgroup"},
}

// layOut copies everything to a tmpfs and makes that the root: in the file
// system that the kernel starts with pivot_root(2) fails.
func layOut() error {
	const root = "/root.new"
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount %s: %w", root, err)
	}
	if err := copyTree("/", root); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s: %w", root, err)
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.at, err)
		}
	}
	return syscall.Exec("/init", []string{"/init", stageReap}, []string{
		"PATH=/bin:/programs", "HOME=/tmp", "TMPDIR=/tmp", "SELFAUDIT_PROGRAMS=/programs",
	})
}

// copyTree copies directories, files and symbolic links of one file system.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "/dev", path == to:
			return filepath.SkipDir
		case path == from:
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, path)
		switch info.Mode().Type() {
		case fs.ModeDir:
			if err := os.Mkdir(target, 0o755); err != nil {
				return err
			}
			return os.Chmod(target, info.Mode())
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case 0:
			return copyFile(path, target, info.Mode())
		}
		return nil
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// reap starts what runs the plan, and collects every process that is left to
// process 1 until that one ends.
func reap() error {
	if err := exec.Command("/bin/busybox", "--install", "-s", "/bin").Run(); err != nil {
		return fmt.Errorf("busybox: %w", err)
	}
	if err := exec.Command("ifconfig", "lo", "up").Run(); err != nil {
		return fmt.Errorf("ifconfig lo up: %w", err)
	}
	cmd := exec.Command("/init", stagePlan)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		switch pid, err := syscall.Wait4(-1, &status, 0, nil); {
		case err != nil && err != syscall.EINTR:
			return fmt.Errorf("wait4: %w", err)
		case err == nil && pid == cmd.Process.Pid:
			return nil
		}
	}
}

// plan runs the programs. Its last line is what whoever started the machine
// waits for.
func plan() error {
	text, err := os.ReadFile("/plan")
	if err != nil {
		return err
	}
	describe()
	ran, passed := 0, 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		ran++
		if program(words[0], words[1:]) {
			passed++
		}
	}
	fmt.Printf("guest: %d of %d programs passed\n", passed, ran)
	return nil
}

// describe prints what this machine is.
func describe() {
	for _, file := range []string{"/proc/version", "/proc/cmdline", "/sys/kernel/security/lsm", "/sys/devices/system/clocksource/clocksource0/current_clocksource"} {
		if text, err := os.ReadFile(file); err == nil {
			fmt.Printf("%s: %s\n", file, bytes.TrimSpace(text))
		}
	}
}

// verdict is the line of one test that is not part of another.
var verdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): .*`)

// skipped is a skipped test with the reason, which stands in the line before or
// behind.
var skipped = regexp.MustCompile(`(?m)^.*\n *--- SKIP: .*\n(    .*\n)?`)

// program runs one test program. A failure shows all that it wrote.
func program(folder string, args []string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	begin := time.Now()
	err := cmd.Run()
	count := map[string]int{}
	for _, m := range verdict.FindAllSubmatch(out.Bytes(), -1) {
		count[string(m[1])]++
	}
	fmt.Printf("\n%s: %d passed, %d failed, %d skipped, %.1f s\n", strings.TrimPrefix(folder, "/tree/"), count["PASS"], count["FAIL"], count["SKIP"], time.Since(begin).Seconds())
	good := err == nil && count["FAIL"] == 0 && count["PASS"] > 0
	switch {
	case !good:
		fmt.Printf("%s: %v\n%s\n", strings.Join(args, " "), err, out.Bytes())
	case strings.HasSuffix(folder, "/kernels"):
		fmt.Printf("%s\n", out.Bytes())
	default:
		for _, s := range skipped.FindAll(out.Bytes(), -1) {
			fmt.Printf("%s", s)
		}
	}
	return good
}
