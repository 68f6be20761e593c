package policyfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/names"
)

// maxStraceLine bounds a line of strace's output, in bytes. With -v and a large
// -s a line is long, and no longer than this.
const maxStraceLine = 1 << 20

// ImportStrace reads what strace(1) wrote (strace -f -o FILE PROGRAM) and returns
// a policy whose seccomp.allow holds exactly the system calls that were made,
// sorted, whatever they answered: those of every traced process and thread, and
// of every ABI. The name is that of the file, as in Decode.
//
// Prefixes (pids, times, comm, instruction pointers, numbers), interrupted and
// resumed calls, signals, exits, strace's own messages, stack traces, dumps and
// the summary of -C are understood. A last line that was cut off counts as far as
// it goes. A call that strace knew only by number is looked up; one that is in
// no table here is left out where the kernel had no such call either (ENOSYS),
// and is an error otherwise. So is any line that strace does not write: errors
// are *Error, with the line. What was traced is for the caller to say: calls that
// a run did not make, or that strace -e left out, are not in the policy.
func ImportStrace(r io.Reader, name string) (*policy.Policy, error) {
	if name == "-" || name == "" {
		name = "stdin"
	}
	s := &straceReader{file: name, calls: map[string]bool{}}
	if err := s.read(bufio.NewReaderSize(r, 1<<16)); err != nil {
		return nil, err
	}
	allow := slices.Sorted(maps.Keys(s.calls))
	return &policy.Policy{Name: nameOfFile(name), Source: name, Seccomp: policy.Seccomp{Allow: &allow}}, nil
}

// LoadStrace is ImportStrace of a file, which is opened as Load opens one.
func LoadStrace(path string) (*policy.Policy, error) {
	return loadWith(path, pipeTimeout, ImportStrace)
}

// LoadUsed reads what a program uses: a policy that has an allow-list, or
// strace's output. A file whose first line is a policy's is one.
func LoadUsed(path string) (*policy.Policy, error) {
	return loadWith(path, pipeTimeout, decodeUsed)
}

func decodeUsed(r io.Reader, name string) (*policy.Policy, error) {
	buffered := bufio.NewReader(r)
	// An error of the reader comes again when the rest is read.
	start, _ := buffered.Peek(buffered.Size())
	if !beginsAsPolicy(start) {
		return ImportStrace(buffered, name)
	}
	p, err := Decode(buffered, name)
	if err == nil && p.Seccomp.Allow == nil {
		return nil, &Error{File: name, Message: "the policy has no seccomp.allow, so it does not say what is used"}
	}
	return p, err
}

func beginsAsPolicy(start []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(start, []byte(string(byteOrderMark)))) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || bytes.Equal(line, []byte("---")) {
			continue
		}
		key, _, ok := bytes.Cut(line, []byte(":"))
		return line[0] == '{' || ok && slices.Contains(keyNames(schema()), string(key))
	}
	return false
}

// straceReader is one reading of strace's output.
type straceReader struct {
	file string
	line int
	// calls are those that were made. It holds names of our table only, so it
	// does not grow with what a file says.
	calls map[string]bool
	// torn says that a message of strace stands in the middle of the line
	// before, and that this one is its rest.
	torn bool
}

func (s *straceReader) fail(column int, format string, args ...any) error {
	return &Error{File: s.file, Line: s.line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (s *straceReader) read(r *bufio.Reader) error {
	for {
		line, whole, err := s.next(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) > 0 && isSummary(line) {
			if len(s.calls) == 0 {
				return s.fail(1, "this is the summary of strace -c, which does not hold every call")
			}
			return nil
		}
		if len(line) > 0 {
			if err := s.take(line, whole); err != nil {
				return err
			}
		}
		if err == nil {
			continue
		}
		if len(s.calls) == 0 {
			return &Error{File: s.file, Message: "there is no system call of strace's output in it"}
		}
		return nil
	}
}

// next returns the next line without its end, and whether it has one.
func (s *straceReader) next(r *bufio.Reader) (line string, whole bool, err error) {
	s.line++
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(long)+len(part) > maxStraceLine {
			return "", false, s.fail(1, "longer than %d bytes", maxStraceLine)
		}
		long = append(long, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return "", false, &Error{File: s.file, Line: s.line, Column: 1, Message: "read: " + printable(err.Error()), cause: err}
		default:
			return strings.TrimRight(string(long), "\r\n"), err == nil, err
		}
	}
}

// isSummary knows the head of what -c and -C print at the end.
func isSummary(line string) bool {
	return strings.HasPrefix(line, "% time ") || strings.HasPrefix(line, "System call usage summary for ")
}

// take notes the call of one line. What is not whole is the last one.
func (s *straceReader) take(line string, whole bool) error {
	torn := s.torn
	s.torn = false
	if strings.HasPrefix(line, " > ") || strings.HasPrefix(line, " | ") {
		return nil // a stack of -k, a dump of -e write
	}
	rest := cutPrefixes(line)
	column := len(line) - len(rest) + 1
	if rest == "" || isMessage(rest) {
		return nil
	}
	call, ok := cutCall(rest)
	if !ok {
		if torn || !whole {
			return nil
		}
		return s.fail(column, "strace writes no such line: %s", quoted(rest))
	}
	s.torn = strings.Contains(call.rest, "strace: Process ")
	if !call.ends() && !s.torn && whole {
		return s.fail(column, "a call of strace's output ends with its result: %s", quoted(rest))
	}
	return s.note(call, column)
}

// note adds a call under the name that it has here.
func (s *straceReader) note(call straceCall, column int) error {
	if strings.Contains(call.rest, "restart_syscall(<... resuming") {
		s.calls["restart_syscall"] = true
	}
	name, number := straceName(call.name)
	result, answered := call.result()
	switch {
	case name != "":
		s.calls[name] = true
	case strings.HasPrefix(result, "-1 ENOSYS"), strings.HasPrefix(call.name, "????"):
		// The kernel has no such call either, or strace could not read which.
	case number && (!answered || strings.HasPrefix(result, "?")):
		// It did not return, so whether there is such a call is not known.
	case number:
		return s.fail(column, "%s is a system call that this version has no name for, and the kernel has it: %s", call.name, quoted(result))
	default:
		return s.fail(column, "unknown system call %s", quoted(call.name))
	}
	return nil
}

// straceAliases are names of strace for calls that are named otherwise here.
var straceAliases = map[string]string{
	"old_getrlimit": "getrlimit", "old_mmap": "mmap", "old_readdir": "readdir", "old_select": "select", "oldumount": "umount",
	"sync_file_range2": "arm_sync_file_range",
}

// straceName returns the call that a word of strace stands for, or "", and
// whether the word is a number: syscall_0x1c3.
func straceName(word string) (name string, number bool) {
	if names.IsSyscall(word) {
		return word, false
	}
	hex, number := strings.CutPrefix(word, "syscall_")
	if !number {
		return straceAliases[word], false
	}
	n, err := strconv.ParseUint(hex, 0, 64)
	if err != nil || n > 1<<32-1 {
		return "", true
	}
	return nameOfNumber(uint32(n)), true
}

// nameOfNumber returns the name that every architecture agrees on which has the
// number. strace does not say which one was meant, and knows those numbers by
// name that differ between them.
func nameOfNumber(n uint32) string {
	found := ""
	for _, arch := range names.SyscallArches() {
		name, ok := names.SyscallName(arch, n)
		if ok && found != "" && name != found {
			return ""
		}
		if ok {
			found = name
		}
	}
	return found
}
