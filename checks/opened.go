package checks

import (
	"slices"
	"strconv"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const (
	deviceID   = "fds.device"
	kernelID   = "fds.kernel"
	openNSID   = "fds.namespace"
	socketID   = "fds.socket"
	writableID = "fds.writable"
	// maxOpened bounds the findings of one id and status.
	maxOpened = 32
)

// openedChecks are the checks of open descriptors, one an id.
var openedChecks = [...]struct {
	id    string
	asked func(*policy.Descriptors) bool
	// expected and none are what a report says of what is wanted, and of a
	// process that has it.
	expected, none string
	judge          func(*posture.OpenFile) openedVerdict
}{
	{deviceID, func(d *policy.Descriptors) bool { return d.NoDevices }, "no device", "is of a device that counts", judgeDevice},
	{kernelID, func(d *policy.Descriptors) bool { return d.NoKernelObjects }, "no kernel object that grants more", "is of a kernel object that grants more", judgeKernel},
	{openNSID, func(d *policy.Descriptors) bool { return d.NoNamespaces }, "no namespace, and no other process", "is of a namespace or of another process", judgeNamespace},
	{socketID, func(d *policy.Descriptors) bool { return d.NoRawSockets }, "no raw or packet socket", "is a raw or packet socket", judgeSocket},
	{writableID, func(d *policy.Descriptors) bool { return d.NoneWritable }, "none outside the root or on a read-only mount", "is open for writing outside the root or on a read-only mount", judgeWritable},
}

// openedVerdict is what one check says of one descriptor.
type openedVerdict struct {
	status report.Status
	// words follow "descriptor 7 is ", or "whether descriptor 7 is " and a reason
	// where that is not known.
	words string
	facts []*posture.Origin
}

var openedPass = openedVerdict{status: report.Pass}

// openDescriptors checks what each open descriptor is of.
func openDescriptors(out *results, a *audited, pol *policy.Policy) {
	for i := range openedChecks {
		c := &openedChecks[i]
		if !c.asked(&pol.Descriptors) {
			out.skip(c.id)
			continue
		}
		var found [report.Skipped][]openedFinding
		all := a.Reach().OpenFiles.Seen
		for k := range all {
			if v := c.judge(&all[k]); v.status != report.Pass {
				found[v.status] = append(found[v.status], openedFinding{&all[k], v})
			}
		}
		whole, known := a.Reach().OpenFiles.Whole.Get()
		if !known || !whole {
			f := out.add(c.id, report.Unknown, c.expected, "unknown", "not all open descriptors were seen: "+whyNot(&a.Reach().OpenFiles.Whole.Origin, "descriptors"))
			f.Subject, f.Evidence = "all", seen(&a.Reach().OpenFiles.Whole.Origin)
		} else if len(found[report.Gap])+len(found[report.Unknown]) == 0 {
			f := out.add(c.id, report.Pass, c.expected, "none", "none of "+strconv.Itoa(len(all))+" open descriptors "+c.none)
			f.Evidence = seen(&a.Reach().OpenFiles.Whole.Origin)
			if words := protocols(all); c.id == socketID && words != "" {
				f.Evidence = append(f.Evidence, report.Evidence{Source: sourceOf(&a.Reach().OpenFiles.Whole.Origin), Value: "sockets: " + words})
			}
		}
		for _, status := range []report.Status{report.Gap, report.Unknown} {
			addOpened(out, c.id, c.expected, status, found[status], manyTables(all))
		}
	}
}

// protocols counts the sockets by what they speak.
func protocols(all []posture.OpenFile) string {
	var words []string
	for _, name := range plainProtocols {
		n := 0
		for i := range all {
			if p, known := all[i].Protocol.Get(); known && p == name {
				n++
			}
		}
		if n > 0 {
			words = append(words, strconv.Itoa(n)+" "+name)
		}
	}
	return listed(words, ", ")
}

type openedFinding struct {
	file    *posture.OpenFile
	verdict openedVerdict
}

// manyTables says that threads have tables of their own.
func manyTables(all []posture.OpenFile) bool {
	return slices.ContainsFunc(all, func(f posture.OpenFile) bool { return f.TID != all[0].TID })
}

// addOpened adds a finding for each of the first descriptors, and says of the
// others how many there are.
func addOpened(out *results, id, expected string, status report.Status, all []openedFinding, many bool) {
	for _, o := range all[:min(len(all), maxOpened)] {
		subject := "fd " + strconv.Itoa(o.file.FD)
		name := "descriptor " + strconv.Itoa(o.file.FD)
		if many {
			of := " of thread " + strconv.Itoa(o.file.TID)
			subject, name = subject+of, name+of
		}
		message := name + " is " + o.verdict.words
		if status == report.Unknown {
			message = "whether " + name + " (" + quoted(o.file.Path) + ") is " + o.verdict.words
		} else if o.file.Flags.State == posture.Known && !o.file.Flags.Value.CloseOnExec {
			message += ", and stays open across execve(2)"
		}
		f := out.add(id, status, expected, quoted(o.file.Path), message)
		f.Subject, f.Evidence = subject, seen(o.verdict.facts...)
		if many {
			f.Threads = []int{o.file.TID}
		}
	}
	if left := len(all) - maxOpened; left > 0 {
		words := strconv.Itoa(left) + " more descriptors"
		f := out.add(id, status, expected, words, "the same holds for "+words)
		f.Subject, f.Evidence = "more", []report.Evidence{{Source: "…", Value: words}}
	}
}

// unknownOpened says that a check cannot judge a descriptor, for want of a fact.
func unknownOpened(what string, o *posture.Origin, thing string) openedVerdict {
	return openedVerdict{report.Unknown, what + " is not known: " + whyNot(o, thing), []*posture.Origin{o}}
}

// is says whether a descriptor is of one of the kinds; unknown is set where its
// kind is not known.
func is(f *posture.OpenFile, what string, kinds ...posture.FileKind) (yes bool, unknown *openedVerdict) {
	kind, known := f.Kind.Get()
	if !known || kind == posture.FileNoKind {
		v := unknownOpened(what, &f.Kind.Origin, "its type")
		return false, &v
	}
	return slices.Contains(kinds, kind), nil
}

// numbered are devices by major and minor number: devices.txt of the kernel. A
// minor of -1 stands for all.
type numbered struct{ major, minor int }

// harmlessDevices are null, zero, full, random and urandom; and the terminals:
// virtual consoles and serial lines, /dev/tty, /dev/console and ptmx, those of
// pseudo-terminals old and new, and the serial lines of USB, of hypervisors and
// of boards.
var harmlessDevices = [...]numbered{
	{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9},
	{2, -1}, {3, -1}, {4, -1}, {5, -1}, {136, -1}, {137, -1}, {138, -1}, {139, -1}, {140, -1}, {141, -1}, {142, -1}, {143, -1},
	{166, -1}, {188, -1}, {204, -1}, {229, -1},
}

// harmlessDevice says whether a character device is one of them. Block devices
// of these numbers are others.
func harmlessDevice(f *posture.OpenFile) bool {
	return f.Kind.Value == posture.FileCharacter && slices.ContainsFunc(harmlessDevices[:], func(d numbered) bool {
		return uint32(d.major) == f.Major && (d.minor < 0 || uint32(d.minor) == f.Minor)
	})
}

func judgeDevice(f *posture.OpenFile) openedVerdict {
	yes, unknown := is(f, "of a device", posture.FileBlock, posture.FileCharacter)
	switch {
	case unknown != nil:
		return *unknown
	case !yes || harmlessDevice(f):
		return openedPass
	}
	kind := "character"
	if f.Kind.Value == posture.FileBlock {
		kind = "block"
	}
	words := "of the " + kind + " device " + decimal(f.Major) + ":" + decimal(f.Minor) + " (" + quoted(f.Path) + ")"
	if f.Flags.State == posture.Known && f.Flags.Value.Path {
		words += ", by O_PATH"
	}
	return openedVerdict{report.Gap, words, []*posture.Origin{&f.Kind.Origin, &f.Flags.Origin}}
}

func judgeNamespace(f *posture.OpenFile) openedVerdict {
	yes, unknown := is(f, "of a namespace or a process", posture.FileNamespace, posture.FilePidfd)
	switch {
	case unknown != nil:
		return *unknown
	case !yes:
		return openedPass
	}
	own, known := f.Own.Get()
	facts := []*posture.Origin{&f.Kind.Origin, &f.Own.Origin}
	if f.Kind.Value == posture.FileNamespace {
		words := "of a namespace, " + quoted(f.Path)
		if known && own {
			words += ", which the process is in"
		}
		return openedVerdict{report.Gap, words, facts}
	}
	switch {
	case !known:
		return unknownOpened("of another process", &f.Own.Origin, "whose it is")
	case own:
		return openedPass
	default:
		return openedVerdict{report.Gap, "a pidfd of " + f.Detail + ", whose namespaces it names", facts}
	}
}

// rawProtocols are sockets that receive or send what no protocol of the kernel
// made; plainProtocols are all others, as the kernel names them.
var (
	rawProtocols   = [...]string{"RAW", "RAWv6", "PACKET", "XDP", "CAN_RAW", "HCI", "IEEE-802.15.4-RAW", "KEY", "L2TP/IP", "L2TP/IPv6"}
	plainProtocols = [...]string{
		"TCP", "TCPv6", "MPTCP", "MPTCPv6", "UDP", "UDPv6", "UDP-Lite", "UDPLITEv6", "PING", "PINGv6", "UNIX", "UNIX-STREAM", "NETLINK", "AF_VSOCK",
		"ALG", "SCTP", "SCTPv6", "DCCP", "DCCPv6", "SMC", "SMC6", "TIPC", "KCM", "RXRPC", "RFCOMM", "L2CAP", "SCO", "CAN_BCM", "CAN_ISOTP", "CAN_J1939", "QIPCRTR", "MCTP",
	}
)

func judgeSocket(f *posture.OpenFile) openedVerdict {
	yes, unknown := is(f, "a raw or packet socket", posture.FileSocket)
	switch {
	case unknown != nil:
		return *unknown
	case !yes:
		return openedPass
	}
	protocol, known := f.Protocol.Get()
	switch {
	case !known:
		return unknownOpened("a raw or packet socket", &f.Protocol.Origin, "its protocol")
	case slices.Contains(rawProtocols[:], protocol):
		return openedVerdict{report.Gap, "a socket of protocol " + protocol + ", which sends or receives packets as they are", []*posture.Origin{&f.Protocol.Origin}}
	case slices.Contains(plainProtocols[:], protocol):
		return openedPass
	default:
		return openedVerdict{report.Unknown, "a raw or packet socket is not known: its protocol " + quoted(protocol) + " is none that is known here", []*posture.Origin{&f.Protocol.Origin}}
	}
}

func judgeWritable(f *posture.OpenFile) openedVerdict {
	yes, unknown := is(f, "open for writing outside the root", posture.FileRegular, posture.FileBlock, posture.FileCharacter, posture.FileFIFO, posture.FileProcess)
	switch {
	case unknown != nil:
		return *unknown
	case !yes || harmlessDevice(f):
		return openedPass
	case f.Flags.State != posture.Known:
		return unknownOpened("open for writing", &f.Flags.Origin, "its flags")
	case !f.Flags.Value.Write:
		return openedPass
	}
	outside, placed := f.OutsideRoot.Get()
	readOnly, told := f.ReadOnly.Get()
	facts := []*posture.Origin{&f.Flags.Origin, &f.OutsideRoot.Origin, &f.ReadOnly.Origin}
	switch path := quoted(f.Path); {
	case placed && outside:
		return openedVerdict{report.Gap, "open for writing on " + path + ", outside the root", facts[:2]}
	case told && readOnly:
		return openedVerdict{report.Gap, "open for writing on " + path + ", which lies on a read-only mount", facts}
	case !placed:
		return unknownOpened("open for writing outside the root", &f.OutsideRoot.Origin, "its place")
	case !told:
		return unknownOpened("open for writing on a read-only mount", &f.ReadOnly.Origin, "its mount")
	default:
		return openedPass
	}
}
