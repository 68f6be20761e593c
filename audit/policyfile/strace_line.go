package policyfile

import "strings"

// cutPrefixes returns a line without what strace writes before a call: a pid
// (-f -o, with the comm of -Y), "[pid 12]", a time (-t, -tt, -ttt, -r), a number
// (-n), an instruction pointer (-i). A call begins with none of these.
func cutPrefixes(line string) string {
	for {
		line = strings.TrimLeft(line, " \t")
		rest := line
		switch {
		case line == "":
			return ""
		case line[0] == '[' && !strings.HasPrefix(line, "[ Process "):
			rest = cutBracket(line)
		case line[0] == '(':
			rest = cutRelative(line)
		case isDigit(line[0]):
			rest = cutNumber(line)
		}
		if rest == line {
			return line
		}
		line = rest
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// cutBracket cuts "[pid  12] ", "[pid 12<comm>] ", "[  59] ", "[00007f12] ".
func cutBracket(line string) string {
	inner := line[1:]
	end := strings.Index(inner, "] ")
	if end < 0 {
		return line
	}
	word := strings.TrimLeft(strings.TrimPrefix(inner[:end], "pid "), " ")
	if word == "" || strings.Trim(word, "0123456789abcdef?") != "" && !strings.HasPrefix(cutNumber(word+" x"), "x") {
		return line
	}
	return inner[end+2:]
}

// cutRelative cuts the time of -r beside another one: "(+     0.000011) ".
func cutRelative(line string) string {
	rest, ok := strings.CutPrefix(line, "(+ ")
	if !ok {
		return line
	}
	rest = strings.TrimLeft(strings.TrimLeft(rest, " "), "0123456789.")
	if rest, ok = strings.CutPrefix(rest, ") "); !ok {
		return line
	}
	return rest
}

// cutNumber cuts a pid with or without its comm, or a time: "12 ", "12<sh> ",
// "12:34:56.789012 ", "1700000000.123456 ".
func cutNumber(line string) string {
	rest := strings.TrimLeft(line, "0123456789.:")
	if strings.HasPrefix(rest, "<") {
		end := strings.Index(rest, "> ")
		if end < 0 {
			return line
		}
		return rest[end+2:]
	}
	if !strings.HasPrefix(rest, " ") {
		return line
	}
	return rest[1:]
}

// isMessage knows lines that are no calls: signals, ends of processes, and what
// strace says of itself.
func isMessage(rest string) bool {
	switch {
	case strings.HasPrefix(rest, "--- "):
		return true
	case strings.HasPrefix(rest, "+++ "):
		return true
	case strings.HasPrefix(rest, "strace: "):
		return true
	case strings.HasPrefix(rest, "[ Process PID="):
		return true
	case rest == "<detached ...>":
		return true
	case strings.HasPrefix(rest, "Process "):
		// Older releases do not say "strace: " before it.
		word := strings.TrimPrefix(rest, "Process ")
		return word != "" && isDigit(word[0])
	default:
		return false
	}
}

// straceCall is one line with a call.
type straceCall struct {
	name string
	// rest is what stands behind the name's parenthesis, or behind "resumed>".
	rest string
}

// cutCall finds the call of a line that has lost its prefixes: "read(…" or
// "<... read resumed>…".
func cutCall(line string) (straceCall, bool) {
	if inner, ok := strings.CutPrefix(line, "<... "); ok {
		name, rest, ok := strings.Cut(inner, " resumed>")
		return straceCall{name, rest}, ok && isCallName(name)
	}
	name, rest, ok := strings.Cut(line, "(")
	return straceCall{name, rest}, ok && isCallName(name)
}

// maxCallName is longer than any name of a call.
const maxCallName = 64

func isCallName(name string) bool {
	if name == "????" {
		return true
	}
	if name == "" || len(name) > maxCallName || isDigit(name[0]) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c != '_' && !isDigit(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// ends says whether the line ends as calls do: with a result, or with the words
// for a call that has none yet.
func (c straceCall) ends() bool {
	_, answered := c.result()
	return answered || strings.HasSuffix(c.rest, "<unfinished ...>") || strings.HasSuffix(c.rest, "<detached ...>")
}

// result returns what stands behind " = " after the closing parenthesis. Paths
// among the arguments and in the result may hold those characters too, so it is
// looked for from the end.
func (c straceCall) result() (string, bool) {
	text := c.rest
	for {
		at := strings.LastIndex(text, "= ")
		if at < 0 {
			return "", false
		}
		before := strings.TrimRight(text[:at], " ")
		if strings.HasSuffix(before, ")") || before == "" {
			return c.rest[at+2:], true
		}
		text = text[:at]
	}
}
