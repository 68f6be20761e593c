package procfs

import "bytes"

// field is a line of /proc/<pid>/status that an audit wants.
type field uint8

const (
	fieldNone field = iota
	fieldName
	fieldUmask
	fieldState
	fieldTgid
	fieldPid
	fieldTracerPid
	fieldUID
	fieldGID
	fieldGroups
	fieldNSpid
	fieldKthread
	fieldCoreDumping
	fieldThreads
	fieldCapInh
	fieldCapPrm
	fieldCapEff
	fieldCapBnd
	fieldCapAmb
	fieldNoNewPrivs
	fieldSeccomp
	fieldSeccompFilters
	fieldStoreBypass
	fieldIndirectBranch
	numFields
)

// fieldNames are the kernel's: proc_pid_status(5).
var fieldNames = [numFields]string{
	fieldName: "Name", fieldUmask: "Umask", fieldState: "State", fieldTgid: "Tgid", fieldPid: "Pid",
	fieldTracerPid: "TracerPid", fieldUID: "Uid", fieldGID: "Gid", fieldGroups: "Groups", fieldNSpid: "NSpid",
	fieldKthread: "Kthread", fieldCoreDumping: "CoreDumping", fieldThreads: "Threads",
	fieldCapInh: "CapInh", fieldCapPrm: "CapPrm", fieldCapEff: "CapEff", fieldCapBnd: "CapBnd", fieldCapAmb: "CapAmb",
	fieldNoNewPrivs: "NoNewPrivs", fieldSeccomp: "Seccomp", fieldSeccompFilters: "Seccomp_filters",
	fieldStoreBypass: "Speculation_Store_Bypass", fieldIndirectBranch: "SpeculationIndirectBranch",
}

// mayBegin marks the first letters of those names. Most lines are about
// memory, and are passed by with a look at the first letter.
var mayBegin = [256]bool{'C': true, 'G': true, 'K': true, 'N': true, 'P': true, 'S': true, 'T': true, 'U': true}

// ofThread marks the lines that tell two threads of one posture apart.
var ofThread = [numFields]bool{
	fieldName: true, fieldState: true, fieldTgid: true, fieldPid: true, fieldNSpid: true, fieldThreads: true,
}

func fieldOf(name []byte) field {
	switch string(name) { // compiled to a comparison without an allocation
	case "Name":
		return fieldName
	case "Umask":
		return fieldUmask
	case "State":
		return fieldState
	case "Tgid":
		return fieldTgid
	case "Pid":
		return fieldPid
	case "TracerPid":
		return fieldTracerPid
	case "Uid":
		return fieldUID
	case "Gid":
		return fieldGID
	case "Groups":
		return fieldGroups
	case "NSpid":
		return fieldNSpid
	case "Kthread":
		return fieldKthread
	case "CoreDumping":
		return fieldCoreDumping
	case "Threads":
		return fieldThreads
	case "CapInh":
		return fieldCapInh
	case "CapPrm":
		return fieldCapPrm
	case "CapEff":
		return fieldCapEff
	case "CapBnd":
		return fieldCapBnd
	case "CapAmb":
		return fieldCapAmb
	case "NoNewPrivs":
		return fieldNoNewPrivs
	case "Seccomp":
		return fieldSeccomp
	case "Seccomp_filters":
		return fieldSeccompFilters
	case "Speculation_Store_Bypass":
		return fieldStoreBypass
	case "SpeculationIndirectBranch":
		return fieldIndirectBranch
	}
	return fieldNone
}

// Lines are the wanted lines of one status file, not yet parsed. They point
// into the bytes that were scanned.
type Lines struct {
	data []byte
	at   [numFields]span
	more [numFields]bool // a second line of that name was seen
	err  error
}

// span is where a line stands, without its newline. Its end is 0 where there
// is no such line.
type span struct{ from, to uint32 }

// line returns a line, or nothing where there is none.
func (l *Lines) line(f field) []byte { return l.data[l.at[f].from:l.at[f].to] }

// Scan finds the wanted lines in data and keeps pointing into it. It does not
// allocate.
func (l *Lines) Scan(data []byte) {
	*l = Lines{data: data}
	switch {
	case len(data) > maxFile:
		l.err = ErrTooLong
		return
	case len(data) == 0 || data[len(data)-1] != '\n':
		l.err = ErrCut
		return
	}
	for from, to := 0, 0; from < len(data); from = to + 1 {
		to = from + bytes.IndexByte(data[from:], '\n')
		if !mayBegin[data[from]] {
			continue
		}
		line := data[from:to]
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		f := fieldOf(line[:colon])
		if f == fieldNone {
			continue
		}
		if l.at[f].to != 0 {
			l.more[f] = true
			continue
		}
		l.at[f] = span{uint32(from), uint32(to)}
	}
}

// AppendPosture appends to key every line that belongs to a thread's posture.
// Two threads with equal keys have equal posture. It is false for a file from
// which no class may be made without parsing it.
func (l *Lines) AppendPosture(key []byte) ([]byte, bool) {
	if l.err != nil {
		return key, false
	}
	for f := field(1); f < numFields; f++ {
		if l.more[f] {
			return key, false
		}
		if !ofThread[f] {
			key = append(key, l.line(f)...)
			key = append(key, '\n')
		}
	}
	return key, true
}

// IDs returns the thread and the process that the file says it is about.
func (l *Lines) IDs() (tid, tgid int, ok bool) {
	tid, ok1 := l.number(fieldPid)
	tgid, ok2 := l.number(fieldTgid)
	return tid, tgid, ok1 && ok2
}

// State returns the thread's state as proc_pid_status(5) has it: 'R', 'Z'.
func (l *Lines) State() (byte, bool) {
	v, ok := l.value(fieldState)
	if !ok || len(v) == 0 {
		return 0, false
	}
	return v[0], true
}

func (l *Lines) number(f field) (int, bool) {
	v, ok := l.value(f)
	if !ok {
		return 0, false
	}
	n, ok := parseUint32(v)
	return int(n), ok && n <= 1<<31-1
}

// value returns what follows the name, the colon and the tab.
func (l *Lines) value(f field) ([]byte, bool) {
	line := l.line(f)
	at := len(fieldNames[f])
	if l.err != nil || l.more[f] || len(line) < at+2 || line[at+1] != '\t' {
		return nil, false
	}
	return line[at+2:], true
}
