package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// pipeTimeout bounds how long a pipe may take to say its policy and end.
const pipeTimeout = 10 * time.Second

// Load reads the policy in a file as Decode does. The path may lead through
// symbolic links to a regular file or to a pipe: /dev/stdin and the shell's
// <(command) are such. A pipe that has no writer is empty, and one that is not
// closed within ten seconds an error, so Load never hangs. Directories, devices
// and sockets are refused without being opened. Errors are *Error; those of the
// file system lie beneath, for errors.Is.
func Load(path string) (*policy.Policy, error) { return load(path, pipeTimeout) }

func load(path string, timeout time.Duration) (*policy.Policy, error) {
	return loadWith(path, timeout, Decode)
}

// loadWith opens a file and hands it to what reads it.
func loadWith(path string, timeout time.Duration, decode func(io.Reader, string) (*policy.Policy, error)) (*policy.Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, "stat", err)
	}
	if err := readableKind(path, info.Mode()); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK the open itself waits for a writer of a named pipe.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileError(path, "open", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if info, err = file.Stat(); err != nil {
		return nil, fileError(path, "fstat", err)
	}
	if err := readableKind(path, info.Mode()); err != nil { // another file may stand there by now
		return nil, err
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		if err := file.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return nil, fileError(path, "set a deadline", err)
		}
	}
	p, err := decode(file, path)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &Error{File: path, Message: fmt.Sprintf("read: the pipe was not closed within %s", timeout), cause: err}
	}
	return p, err
}

// readableKind refuses everything but regular files and pipes.
func readableKind(path string, mode fs.FileMode) error {
	kinds := []struct {
		bits fs.FileMode
		name string
	}{
		{fs.ModeDir, "a directory"}, {fs.ModeCharDevice, "a character device"}, {fs.ModeDevice, "a block device"}, {fs.ModeSocket, "a socket"}, {fs.ModeIrregular, "neither"},
	}
	for _, k := range kinds {
		if mode&k.bits != 0 {
			return &Error{File: path, Message: "a regular file or a pipe is wanted: it is " + k.name}
		}
	}
	return nil
}

// fileError names file, call and errno once each.
func fileError(path, call string, err error) error {
	cause := err
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		cause = pathError.Err
	}
	return &Error{File: path, Message: call + ": " + printable(cause.Error()), cause: err}
}
