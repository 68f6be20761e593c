// Command measure confines itself and prints what an audit costs in that
// posture, beside the bare system calls that nobody could do without. It is
// for the benchmarks of internal/bench, which build it without cgo.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/audit"
	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/fixture"
)

// Costs are medians, in nanoseconds.
type Costs struct {
	Check, Files, Fork int64
	Threads            int
}

func main() {
	rounds := flag.Int("rounds", 100, "how often each thing is done")
	scan := flag.Bool("scan", false, "measure a live scan of the native ABI instead of an audit")
	flag.Parse()
	runtime.LockOSThread()
	settings := fixture.Clean()
	if *scan {
		settings.Only = allowed
	}
	if err := fixture.Confine(settings); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	c, err := any(nil), error(nil)
	if *scan {
		c, err = measureScan(*rounds)
	} else {
		c, err = measure(*rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(c)
}

// measure takes turns, so that what else the machine does falls on all alike.
func measure(rounds int) (c Costs, err error) {
	check := make([]int64, rounds)
	files, fork := slices.Clone(check), slices.Clone(check)
	for i := range rounds {
		for _, m := range []struct {
			into *int64
			do   func() error
		}{{&check[i], auditOnce}, {&files[i], readFiles}, {&fork[i], forkExitWait}} {
			begin := time.Now()
			if err := m.do(); err != nil {
				return c, err
			}
			*m.into = time.Since(begin).Nanoseconds()
		}
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	return Costs{median(check), median(files), median(fork), len(threads)}, err
}

func median(all []int64) int64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func auditOnce() error {
	r, err := audit.Check(context.Background())
	switch {
	case err != nil:
		return err
	case r.Verdict != report.Confined:
		return errors.New("not confined: " + (&audit.NotConfinedError{Report: r}).Error())
	}
	return nil
}

// readFiles opens, reads and closes what an audit under the profile
// "confined" opens: files of the process, the status of each thread, and
// whatever its descriptors lead to.
func readFiles() error {
	buffer := make([]byte, 4096)
	for _, name := range []string{
		"/proc/thread-self/status", "/proc/self/status", "/proc/self/stat", "/proc/self/comm",
		"/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/fdinfo/0", "/proc/sys/kernel/osrelease",
	} {
		if err := readFile(name, buffer); err != nil {
			return err
		}
	}
	err := each("/proc/self/task", func(thread string) error { return readFile(thread+"/status", buffer) })
	if err != nil {
		return err
	}
	for _, name := range []string{"/proc", "/proc/self", "/proc/self/root", "/proc/self/exe", "/proc/1"} {
		if err := reach(name); err != nil {
			return err
		}
	}
	return each("/proc/self/fd", func(name string) error {
		// The descriptor that lists the folder is closed again.
		if err := reach(name); !errors.Is(err, syscall.ENOENT) {
			return err
		}
		return nil
	})
}

// each does something for each entry of a folder.
func each(folder string, do func(string) error) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := do(folder + "/" + e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// reach opens a name as such, with O_PATH, and closes it.
func reach(name string) error {
	const path = 0x200000
	fd, err := syscall.Open(name, path|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: open(2): %w", name, err)
	}
	return syscall.Close(fd)
}

func readFile(name string, buffer []byte) error {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: open(2): %w", name, err)
	}
	defer syscall.Close(fd)
	for {
		n, err := syscall.Read(fd, buffer)
		if err != nil {
			return fmt.Errorf("%s: read(2): %w", name, err)
		}
		if n == 0 {
			return nil
		}
	}
}
