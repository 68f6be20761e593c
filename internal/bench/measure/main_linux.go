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
	flag.Parse()
	runtime.LockOSThread()
	if err := fixture.Confine(fixture.Clean()); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	c, err := measure(*rounds)
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
// "confined" reads: of the process and of each thread.
func readFiles() error {
	buffer := make([]byte, 4096)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, name := range []string{"/proc/self/stat", "/proc/self/comm", "/proc/self/uid_map", "/proc/self/gid_map"} {
		if err := readFile(name, buffer); err != nil {
			return err
		}
	}
	for _, task := range tasks {
		if err := readFile("/proc/self/task/"+task.Name()+"/status", buffer); err != nil {
			return err
		}
	}
	_, err = os.ReadDir("/proc/self/fd")
	return err
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
