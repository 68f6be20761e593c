package procfs

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/bits"
	"net/netip"
	"strconv"
)

// NetDevice is what /proc/net shows of a network interface.
type NetDevice struct {
	// Name holds bytes that whoever made it chose, none of which is a space, a
	// colon or a slash.
	Name string
	// Index is its number, or 0 where no file that shows it lists the interface.
	// That of the loopback interface is 1 in every network namespace.
	Index int
}

// LoopbackIndex is the number of the loopback interface.
const LoopbackIndex = 1

// maxInterfaces bounds how many interfaces one network namespace is read to have.
const maxInterfaces = 65536

// ParseNetDev reads net/dev: the names of all interfaces.
func ParseNetDev(r io.Reader) (names []string, err error) {
	lines := 0
	err = eachLine(r, func(n int, line []byte) error {
		lines++
		name, _, found := bytes.Cut(bytes.TrimLeft(line, " "), []byte{':'})
		switch {
		case n == 0 && bytes.HasPrefix(line, []byte("Inter-|")), n == 1 && bytes.HasPrefix(line, []byte(" face |")):
			return nil
		case n < 2, !found, !deviceName(name), len(names) == maxInterfaces:
			return malformed("line " + strconv.Itoa(n+1))
		}
		names = append(names, string(name))
		return nil
	})
	if err == nil && lines < 2 {
		err = ErrCut
	}
	if err != nil {
		return nil, err
	}
	return names, nil
}

// deviceName: no interface has a longer one, or one with a space or a slash.
func deviceName(name []byte) bool {
	const longest = 15
	return len(name) > 0 && len(name) <= longest && !bytes.ContainsAny(name, " \t\n\v\f\r/:")
}

// ParseIGMP reads net/igmp: the interfaces that are up, since each that is
// listens to the group of all hosts.
func ParseIGMP(r io.Reader) (up []NetDevice, err error) {
	lines := 0
	err = eachLine(r, func(n int, line []byte) error {
		lines++
		if n == 0 {
			if !bytes.HasPrefix(line, []byte("Idx\tDevice")) {
				return malformed("first line")
			}
			return nil
		}
		if bytes.HasPrefix(line, []byte("\t")) && n > 1 {
			return nil // a group
		}
		index, rest, found := bytes.Cut(line, []byte{'\t'})
		name, _, ends := bytes.Cut(rest, []byte{':'})
		name = bytes.TrimRight(name, " ")
		number, err := strconv.Atoi(string(index))
		if !found || !ends || err != nil || number < 1 || !digits(index) || !deviceName(name) || len(up) == maxInterfaces {
			return malformed("line " + strconv.Itoa(n+1))
		}
		up = append(up, NetDevice{string(name), number})
		return nil
	})
	if err == nil && lines == 0 {
		err = ErrCut
	}
	if err != nil {
		return nil, err
	}
	return up, nil
}

// ParseIfInet6 reads net/if_inet6: interfaces with an address of IPv6. The file is
// empty where there is none.
func ParseIfInet6(r io.Reader) (with []NetDevice, err error) {
	err = eachLine(r, func(n int, line []byte) error {
		words := bytes.Fields(line)
		if len(words) != 6 || len(words[0]) != 32 || !deviceName(words[5]) || len(with) == maxInterfaces {
			return malformed("line " + strconv.Itoa(n+1))
		}
		index, err := strconv.ParseUint(string(words[1]), 16, 31)
		if _, ok := plainAddr(words[0]); !ok || err != nil || index == 0 {
			return malformed("line " + strconv.Itoa(n+1))
		}
		with = append(with, NetDevice{string(words[5]), int(index)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return with, nil
}

// NetRoute is a route that leads somewhere.
type NetRoute struct {
	Device  string
	To      netip.Prefix
	Gateway netip.Addr
}

// Flags of routes.
const (
	routeUp     = 0x1
	routeReject = 0x200
	routeLocal  = 0x80000000
)

// ParseRoute reads net/route, the main routing table of IPv4, and calls each for
// what leads somewhere. The file is empty where there is no such table.
func ParseRoute(r io.Reader, each func(NetRoute)) error {
	return eachLine(r, func(n int, line []byte) error {
		words := bytes.Fields(line)
		if n == 0 {
			if len(words) < 8 || string(words[0]) != "Iface" || string(words[7]) != "Mask" {
				return malformed("first line")
			}
			return nil
		}
		// A route that refuses is of no interface, and shown with a star.
		if len(words) < 8 || !deviceName(words[0]) {
			return malformed("line " + strconv.Itoa(n+1))
		}
		to, ok1 := hexAddr(words[1])
		gateway, ok2 := hexAddr(words[2])
		flags, ok3 := hexNumber(words[3], 4, 4)
		mask, ok4 := hexAddr(words[7])
		if !ok1 || !ok2 || !ok3 || !ok4 || !mask.Is4() || !to.Is4() || !gateway.Is4() {
			return malformed("line " + strconv.Itoa(n+1))
		}
		if flags&routeUp == 0 || flags&routeReject != 0 {
			return nil
		}
		ones := 0
		for _, b := range mask.As4() {
			ones += bits.OnesCount8(b)
		}
		each(NetRoute{string(words[0]), netip.PrefixFrom(to, ones), gateway})
		return nil
	})
}

// ParseRoute6 does so for net/ipv6_route, which has all tables.
func ParseRoute6(r io.Reader, each func(NetRoute)) error {
	return eachLine(r, func(n int, line []byte) error {
		words := bytes.Fields(line)
		if len(words) != 10 || !deviceName(words[9]) {
			return malformed("line " + strconv.Itoa(n+1))
		}
		to, ok1 := plainAddr(words[0])
		length, ok2 := hexNumber(words[1], 2, 2)
		gateway, ok3 := plainAddr(words[4])
		flags, ok4 := hexNumber(words[8], 8, 8)
		if !ok1 || !ok2 || !ok3 || !ok4 || length > 128 {
			return malformed("line " + strconv.Itoa(n+1))
		}
		if flags&routeUp == 0 || flags&(routeReject|routeLocal) != 0 {
			return nil
		}
		each(NetRoute{string(words[9]), netip.PrefixFrom(to, int(length)), gateway})
		return nil
	})
}

// plainAddr reads an address of IPv6 in the network's order.
func plainAddr(digits []byte) (netip.Addr, bool) {
	var b [16]byte
	if len(digits) != 32 {
		return netip.Addr{}, false
	}
	_, err := hex.Decode(b[:], digits)
	return netip.AddrFrom16(b), err == nil
}
