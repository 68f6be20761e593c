package procfs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// Bounds on /proc/net/unix. A name is at most as long as sun_path: unix(7).
const (
	maxUnix     = 64 << 20
	maxUnixLine = 512
	maxUnixName = 108
	maxAbstract = 4096
)

// unixHeader is how the file begins.
const unixHeader = "Num       RefCount Protocol Flags    Type St Inode Path"

// UnixSocket is a UNIX domain socket that is bound to an abstract name, and that
// others can connect or send to: one that listens, or a datagram socket.
type UnixSocket struct {
	// Inode is its number in the links of descriptors: "socket:[123]".
	Inode uint64
	// Name holds raw bytes that whoever bound it chose, without the leading NUL;
	// the kernel shows other NULs in it as @.
	Name string
	// Kind is "stream", "datagram" or "seqpacket".
	Kind string
}

// Types of sockets, as socket(2) numbers them, and a flag of those that listen.
const (
	sockStream    = 1
	sockDatagram  = 2
	sockSeqpacket = 5
	acceptsFlag   = 1 << 16
)

// ParseUnix reads a file net/unix of /proc: proc_pid_net(5). It returns the first
// abstract names that can be reached, and how many more there are.
//
// Names may hold newlines, so that a line which is not a socket's goes on with
// the name before it. A name can make up lines of more sockets and cannot take
// one away: each socket begins a line.
func ParseUnix(r io.Reader) (sockets []UnixSocket, more int, err error) {
	limited := &io.LimitedReader{R: r, N: maxUnix + 1}
	lines := bufio.NewReaderSize(limited, maxUnixLine)
	var last *UnixSocket
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0 && n > 0:
			return sockets, more, nil
		case limited.N == 0, errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, ErrTooLong
		case err == io.EOF:
			return nil, 0, ErrCut
		case err != nil:
			return nil, 0, err
		}
		line = line[:len(line)-1]
		if n == 0 {
			if string(line) != unixHeader {
				return nil, 0, malformed("first line")
			}
			continue
		}
		s, reachable, isSocket := parseUnix(line)
		switch {
		case !isSocket && n == 1:
			return nil, 0, malformed("second line")
		case !isSocket && last != nil:
			if last.Name += "\n" + string(line); len(last.Name) > maxUnixName {
				return nil, 0, malformed("name of socket " + strconv.FormatUint(last.Inode, 10))
			}
		case !isSocket:
		case !reachable:
			last = nil
		case len(sockets) == maxAbstract:
			last = nil
			more++
		default:
			sockets = append(sockets, s)
			last = &sockets[len(sockets)-1]
		}
	}
}

// parseUnix parses a line as the kernel prints a socket's: an address, five
// numbers in hexadecimal, the inode, and a name where there is one.
func parseUnix(line []byte) (s UnixSocket, reachable, ok bool) {
	address, rest, found := bytes.Cut(line, []byte(": "))
	if _, isHex := hexNumber(address, 8, 16); !found || !isHex {
		return s, false, false
	}
	var number [5]uint64
	for i, width := range [...]int{8, 8, 8, 4, 2} {
		word, after, found := bytes.Cut(rest, []byte{' '})
		if number[i], ok = hexNumber(word, width, width); !ok || !found {
			return s, false, false
		}
		rest = after
	}
	const inodeWidth = 5
	digits := bytes.TrimLeft(rest, " ")
	inode, name, named := bytes.Cut(digits, []byte{' '})
	pad := len(rest) - len(digits)
	if pad > 0 && pad+len(inode) != inodeWidth {
		return s, false, false
	}
	n, err := strconv.ParseUint(string(inode), 10, 64)
	if err != nil || len(inode) > 1 && inode[0] == '0' || inode[0] == '+' {
		return s, false, false
	}
	s.Inode = n
	if !named {
		return s, false, true
	}
	if len(name) == 0 || len(name) > maxUnixName {
		return s, false, false
	}
	flags, kind := number[2], number[3]
	if name[0] != '@' {
		return s, false, true
	}
	s.Name = string(name[1:])
	switch kind {
	case sockStream:
		s.Kind = "stream"
	case sockSeqpacket:
		s.Kind = "seqpacket"
	case sockDatagram:
		s.Kind = "datagram"
		return s, true, true
	default:
		// Of a kind that is not known nobody can say that it is not reached.
		s.Kind = "type " + strconv.FormatUint(kind, 10)
		return s, true, true
	}
	return s, flags&acceptsFlag != 0, true
}

// hexNumber reads hexadecimal digits as the kernel prints them, of one of two
// lengths.
func hexNumber(word []byte, short, long int) (uint64, bool) {
	if len(word) != short && len(word) != long {
		return 0, false
	}
	n, err := strconv.ParseUint(string(word), 16, 64)
	return n, err == nil && word[0] != '+'
}
