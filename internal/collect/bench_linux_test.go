package collect

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// bareLoop opens, reads and closes the files that an audit of self reads, by
// their paths, into one buffer. Directories end with a slash.
func bareLoop(paths []string, buf []byte) error {
	for _, path := range paths {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		read := syscall.Read
		if path[len(path)-1] == '/' {
			read = syscall.ReadDirent
		}
		for {
			n, err := read(fd, buf)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

// filesOfSelf are the files that an audit of self reads.
func filesOfSelf() ([]string, error) {
	pid := os.Getpid()
	task := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(task)
	if err != nil {
		return nil, err
	}
	out := []string{task + "/", fmt.Sprintf("/proc/%d/fdinfo/2", pid)}
	for _, t := range threads {
		out = append(out, task+"/"+t.Name()+"/status")
	}
	for _, name := range []string{"stat", "uid_map", "gid_map"} {
		out = append(out, fmt.Sprintf("%s/%d/%s", task, pid, name))
	}
	return out, nil
}

// BenchmarkFactsSelf reports how many times as long the facts of all threads
// take as a bare loop over the same files, in the same run.
func BenchmarkFactsSelf(b *testing.B) {
	for _, threads := range []int{0, 8, 64} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			stop := newThreads(threads)
			defer stop()
			buf := make([]byte, 16<<10)
			b.ReportAllocs()
			var bare, facts time.Duration
			for b.Loop() {
				paths, err := filesOfSelf()
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if err := bareLoop(paths, buf); err != nil {
					continue // a thread ended
				}
				middle := time.Now()
				if _, err := Self(context.Background(), Options{}); err != nil {
					b.Fatal(err)
				}
				bare += middle.Sub(began)
				facts += time.Since(middle)
			}
			b.ReportMetric(float64(facts)/float64(bare), "x-bare")
			b.ReportMetric(float64(facts.Microseconds())/float64(b.N), "µs/facts")
		})
	}
}
