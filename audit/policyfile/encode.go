package policyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
)

// Encode writes a policy as YAML with a comment on every key. Decode reads it
// back to an equal policy; where it would not, because a value has no spelling
// (a capability without a name, an attempt that is not in the catalogue), Encode
// returns an error and writes nothing.
func Encode(w io.Writer, p *policy.Policy) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("policyfile: %w", err)
	}
	var b bytes.Buffer
	for _, k := range schema() {
		encodeKey(&b, p, k, "")
	}
	back, err := Decode(bytes.NewReader(b.Bytes()), "policy")
	if err != nil {
		return fmt.Errorf("policyfile: policy %s cannot be written: %w", quoted(p.Name), err)
	}
	if err := sameDemands(p, back); err != nil {
		return fmt.Errorf("policyfile: policy %s cannot be written: %w", quoted(p.Name), err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("policyfile: write: %w", err)
	}
	return nil
}

// encodeKey writes one key with all beneath it, if the policy has any of it.
func encodeKey(b *bytes.Buffer, p *policy.Policy, k key, indent string) {
	if k.keys == nil {
		if value, ok := k.write(p); ok {
			fmt.Fprintf(b, "%s# %s\n%s%s: %s\n", indent, k.means, indent, k.name, value)
		}
		return
	}
	var inner bytes.Buffer
	for _, sub := range k.keys {
		encodeKey(&inner, p, sub, indent+"  ")
	}
	if inner.Len() > 0 {
		fmt.Fprintf(b, "%s# %s\n%s%s:\n%s", indent, k.means, indent, k.name, inner.String())
	}
}

// sameDemands says whether two policies ask for the same. Fields that are not
// looked at make no difference, nor does a list that is nil for one that is empty.
func sameDemands(p, q *policy.Policy) error {
	if p.Name != "" && p.Name != q.Name {
		return errors.New("its name is not one that a file can hold")
	}
	a, err := demands(p)
	if err != nil {
		return err
	}
	b, err := demands(q)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return errors.New("a file cannot say all that it asks for")
	}
	return nil
}

func demands(p *policy.Policy) ([]byte, error) {
	bare := *p
	bare.Name = ""
	user := &bare.Process.User
	user.UID, user.GID = plainID(user.UID), plainID(user.GID)
	if g := user.AdditionalGIDs; g != nil && (g.Nonroot || len(g.Allowed) == 0) {
		user.AdditionalGIDs = &policy.Groups{Nonroot: g.Nonroot, Allowed: []uint32{}}
	}
	return json.Marshal(bare)
}

func plainID(id *policy.ID) *policy.ID {
	if id != nil && id.Nonroot {
		return &policy.ID{Nonroot: true}
	}
	return id
}

// quoteYAML returns text as a double-quoted scalar, in the form that JSON and
// YAML share.
func quoteYAML(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // no string makes json.Marshal fail
		return `""`
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}
