package policyfile

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// head begins every policy; it takes two lines.
const head = "apiVersion: selfaudit/v1\nkind: Policy\n"

// skip leaves a test out for the reason given. Where SELFAUDIT_NO_SKIP=1 asks
// for a complete run as root, that is a failure.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("SELFAUDIT_NO_SKIP") == "1" && os.Geteuid() == 0 {
		t.Fatal("left out: " + reason)
	}
	t.Skip(reason)
}

func decode(text string) (*policy.Policy, error) { return Decode(strings.NewReader(text), "f.yaml") }

func mustDecode(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := decode(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// parts returns the errors that were joined.
func parts(t *testing.T, err error) []*Error {
	t.Helper()
	var joined interface{ Unwrap() []error }
	all := []error{err}
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	var out []*Error
	for _, e := range all {
		typed, ok := e.(*Error)
		if !ok {
			t.Fatalf("%T is not *Error: %v", e, e)
		}
		out = append(out, typed)
	}
	return out
}
