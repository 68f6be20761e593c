package procfs_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	. "github.com/selfaudit/selfaudit/internal/procfs"
)

const inetHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n"

// inetLine writes a socket as the kernel does.
func inetLine(sl int, local, remote netip.AddrPort, state uint8, inode uint64) string {
	word := func(a netip.AddrPort) string {
		b := a.Addr().AsSlice()
		var s strings.Builder
		for i := 0; i < len(b); i += 4 {
			fmt.Fprintf(&s, "%08X", binary.NativeEndian.Uint32(b[i:]))
		}
		return fmt.Sprintf("%s:%04X", s.String(), a.Port())
	}
	return fmt.Sprintf("%4d: %s %s %02X 00000000:00000000 00:00000000 00000000 %5d        0 %d 1 0000000000000000 100 0 0 10 0\n", sl, word(local), word(remote), state, 65532, inode)
}

func TestParseInet(t *testing.T) {
	four, six := netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("[2001:db8::1]:443")
	none := netip.MustParseAddrPort("0.0.0.0:0")
	data := inetHead + inetLine(0, four, none, TCPListen, 812) + inetLine(123456, six, none, TCPEstablished, 1<<40) + inetLine(2, four, four, 6, 0) + inetLine(3, four, none, TCPListen, 9)
	got, err := ParseInet(strings.NewReader(data), func(inode uint64) bool { return inode != 9 })
	want := []InetSocket{{812, four, none, TCPListen}, {1 << 40, six, none, TCPEstablished}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v %v", got, err)
	}
}

// TestNetBad: what the kernel never writes is an error, and no shorter list.
func TestNetBad(t *testing.T) {
	line := inetLine(0, netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("0.0.0.0:0"), TCPListen, 812)
	const dev = "Inter-|   Receive\n face |bytes\n"
	const igmp = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
	const route = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	inet := func(r *strings.Reader) error {
		_, err := ParseInet(r, func(uint64) bool { return true })
		return err
	}
	devices := func(r *strings.Reader) error { _, err := ParseNetDev(r); return err }
	groups := func(r *strings.Reader) error { _, err := ParseIGMP(r); return err }
	addresses := func(r *strings.Reader) error { _, err := ParseIfInet6(r); return err }
	routes := func(r *strings.Reader) error { return ParseRoute(r, func(NetRoute) {}) }
	routes6 := func(r *strings.Reader) error { return ParseRoute6(r, func(NetRoute) {}) }
	for name, c := range map[string]struct {
		parse func(*strings.Reader) error
		data  string
		want  error
	}{
		"no sockets, no header":  {inet, "", ErrCut},
		"sockets cut":            {inet, inetHead + line[:len(line)-1], ErrCut},
		"sockets of another":     {inet, "Num RefCount\n" + line, ErrMalformed},
		"a socket of few words":  {inet, inetHead + "0: 0100007F:0050\n", ErrMalformed},
		"a socket of three":      {inet, inetHead + strings.Replace(line, "0100007F", "0100007", 1), ErrMalformed},
		"a socket, signed":       {inet, inetHead + strings.Replace(line, " 812 ", " +812 ", 1), ErrMalformed},
		"a line too long":        {inet, inetHead + strings.Repeat("x", 600) + "\n", ErrTooLong},
		"no interfaces":          {devices, "", ErrCut},
		"an interface in escape": {devices, dev + "a/b: 0\n", ErrMalformed},
		"an interface, nameless": {devices, dev + ": 0\n", ErrMalformed},
		"an interface too long":  {devices, dev + "abcdefghijklmnop: 0\n", ErrMalformed},
		"no groups":              {groups, "", ErrCut},
		"groups of none":         {groups, igmp + "\t\t010000E0\n", ErrMalformed},
		"a group's index":        {groups, igmp + "-1\tlo        :     1      V3\n", ErrMalformed},
		"an address cut":         {addresses, "20010db8 03 40 00 82 d0\n", ErrMalformed},
		"an address of index 0":  {addresses, strings.Repeat("0", 32) + " 00 40 00 82 d0\n", ErrMalformed},
		"a route of words":       {routes, route + "eth0\t00000000\n", ErrMalformed},
		"routes of another":      {routes, "Num\n", ErrMalformed},
		"a route of IPv6":        {routes6, strings.Repeat("0", 32) + " 00\n", ErrMalformed},
	} {
		if err := c.parse(strings.NewReader(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRoutes(t *testing.T) {
	const four = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n" +
		"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0  \n" +
		"*\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0  \n"
	const six = "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001       d0\n" +
		"00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo\n" +
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
	var got []string
	each := func(r NetRoute) { got = append(got, r.Device+" "+r.To.String()+" "+r.Gateway.String()) }
	if err := errors.Join(ParseRoute(strings.NewReader(four), each), ParseRoute6(strings.NewReader(six), each)); err != nil {
		t.Fatal(err)
	}
	want := []string{"eth0 0.0.0.0/0 192.0.2.1", "d0 2001:db8::/64 ::"}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err := ParseRoute(strings.NewReader(""), each); err != nil {
		t.Errorf("no main table: %v", err)
	}
}

// FuzzNet: no input makes a parser panic, and what is parsed is as the kernel
// could have written it.
func FuzzNet(f *testing.F) {
	line := inetLine(0, netip.MustParseAddrPort("[::1]:80"), netip.MustParseAddrPort("[::]:0"), TCPListen, 812)
	f.Add(inetHead + line)
	f.Add("Inter-|   Receive\n face |bytes\n    lo: 1 2\n \x1b[2J: 0\n")
	f.Add("Idx\tDevice    : Count Querier\n1\tlo        :     1      V3\n\t\t\t\t010000E0\n")
	f.Add("20010db8000000000000000000000001 03 40 00 82       d0\n")
	f.Add("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t0000FF00\n")
	f.Fuzz(func(t *testing.T, data string) {
		sockets, err := ParseInet(strings.NewReader(data), func(uint64) bool { return true })
		for _, s := range sockets {
			if err != nil || !s.Local.IsValid() || !s.Remote.IsValid() || s.Inode == 0 || !strings.Contains(data, fmt.Sprint(s.Inode)) {
				t.Errorf("%+v %v", s, err)
			}
		}
		names, _ := ParseNetDev(strings.NewReader(data))
		for _, parse := range []func(*strings.Reader) ([]NetDevice, error){
			func(r *strings.Reader) ([]NetDevice, error) { return ParseIGMP(r) },
			func(r *strings.Reader) ([]NetDevice, error) { return ParseIfInet6(r) },
		} {
			list, _ := parse(strings.NewReader(data))
			for _, d := range list {
				if names = append(names, d.Name); d.Index < 1 {
					t.Errorf("%+v", d)
				}
			}
		}
		each := func(r NetRoute) {
			if names = append(names, r.Device); !r.To.IsValid() || !r.Gateway.IsValid() {
				t.Errorf("%+v", r)
			}
		}
		_, _ = ParseRoute(strings.NewReader(data), each), ParseRoute6(strings.NewReader(data), each)
		for _, name := range names {
			if name == "" || len(name) > 15 || strings.ContainsAny(name, " \t\n\r/:") || !strings.Contains(data, name) {
				t.Errorf("interface %q", name)
			}
		}
	})
}
