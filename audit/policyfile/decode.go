package policyfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// What a policy file begins with.
const (
	apiVersion = "selfaudit/v1"
	kindPolicy = "Policy"
)

// maxSize bounds a policy file, in bytes.
const maxSize = 1 << 20

// maxErrors bounds how many errors are reported of one file.
const maxErrors = 20

// maxName bounds a policy's name, in bytes.
const maxName = 253

// Decode reads one policy, in YAML or JSON, of at most 1 MiB. The name is that
// of the file: it stands in errors and in Policy.Source, where "-" becomes
// "stdin", and names a policy that has no metadata.name. All errors are
// *Error, in the order of their places, joined with errors.Join. Names of users
// and groups are looked up in the machine's user database.
func Decode(r io.Reader, name string) (*policy.Policy, error) {
	if name == "-" || name == "" {
		name = "stdin"
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, &Error{File: name, Message: "read: " + printable(err.Error()), cause: err}
	}
	if len(text) > maxSize {
		return nil, &Error{File: name, Message: fmt.Sprintf("larger than %d bytes", maxSize)}
	}
	d := &decoder{policy: &policy.Policy{Source: name}}
	d.document(text)
	if len(d.errs) == 0 {
		d.finish(text, name)
	}
	if len(d.errs) > 0 {
		return nil, d.joined(name)
	}
	return d.policy, nil
}

// decoder is one reading of one file.
type decoder struct {
	policy *policy.Policy
	errs   []*Error
}

// full says that there are enough errors, so that a large file full of them
// costs no more than a small one.
func (d *decoder) full() bool { return len(d.errs) > maxErrors }

// fail notes an error at a node's place.
func (d *decoder) fail(n node, format string, args ...any) {
	d.add(&Error{Line: n.line(), Column: n.column(), Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) add(e *Error) {
	if d.full() {
		return
	}
	if len(d.errs) == maxErrors {
		e = &Error{Line: e.Line, Column: e.Column, Message: "more errors follow"}
	}
	d.errs = append(d.errs, e)
}

func (d *decoder) joined(file string) error {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, len(d.errs))
	for i, e := range d.errs {
		e.File = file
		all[i] = e
	}
	return errors.Join(all...)
}

func (d *decoder) document(text []byte) {
	if err := checkText(text); err != nil {
		d.add(err)
		return
	}
	root, err := parseYAML(text)
	if err != nil {
		d.add(err)
		return
	}
	if root.kind() != mappingNode {
		d.fail(root, "a policy is a mapping that begins with apiVersion: %s, not %s", apiVersion, root.shown())
		return
	}
	d.mapping(root, "", schema(), []string{"apiVersion", "kind"})
}

// finish fills in what does not come from a key, and makes sure that the policy
// asks for something.
func (d *decoder) finish(text []byte, file string) {
	if d.policy.Name == "" {
		d.policy.Name = nameOfFile(file)
	}
	sum := sha256.Sum256(text)
	d.policy.SHA256 = hex.EncodeToString(sum[:])
	err := d.policy.Validate()
	switch {
	case errors.Is(err, policy.ErrEmpty):
		d.add(&Error{Line: 1, Column: 1, Message: "the policy asks for nothing, so every process would pass: name at least one expectation", cause: err})
	case err != nil:
		d.add(&Error{Line: 1, Column: 1, Message: printable(err.Error()), cause: err})
	}
}

// nameOfFile is what a policy is called that has no name of its own.
func nameOfFile(file string) string {
	base := filepath.Base(file)
	name := printable(strings.TrimSuffix(base, filepath.Ext(base)))
	if name == "" || len(name) > maxName {
		return "policy"
	}
	return name
}
