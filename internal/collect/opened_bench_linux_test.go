package collect

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// benchDescriptors is how many descriptors the benchmark opens.
const benchDescriptors = 10_000

// manyDescriptors opens descriptors of the kinds that services have many of:
// mostly sockets, then files, pipes and what they wait with.
func manyDescriptors(b *testing.B, n int) (close func()) {
	b.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	if limit.Max < uint64(n)+100 {
		skip(b, fmt.Sprintf("needs a limit of %d descriptors, not %d", n+100, limit.Max))
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	var fds []int
	for i := 0; i < n; i++ {
		var fd int
		var err error
		switch i % 8 {
		case 0, 1, 2, 3:
			fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		case 4, 5:
			fd, err = syscall.Open(dir+"/"+strconv.Itoa(i), syscall.O_CREAT|syscall.O_RDWR, 0o600)
		case 6:
			fd, err = unix.Eventfd(0, 0)
		default:
			fd, err = syscall.Open("/dev/null", syscall.O_RDWR, 0)
		}
		if err != nil {
			b.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return func() {
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
}

// bareDescriptors is readlink, stat and fdinfo of every descriptor, each by its
// path, into one buffer.
func bareDescriptors(pid int, buf []byte) (int, error) {
	at := "/proc/" + strconv.Itoa(pid)
	dir, err := syscall.Open(at+"/fd", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(dir)
	var names []string
	for {
		n, err := syscall.ReadDirent(dir, buf)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
	var st syscall.Stat_t
	for _, name := range names {
		path := at + "/fd/" + name
		if _, err := syscall.Readlink(path, buf); err != nil {
			return 0, err
		}
		if err := syscall.Stat(path, &st); err != nil {
			continue // a pipe's end that was closed
		}
		fd, err := syscall.Open(at+"/fdinfo/"+name, syscall.O_RDONLY, 0)
		if err != nil {
			return 0, err
		}
		for {
			n, err := syscall.Read(fd, buf)
			if err != nil {
				return 0, err
			}
			if n == 0 {
				break
			}
		}
		if err := syscall.Close(fd); err != nil {
			return 0, err
		}
	}
	return len(names), nil
}

// BenchmarkDescriptors prints what looking at ten thousand descriptors costs, as
// a multiple of a bare loop of readlink, stat and fdinfo over the same ones in
// the same run. More than two is too much.
func BenchmarkDescriptors(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	done := manyDescriptors(b, benchDescriptors)
	defer done()
	buf := make([]byte, 16<<10)
	b.ReportAllocs()
	var bare, whole time.Duration
	seen := 0
	o := Options{Reach: func(s *Site) {
		began := time.Now()
		s.OpenFiles()
		whole += time.Since(began)
		seen = len(s.Process.MakeReach().OpenFiles.Seen)
		if w, known := s.Process.MakeReach().OpenFiles.Whole.Get(); !w || !known {
			b.Fatal(s.Process.MakeReach().OpenFiles.Whole.Why())
		}
	}}
	for b.Loop() {
		began := time.Now()
		if n, err := bareDescriptors(syscall.Getpid(), buf); err != nil || n < benchDescriptors {
			b.Fatal(n, err)
		}
		bare += time.Since(began)
		if _, err := Self(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
	if seen < benchDescriptors {
		b.Fatalf("%d descriptors were seen", seen)
	}
	b.ReportMetric(float64(whole)/float64(bare), "x-bare")
	b.ReportMetric(float64(whole.Milliseconds())/float64(b.N), "ms/descriptors")
}
