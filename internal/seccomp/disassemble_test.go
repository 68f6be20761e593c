package seccomp

import (
	"errors"
	"flag"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/internal/names"
)

var update = flag.Bool("update", false, "write the golden files anew")

// realShape is a filter as libseccomp shapes one: the architecture, then the
// numbers of x32, then calls by a tree, then arguments in halves, for two ABIs.
var realShape = Program{
	{Code: opLdAbs, K: offsetArch},
	{Code: opJeqK, K: 0xc000003e, JF: 19},
	{Code: opLdAbs, K: offsetNR},
	{Code: opJgeK, K: 0x40000000, JF: 1}, // x32
	{Code: opJeqK, K: 0xffffffff, JF: 24},
	{Code: opJgeK, K: 56, JF: 3},
	{Code: opJeqK, K: 56, JT: 4}, // clone
	{Code: opJeqK, K: 101, JT: 24},
	{Code: opJa, K: 20},
	{Code: opJeqK, K: 1, JT: 19},
	{Code: opJa, K: 18},
	{Code: opLdAbs, K: 16},
	{Code: opJsetK, K: 0x7e020000, JT: 17},
	{Code: opLdAbs, K: 20},
	{Code: opStx, K: 3},
	{Code: opLdxMem, K: 3},
	{Code: opAndX},
	{Code: opRshK, K: 4},
	{Code: opNeg},
	{Code: opJeqX, JT: 9, JF: 10},
	{Code: opRetA},
	{Code: opJeqK, K: 0x40000003, JT: 1},
	{Code: opJeqK, K: 0xc00000b7, JT: 9, JF: 10},
	{Code: opLdAbs, K: offsetNR},
	{Code: opJeqK, K: 26, JT: 7}, // ptrace
	{Code: opJeqK, K: 11, JT: 3}, // execve
	{Code: opJeqK, K: 102, JT: 5},
	{Code: opLdAbs, K: 12},
	{Code: opTax},
	{Code: opRetK, K: RetAllow},
	{Code: opRetK, K: RetErrno | 1},
	{Code: opRetK, K: RetLog},
	{Code: opRetK, K: RetTrace | 7},
	{Code: opRetK, K: RetKillProcess},
	{Code: opLdLen},
	{Code: opRetK, K: 0x7ffd0000},
}

// listing is a golden file, and what it shows.
type listing struct {
	file string
	p    Program
	abis []names.ABI
}

// listed are programs that a golden file shows.
var listed = []listing{
	{"libseccomp-shape.txt", realShape, names.ABIs("amd64")},
	{"two-abis.txt", Program{
		{Code: opLdAbs, K: offsetArch},
		{Code: opJeqK, K: 0xc000003e, JF: 3}, // what is not x86-64 must be i386
		{Code: opLdAbs, K: offsetNR},
		{Code: opJsetK, K: 0x40000000, JT: 4},
		{Code: opJeqK, K: 59, JT: 6, JF: 4}, // of x86-64, without x32
		{Code: opLdAbs, K: offsetNR},
		{Code: opJeqK, K: 11, JT: 4, JF: 1},
		{Code: opLdAbs, K: offsetArgs}, // of no way
		{Code: opJeqK, K: 0x40000208, JT: 2},
		{Code: opJeqK, K: 1, JT: 1}, // of all three
		{Code: opRetK, K: RetAllow},
		{Code: opAddK, K: 1},
		{Code: opJeqK, K: 1}, // no number any more
		{Code: opLdAbs, K: offsetArgs + 4},
		{Code: opJeqK, K: 1, JF: 1}, // an argument
		{Code: opRetK, K: RetTrap | 3},
		{Code: opRetK, K: RetErrno | 999},
	}, names.ABIs("amd64")},
	{"unknown-abi.txt", Program{
		{Code: opLdAbs, K: offsetNR},
		{Code: opJeqK, K: 0, JT: 6}, // before any architecture was compared with
		{Code: opJgtK, K: 59, JT: 5},
		{Code: opJsetK, K: 1, JT: 4},
		{Code: opJeqK, K: 0x40000208, JT: 3},
		{Code: opJeqK, K: 999999, JT: 2},
		{Code: opJsetK, K: 0x40000000, JT: 1},
		{Code: opJeqK, K: 59, JF: 1},
		{Code: opRetK, K: RetErrno},
		{Code: opRetK, K: RetErrno | 0xffff},
	}, names.ABIs("amd64")},
	{"invalid.txt", Program{
		{Code: opLdAbs, K: 61},
		{Code: opDivK},
		{Code: opLshK, K: 32},
		{Code: opLdMem, K: 0xffffffff},
		{Code: opJeqK, K: 1, JT: 2, JF: 255},
		{Code: 0x30, K: 12},
		{Code: opJa, K: 0xffffffff},
		{Code: 0xffff, K: 0xffffffff, JT: 255, JF: 255},
	}, nil},
	{"empty.txt", nil, nil},
}

// realFilters are those that real programs loaded, as ptrace(2) read them.
var realFilters = []string{"chronyd-amd64", "docker-default-amd64", "firejail-amd64-0", "firejail-amd64-1"}

func TestDisassemble(t *testing.T) {
	all := listed
	for _, name := range realFilters {
		raw, err := os.ReadFile("testdata/" + name + ".bpf")
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(raw)
		if err == nil {
			err = p.Validate()
		}
		if err != nil {
			t.Fatal(name, err)
		}
		all = append(all, listing{name + ".txt", p, names.ABIs("amd64")})
	}
	for _, c := range all {
		var b strings.Builder
		if err := Disassemble(&b, c.p, c.abis); err != nil {
			t.Error(err)
		}
		file := "testdata/" + c.file
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s:\n%s", c.file, b.String())
		}
	}
	if err := realShape.Validate(); err != nil {
		t.Error(err)
	}
}

// What is written names every instruction fully: put together again, it is the
// program.
func TestDisassembleLosesNothing(t *testing.T) {
	r := randomSource(5)
	for range 2000 {
		p, _ := generate(r, 60, nil)
		if r.IntN(2) == 0 {
			p = mutate(r, p)
		}
		var b strings.Builder
		if err := Disassemble(&b, p, names.ABIs("amd64")); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != len(p) {
			t.Fatalf("%d lines for %d instructions", len(lines), len(p))
		}
		for pc, line := range lines {
			if got, want := assemble(t, pc, line), meant(p[pc]); got != want {
				t.Fatalf("%q was %+v, reads %+v", line, want, got)
			}
			if strings.TrimRight(line, " ") != line {
				t.Fatalf("%q ends in spaces", line)
			}
		}
	}
}

// meant is the instruction without the operands that its code has no use for.
func meant(in Instruction) Instruction {
	switch in.form() {
	case formUnknown, formBranchK:
		return in
	case formBranchX:
		in.K = 0
		return in
	case formNone, formX:
		return Instruction{Code: in.Code}
	}
	return Instruction{Code: in.Code, K: in.K}
}

var lineShape = regexp.MustCompile(`^ *(\d+)  (\.code|\w+)(?: +(#?0x[0-9a-f]+|\[\d+\]|M\[\d+\]|\d+|x|a|len))?(?: +jt (\d+) +jf (\d+))?(?: k (0x[0-9a-f]+))?(?: +; .+)?$`)

// assemble reads a line of a listing back.
func assemble(t *testing.T, pc int, line string) Instruction {
	t.Helper()
	m := lineShape.FindStringSubmatch(line)
	if m == nil || m[1] != strconv.Itoa(pc) {
		t.Fatalf("%q is no line %d", line, pc)
	}
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(strings.Trim(s, "#M[]"), 0, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return n
	}
	if m[2] == ".code" {
		return Instruction{Code: uint16(number(m[3])), JT: uint8(number(m[4])), JF: uint8(number(m[5])), K: uint32(number(m[6]))}
	}
	in := Instruction{Code: codeOf(t, m[2], m[3])}
	if m[4] != "" {
		in.JT, in.JF = uint8(number(m[4])-uint64(pc)-1), uint8(number(m[5])-uint64(pc)-1)
	}
	switch in.form() {
	case formNone, formX, formBranchX:
	case formJump:
		in.K = uint32(number(m[3]) - uint64(pc) - 1)
	default:
		in.K = uint32(number(m[3]))
	}
	return in
}

// codeOf returns the one code of a mnemonic with an operand.
func codeOf(t *testing.T, mnemonic, operand string) uint16 {
	t.Helper()
	for code := range uint16(len(forms)) {
		in := Instruction{Code: code}
		if in.form() == formUnknown || mnemonics[code] != mnemonic {
			continue
		}
		if shape := in.operand(0); strings.TrimRight(shape, "0123456789abcdef]x") == strings.TrimRight(operand, "0123456789abcdef]x") &&
			(shape == "") == (operand == "") && (in.form() == formX || in.form() == formBranchX) == (operand == "x") {
			return code
		}
	}
	t.Fatalf("no code for %s %s", mnemonic, operand)
	return 0
}

// What the writer says is not lost.
func TestDisassembleFails(t *testing.T) {
	if err := Disassemble(failing{}, realShape, nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
