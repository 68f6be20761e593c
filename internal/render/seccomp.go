package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/selfaudit/selfaudit/checks/report"
)

// SeccompSchema names the version of the document that auditctl seccomp
// writes. Within it keys are only added.
const SeccompSchema = "selfaudit.seccomp/v1"

// Verdicts on a system call: what the filters of a thread do with it together.
const (
	// VerdictAllowed: the kernel makes the call, whatever its arguments.
	VerdictAllowed = "allowed"
	// VerdictDenied: the call is not made, whatever its arguments.
	VerdictDenied = "denied"
	// VerdictConditional: that depends on arguments, or on the caller's place.
	VerdictConditional = "conditional"
	// VerdictDelegated: a tracer or a supervisor is asked; ENOSYS without one.
	VerdictDelegated = "delegated"
	// VerdictUndecided: the evaluation came to its bound.
	VerdictUndecided = "undecided"
)

// Whether this kernel has an ABI.
const (
	PresentYes     = "yes"
	PresentNo      = "no"
	PresentUnknown = "unknown"
)

// Seccomp is what auditctl seccomp found out about one process: what its
// filters decide, read from outside, or what a live scan met, from inside.
type Seccomp struct {
	Schema    string        `json:"schema"`
	Target    report.Target `json:"target"`
	Host      report.Host   `json:"host"`
	StartedAt time.Time     `json:"startedAt"`
	// DurationNs is how long all of it took, in nanoseconds.
	DurationNs int64 `json:"durationNs"`
	// Selection says what was left out on request; nil where nothing was.
	Selection *SeccompSelection `json:"selection,omitempty"`
	// Classes are the threads by equal filters, the leader's first. Empty for
	// a scan from inside, where no filter can be read.
	Classes []SeccompClass `json:"classes"`
	// Scan is every system call, tried, an entry an ABI.
	Scan []SeccompScan `json:"scan,omitempty"`
	// Comparison holds the scan against the evaluated filters.
	Comparison *SeccompComparison `json:"comparison,omitempty"`
	// Diff holds the process against another.
	Diff *SeccompDiff `json:"diff,omitempty"`
	// Used holds it against the calls that a program makes.
	Used []SeccompUsed `json:"used,omitempty"`
	// Limits are sentences on what could not be seen.
	Limits []string `json:"limits,omitempty"`
}

// SeccompSelection is what the caller asked for, where that is not everything.
type SeccompSelection struct {
	Syscalls []string `json:"syscalls,omitempty"`
	ABIs     []string `json:"abis,omitempty"`
	Allowed  bool     `json:"allowed,omitempty"`
}

// SeccompClass is the threads that have the same filters.
type SeccompClass struct {
	Threads []int `json:"threads"`
	// Mode is disabled, strict, filter or unknown.
	Mode string `json:"mode"`
	// State is known, absent or unreadable: whether the filters were read.
	State string `json:"state"`
	// Why says why they were not.
	Why string `json:"why,omitempty"`
	// Digest is the SHA-256 of all instructions, empty for no filter.
	Digest  string          `json:"digest"`
	Filters []SeccompFilter `json:"filters"`
	ABIs    []SeccompABI    `json:"abis"`
	Notes   []SeccompNote   `json:"notes"`
}

// SeccompFilter is one filter of a stack.
type SeccompFilter struct {
	// Index counts from 0 in the order of installation.
	Index        int `json:"index"`
	Instructions int `json:"instructions"`
	// Program is struct sock_filter[] in host byte order; base64 in JSON.
	Program     []byte   `json:"program"`
	Disassembly []string `json:"disassembly,omitempty"`
}

// SeccompABI is what the filters decide for one way into the kernel.
type SeccompABI struct {
	ABI string `json:"abi"`
	// OCI is the OCI runtime specification's name of it.
	OCI    string `json:"oci"`
	Native bool   `json:"native"`
	// Present is yes, no or unknown: whether this kernel has the ABI.
	Present string         `json:"present"`
	Calls   []SeccompCalls `json:"calls"`
}

// SeccompCalls is a range of numbers that the filters treat alike.
type SeccompCalls struct {
	First uint32 `json:"first"`
	Last  uint32 `json:"last"`
	// Calls are the numbers of the range that have a name.
	Calls   []SeccompCall `json:"calls"`
	Verdict string        `json:"verdict"`
	// Summary is the verdict in words, with the condition.
	Summary string       `json:"summary"`
	Ways    []SeccompWay `json:"ways"`
}

// SeccompCall is a system call by number and name.
type SeccompCall struct {
	Number uint32 `json:"number"`
	Name   string `json:"name"`
}

// SeccompWay is one outcome and when it comes about.
type SeccompWay struct {
	// Action is that of seccomp(2) without SECCOMP_RET_, or undecided.
	Action string `json:"action"`
	Value  uint16 `json:"value"`
	// Errno is the name of Value where Action is ERRNO.
	Errno string `json:"errno,omitempty"`
	// When is the condition on the arguments; empty where there is none.
	When string `json:"when,omitempty"`
	// Filter and Offset name the instruction that decides.
	Filter int      `json:"filter"`
	Offset int      `json:"offset"`
	Notes  []string `json:"notes,omitempty"`
	Why    string   `json:"why,omitempty"`
}

// SeccompNote is something about the filters that the table does not show by
// itself. Kind is stable, Text is for people.
type SeccompNote struct {
	Kind string `json:"kind"`
	ABI  string `json:"abi,omitempty"`
	// Syscalls are the calls that it is about; none where it is about all.
	Syscalls []string `json:"syscalls,omitempty"`
	Text     string   `json:"text"`
}

// SeccompScan is every number of one ABI, tried.
type SeccompScan struct {
	ABI     string           `json:"abi"`
	Native  bool             `json:"native"`
	Present string           `json:"present"`
	Calls   []SeccompScanned `json:"calls"`
	// Why says why numbers are missing; empty where all were tried.
	Why string `json:"why,omitempty"`
}

// SeccompScanned is one call that was tried.
type SeccompScanned struct {
	Number uint32 `json:"number"`
	Name   string `json:"name,omitempty"`
	Answer string `json:"answer"`
	// By is the action of a filter that denied it.
	By string `json:"by,omitempty"`
	// Returned says that the call came back; Errno is what with, a name, or
	// empty for success.
	Returned bool   `json:"returned"`
	Errno    string `json:"errno,omitempty"`
	// Signal is the name of what a child died of.
	Signal string    `json:"signal,omitempty"`
	Args   [6]uint64 `json:"args"`
	Detail string    `json:"detail,omitempty"`
}

// SeccompComparison says how a live scan and the evaluated filters agree.
type SeccompComparison struct {
	ABIs []SeccompCompared `json:"abis"`
	// Disagreements are what the two say differently.
	Disagreements []SeccompDisagreement `json:"disagreements"`
}

// SeccompCompared counts one ABI of one class of threads.
type SeccompCompared struct {
	ABI    string `json:"abi"`
	Digest string `json:"digest"`
	Agreed int    `json:"agreed"`
	// Open are numbers where one of the two does not tell.
	Open     []SeccompOpen `json:"open"`
	Disagree int           `json:"disagree"`
	Why      string        `json:"why,omitempty"`
}

// SeccompOpen is a number that could not be compared, and why.
type SeccompOpen struct {
	Number uint32 `json:"number"`
	Name   string `json:"name,omitempty"`
	// Evaluated is what the filters should do; empty where that is not known.
	Evaluated string `json:"evaluated,omitempty"`
	Why       string `json:"why"`
}

// SeccompDisagreement is a number that the scan and the evaluation see
// differently.
type SeccompDisagreement struct {
	ABI       string `json:"abi"`
	Digest    string `json:"digest"`
	Number    uint32 `json:"number"`
	Name      string `json:"name,omitempty"`
	Evaluated string `json:"evaluated"`
	Seen      string `json:"seen"`
}

// SeccompDiff is what one process is let do and the other is not.
type SeccompDiff struct {
	// Other names what the process was compared with: a file, or a pid.
	Other string            `json:"other"`
	Pairs []SeccompDiffPair `json:"pairs"`
}

// SeccompDiffPair compares one class of threads with one of the other.
type SeccompDiffPair struct {
	Threads      []int  `json:"threads"`
	Digest       string `json:"digest"`
	OtherThreads []int  `json:"otherThreads"`
	OtherDigest  string `json:"otherDigest"`
	// Changes are empty where both decide alike.
	Changes []SeccompChange `json:"changes"`
}

// Kinds of change.
const (
	ChangeHereOnly  = "here-only"
	ChangeOtherOnly = "other-only"
	ChangeCondition = "condition"
	ChangeAction    = "action"
	ChangeUnknown   = "unknown"
)

// SeccompChange is a range of numbers that the two treat differently.
type SeccompChange struct {
	ABI   string        `json:"abi"`
	First uint32        `json:"first"`
	Last  uint32        `json:"last"`
	Calls []SeccompCall `json:"calls"`
	// Kind is here-only or other-only for what only one lets through,
	// condition where both do, sometimes, action where neither does, and
	// unknown where one of them is undecided.
	Kind  string `json:"kind"`
	Here  string `json:"here"`
	Other string `json:"other"`
}

// SeccompUsed holds one ABI of one class of threads against the calls that a
// program makes.
type SeccompUsed struct {
	ABI    string `json:"abi"`
	Digest string `json:"digest"`
	// Source is the file that names the calls, Calls how many it names.
	Source string `json:"source"`
	Calls  int    `json:"calls"`
	// Unused are let through, at least under conditions, and never made.
	Unused []SeccompUse `json:"unused"`
	// Denied are made, and denied at least under conditions.
	Denied []SeccompUse `json:"denied"`
	// Undecided are neither known to be let through nor known to be denied.
	Undecided []SeccompUse `json:"undecided"`
}

// SeccompUse is a call with its verdict.
type SeccompUse struct {
	Number  uint32 `json:"number"`
	Name    string `json:"name"`
	Summary string `json:"summary"`
}

// SeccompJSON writes d as exactly one JSON document, two spaces deep, and a
// newline. Bytes that a process chose are escaped as JSON escapes them.
func SeccompJSON(w io.Writer, d *Seccomp) error {
	if d == nil {
		return errNoReport
	}
	c := *d
	c.Target.Comm, c.Target.Exe = plain(d.Target.Comm), plain(d.Target.Exe)
	c.Host.Kernel, c.Host.Arch = plain(d.Host.Kernel), plain(d.Host.Arch)
	c.Used = nil
	for _, u := range d.Used {
		u.Source = plain(u.Source)
		c.Used = append(c.Used, u)
	}
	c.Limits = nil
	for _, l := range d.Limits {
		c.Limits = append(c.Limits, sentence(l))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&c); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return writeAll(w, b.Bytes())
}

var errMore = errors.New("more than one JSON document")

// ReadSeccomp reads what SeccompJSON wrote. Keys of later versions of the
// schema are passed over.
func ReadSeccomp(r io.Reader) (*Seccomp, error) {
	dec := json.NewDecoder(r)
	d := new(Seccomp)
	if err := dec.Decode(d); err != nil {
		return nil, err
	}
	if d.Schema != SeccompSchema {
		return nil, fmt.Errorf("schema is %s, not %s", Safe(d.Schema), SeccompSchema)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errMore
	}
	return d, nil
}
