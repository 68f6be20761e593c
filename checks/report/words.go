package report

import "fmt"

// Verdict is the answer of a whole audit. The zero value is Inconclusive.
type Verdict uint8

const (
	// Inconclusive: no gap, and something could not be found out.
	Inconclusive Verdict = iota
	// Confined: everything the policy asks for was seen to hold.
	Confined
	// Exposed: at least one gap.
	Exposed
)

// Status is the answer of one finding. The zero value is Unknown.
type Status uint8

const (
	// Unknown: it could not be found out. It is never a pass.
	Unknown Status = iota
	// Pass: the posture grants no more than the policy allows.
	Pass
	// Gap: the posture grants more than the policy allows.
	Gap
	// Skipped: the policy does not ask.
	Skipped
)

// Severity weighs a gap. The zero value is Critical.
type Severity uint8

// The severities, worst first.
const (
	Critical Severity = iota
	High
	Medium
	Low
)

// Layer is the layer of defence that a finding belongs to. Input validation,
// the eighth, cannot be observed.
type Layer uint8

// The layers, in the order of the report.
const (
	Memory Layer = iota
	Privilege
	Capabilities
	Seccomp
	Filesystem
	Isolation
	Network
)

var (
	verdictWords  = []string{"inconclusive", "confined", "exposed"}
	statusWords   = []string{"unknown", "pass", "gap", "skipped"}
	severityWords = []string{"critical", "high", "medium", "low"}
	layerWords    = []string{"memory", "privilege", "capabilities", "seccomp", "filesystem", "isolation", "network"}
)

// Layers returns every layer that can be observed, in the order of the report.
func Layers() []Layer {
	return []Layer{Memory, Privilege, Capabilities, Seccomp, Filesystem, Isolation, Network}
}

// word returns the word for v; anything outside the table reads as its zero
// value, which is the careful one.
func word[T ~uint8](words []string, v T) string {
	if int(v) >= len(words) {
		return words[0]
	}
	return words[v]
}

func number[T ~uint8](words []string, v *T, text []byte) error {
	for i, w := range words {
		if w == string(text) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("report: unknown word %q", text)
}

func (v Verdict) String() string  { return word(verdictWords, v) }
func (s Status) String() string   { return word(statusWords, s) }
func (s Severity) String() string { return word(severityWords, s) }
func (l Layer) String() string    { return word(layerWords, l) }

// MarshalText writes the contract's word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalText writes the contract's word.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText writes the contract's word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText writes the contract's word.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the contract's word.
func (v *Verdict) UnmarshalText(b []byte) error { return number(verdictWords, v, b) }

// UnmarshalText reads the contract's word.
func (s *Status) UnmarshalText(b []byte) error { return number(statusWords, s, b) }

// UnmarshalText reads the contract's word.
func (s *Severity) UnmarshalText(b []byte) error { return number(severityWords, s, b) }

// UnmarshalText reads the contract's word.
func (l *Layer) UnmarshalText(b []byte) error { return number(layerWords, l, b) }

// ExitCode is the exit status that belongs to the verdict: 0 confined,
// 1 exposed, 3 inconclusive.
func (v Verdict) ExitCode() int {
	switch v {
	case Confined:
		return 0
	case Exposed:
		return 1
	default:
		return 3
	}
}
