package probes

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"github.com/selfaudit/selfaudit/internal/child"
)

// bindIn makes a network namespace along with the user namespace and binds a port
// there that takes CAP_NET_BIND_SERVICE: all by calls that the filter of a
// network service lets through, whatever else it kills for. unshare(2) is left
// out, since a filter may answer success to it and leave the own namespace.
// Only its success says something, since a filter may refuse these calls alone:
// else it counts as nothing to try it on, which anything else outweighs.
func bindIn(p userns, b *builder, reach *made) func() verdict {
	if p.call == "unshare" || !b.env.filtered {
		return nil
	}
	// struct sockaddr_in: port 1 of any address, which no new network namespace
	// leaves to processes without the capability.
	port1 := []byte{2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	got := b.ones(len(port1))
	size := b.Bytes(binary.NativeEndian.AppendUint32(nil, uint32(len(port1))))
	act := b.do(p.call, p.act(cloneNewUser|cloneNewNet, "CLONE_NEWUSER|CLONE_NEWNET"), child.Need|child.Fork)
	fd := b.do("socket", args(c("AF_INET", syscall.AF_INET), c("SOCK_DGRAM", syscall.SOCK_DGRAM), i(0)), child.Need)
	bound := b.do("bind", args(result(fd), data(port1), i(len(port1))), child.Need)
	back := b.do("getsockname", args(result(fd), b.at(got), b.at(size)), 0)
	b.do("wait4", args(result(act), i(0), c("__WALL", wallClone), i(0)), child.Join)
	b.End()
	return func() verdict {
		v := b.env.judge(&reading{want: einval, capability: noCap, means: limits}, b.read(reach), b.read(act))
		if v.outcome != succeededOutcome || b.read(act).Ret == 0 || !b.read(bound).OK() || !b.read(back).OK() || !bytes.Equal(b.Read(got)[:4], port1[:4]) {
			return noObject("")
		}
		return succeeded("a user namespace was made with a network namespace in it, and a port bound there that takes CAP_NET_BIND_SERVICE",
			append(v.seen, b.read(fd), b.read(bound), b.read(back))...)
	}
}
