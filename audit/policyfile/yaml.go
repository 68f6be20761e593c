package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is what a node of the file is.
type kind uint8

const (
	otherNode kind = iota
	stringNode
	boolNode
	intNode
	floatNode
	nullNode
	listNode
	mappingNode
)

// node is one value of the file with its place. Only this source file knows
// which library reads YAML.
type node struct{ yaml *yaml.Node }

// pair is one entry of a mapping.
type pair struct{ key, value node }

var kindsByTag = map[string]kind{
	"!!str": stringNode, "!!bool": boolNode, "!!int": intNode, "!!float": floatNode, "!!null": nullNode,
}

func (n node) kind() kind {
	switch n.yaml.Kind {
	case yaml.SequenceNode:
		return listNode
	case yaml.MappingNode:
		return mappingNode
	case yaml.ScalarNode:
		return kindsByTag[n.yaml.ShortTag()]
	default:
		return otherNode
	}
}

func (n node) text() string { return n.yaml.Value }

func (n node) line() int { return n.yaml.Line }

func (n node) column() int { return n.yaml.Column }

func (n node) isMergeKey() bool {
	return n.yaml.Kind == yaml.ScalarNode && n.yaml.ShortTag() == "!!merge"
}

func (n node) items() []node {
	items := make([]node, len(n.yaml.Content))
	for i, c := range n.yaml.Content {
		items[i] = node{c}
	}
	return items
}

func (n node) pairs() []pair {
	var pairs []pair
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		pairs = append(pairs, pair{node{n.yaml.Content[i]}, node{n.yaml.Content[i+1]}})
	}
	return pairs
}

// unusual names what a node uses of YAML that a policy has no need of, and that
// makes a file mean something else than it seems to say. It is "" for most.
func (n node) unusual() string {
	switch {
	case n.yaml.Kind == yaml.AliasNode:
		return "an alias"
	case n.yaml.Anchor != "":
		return "an anchor"
	case n.yaml.Style&yaml.TaggedStyle != 0:
		return "a tag"
	default:
		return ""
	}
}

// shown describes the node's value for a message.
func (n node) shown() string {
	switch n.kind() {
	case nullNode:
		return "null"
	case listNode:
		return "a list"
	case mappingNode:
		return "a mapping"
	default:
		return quoted(n.text())
	}
}

// parseYAML returns the value of the one document in text.
func parseYAML(text []byte) (root node, err *Error) {
	// The library reports its own mistakes by panics. A file that makes it
	// panic is a bad file, not a reason to end the program.
	defer func() {
		if r := recover(); r != nil {
			err = &Error{Line: 1, Column: 1, Message: "not readable as YAML"}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return node{}, &Error{Line: 1, Column: 1, Message: "empty: there is no policy in it"}
	} else if err != nil {
		return node{}, syntaxError(text, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return node{}, &Error{Line: second.Line, Column: second.Column, Message: "a second document: a policy file holds one"}
	} else if !errors.Is(err, io.EOF) {
		return node{}, syntaxError(text, err)
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) != 1 {
		return node{}, &Error{Line: 1, Column: 1, Message: "empty: there is no policy in it"}
	}
	return node{first.Content[0]}, nil
}

var yamlMessage = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s).*)$`)

// countedFromZero are messages of the library's parser. It counts lines from 0,
// unlike the scanner beneath it, and leaves line 0 out.
var countedFromZero = []string{
	"did not find expected <", "did not find expected node content", "did not find expected '-' indicator", "did not find expected key",
	"did not find expected ',' or", "found undefined tag handle", "found duplicate %", "found incompatible YAML document",
}

// bareGroup is a group of system calls that is not in quotes.
var bareGroup = regexp.MustCompile(`(?:^|[\s\[,])(@[a-z][a-z-]{0,30})`)

// syntaxError gives the library's message a place. It names the line at most;
// the column is that of the line's first character that is no space.
func syntaxError(text []byte, err error) *Error {
	m := yamlMessage.FindStringSubmatch(err.Error())
	lines := strings.Split(string(text), "\n")
	line, _ := strconv.Atoi(m[1])
	if line > 0 && slices.ContainsFunc(countedFromZero, func(s string) bool { return strings.HasPrefix(m[2], s) }) {
		line++
	}
	line = min(max(line, 1), len(lines))
	shown := lines[line-1]
	if at := bareGroup.FindStringSubmatchIndex(shown); at != nil && strings.HasPrefix(m[2], "found character that cannot start any token") {
		word := shown[at[2]:at[3]]
		return &Error{Line: line, Column: utf8.RuneCountInString(shown[:at[2]]) + 1, Message: fmt.Sprintf("%s begins with a character that YAML keeps for itself: write it in quotes, %q", word, word)}
	}
	column := len(shown) - len(strings.TrimLeft(shown, " \t")) + 1
	return &Error{Line: line, Column: column, Message: fmt.Sprintf("neither YAML nor JSON: %s", printable(m[2]))}
}
