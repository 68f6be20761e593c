package procfs

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"strconv"
)

// InetSocket is a line of net/tcp, net/udp and their kind: proc_pid_net(5).
type InetSocket struct {
	Inode         uint64
	Local, Remote netip.AddrPort
	// State is a TCP state by the kernel's number. Of UDP it is TCPEstablished
	// where the socket is connected.
	State uint8
}

// States of sockets, as the kernel numbers them.
const (
	TCPEstablished = 0x01
	TCPClose       = 0x07
	TCPListen      = 0x0a
)

// ParseInet reads such a file, and returns the sockets whose inodes are wanted.
// Each is listed once. An empty file, as no kernel makes one, is an error.
func ParseInet(r io.Reader, wanted func(inode uint64) bool) ([]InetSocket, error) {
	var out []InetSocket
	lines := 0
	err := eachLine(r, func(n int, line []byte) error {
		lines++
		if n == 0 {
			if words := bytes.Fields(line); len(words) < 2 || string(words[0]) != "sl" || string(words[1]) != "local_address" {
				return malformed("first line")
			}
			return nil
		}
		s, ok := parseInet(line)
		if !ok {
			return malformed("line " + strconv.Itoa(n+1))
		}
		if s.Inode != 0 && wanted(s.Inode) {
			out = append(out, s)
		}
		return nil
	})
	if err == nil && lines == 0 {
		err = ErrCut
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// parseInet takes a line apart: its number, two addresses, the state, queues,
// timers, retransmissions, the user id, a timeout and the inode.
func parseInet(line []byte) (s InetSocket, ok bool) {
	const inode = 9
	var words [inode + 1][]byte
	rest := line
	for i := range words {
		rest = bytes.TrimLeft(rest, " ")
		words[i], rest, _ = bytes.Cut(rest, []byte{' '})
	}
	if number, found := bytes.CutSuffix(words[0], []byte{':'}); !found || !digits(number) {
		return s, false
	}
	var okLocal, okRemote bool
	s.Local, okLocal = hexAddrPort(words[1])
	s.Remote, okRemote = hexAddrPort(words[2])
	state, okState := hexNumber(words[3], 2, 2)
	n, err := strconv.ParseUint(string(words[inode]), 10, 64)
	if !okLocal || !okRemote || !okState || err != nil || !digits(words[inode]) {
		return s, false
	}
	s.State, s.Inode = uint8(state), n
	return s, true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// hexAddrPort reads an address as words of 32 bits in the machine's order, a
// colon, and a port.
func hexAddrPort(word []byte) (netip.AddrPort, bool) {
	digits, port, found := bytes.Cut(word, []byte{':'})
	n, ok := hexNumber(port, 4, 4)
	addr, isAddr := hexAddr(digits)
	return netip.AddrPortFrom(addr, uint16(n)), found && ok && isAddr
}

func hexAddr(digits []byte) (netip.Addr, bool) {
	var b [16]byte
	if len(digits) != 8 && len(digits) != 32 {
		return netip.Addr{}, false
	}
	if _, err := hex.Decode(b[:], digits); err != nil {
		return netip.Addr{}, false
	}
	for i := 0; i < len(digits)/2; i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	if len(digits) == 8 {
		return netip.AddrFrom4([4]byte(b[:4])), true
	}
	return netip.AddrFrom16(b), true
}
