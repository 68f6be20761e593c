// Command gen writes the generated tables of internal/names: the system calls
// from the numbers that golang.org/x/sys/unix has for each architecture, which
// it finds through the go command in the version that go.mod names; their
// groups from groups.txt; their arguments from arguments.txt.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "golang.org/x/sys"

// columns are the architectures in the order of the table's columns. x32 has no
// file of its own: it is derived from amd64.
var columns = []string{"amd64", "386", "arm64", "arm", "x32"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	out := flag.String("o", "", "file to write; standard output without")
	which := flag.String("table", "syscalls", "what to write: syscalls, groups or arguments")
	dir := flag.String("dir", "gen", "where groups.txt and arguments.txt are")
	flag.Parse()
	text, err := generate(*which, *dir)
	if err != nil {
		log.Fatal(err)
	}
	if *out == "" {
		_, err = os.Stdout.Write(text)
	} else {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// generate returns the whole file with the table that which names.
func generate(which, dir string) ([]byte, error) {
	version, tables, err := readTables()
	if err != nil {
		return nil, err
	}
	switch which {
	case "syscalls":
		return render(version, tables)
	case "groups":
		return renderGroups(filepath.Join(dir, "groups.txt"), rowNames(tables))
	case "arguments":
		return renderArguments(filepath.Join(dir, "arguments.txt"), rowNames(tables), tables)
	default:
		return nil, fmt.Errorf("no table is named %s", which)
	}
}

// readTables returns the numbers of each column, and the module's version.
func readTables() (version string, tables map[string]map[string]uint32, err error) {
	dir, version, err := findModule()
	if err != nil {
		return "", nil, err
	}
	tables = map[string]map[string]uint32{}
	for _, arch := range columns[:4] {
		path := filepath.Join(dir, "unix", "zsysnum_linux_"+arch+".go")
		if tables[arch], err = readNumbers(path); err != nil {
			return "", nil, err
		}
	}
	maps.Copy(tables["arm"], armPrivate)
	tables["x32"], err = x32(tables["amd64"])
	return version, tables, err
}

// rowNames are the names that any architecture has, sorted: the rows.
func rowNames(tables map[string]map[string]uint32) []string {
	all := map[string]bool{}
	for _, table := range tables {
		for name := range table {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// findModule asks the go command where the module lies.
func findModule() (dir, version string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}\n{{.Version}}", module).Output()
	if err != nil {
		return "", "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 || lines[0] == "" {
		return "", "", fmt.Errorf("go list -m %s: the module is not in the cache: run go mod download", module)
	}
	return lines[0], lines[1], nil
}

// readNumbers reads the constants SYS_* of one file.
func readNumbers(path string) (map[string]uint32, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	numbers := map[string]uint32{}
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			if err := addNumber(numbers, spec.(*ast.ValueSpec)); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if len(numbers) < 300 {
		return nil, fmt.Errorf("%s: only %d system calls", path, len(numbers))
	}
	return numbers, nil
}

func addNumber(numbers map[string]uint32, spec *ast.ValueSpec) error {
	name, ok := strings.CutPrefix(spec.Names[0].Name, "SYS_")
	if !ok || notCalls[name] {
		return nil
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok {
		return fmt.Errorf("SYS_%s is not a literal", name)
	}
	nr, err := strconv.ParseUint(literal.Value, 0, 32)
	if err != nil {
		return fmt.Errorf("SYS_%s: %w", name, err)
	}
	numbers[strings.ToLower(name)] = uint32(nr)
	return nil
}

// x32 derives the second ABI of amd64: the same numbers with a bit set, but for
// the calls that have numbers of their own there, or that it lacks.
func x32(amd64 map[string]uint32) (map[string]uint32, error) {
	numbers := map[string]uint32{}
	for name, nr := range amd64 {
		numbers[name] = nr | x32Bit
	}
	for _, name := range only64 {
		if _, ok := numbers[name]; !ok {
			return nil, fmt.Errorf("x32: amd64 has no %s", name)
		}
		delete(numbers, name)
	}
	for i, name := range x32Own {
		if _, ok := numbers[name]; !ok {
			return nil, fmt.Errorf("x32: amd64 has no %s", name)
		}
		numbers[name] = (512 + uint32(i)) | x32Bit
	}
	return numbers, nil
}

// render prints the tables as Go, one row a name.
func render(version string, tables map[string]map[string]uint32) ([]byte, error) {
	rows := rowNames(tables)
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by internal/names/gen from %s %s; DO NOT EDIT.\n\npackage names\n\n", module, version)
	fmt.Fprintf(&b, "// syscallRows are sorted by name. Columns: %s.\n", strings.Join(columns, ", "))
	b.WriteString("var syscallRows = [...]syscallRow{\n")
	at := 0
	for _, name := range rows {
		var cells []string
		for _, arch := range columns {
			word, err := cell(arch, name, tables)
			if err != nil {
				return nil, err
			}
			cells = append(cells, word)
		}
		fmt.Fprintf(&b, "{%d, [archCount]uint16{%s}}, // %s\n", at, strings.Join(cells, ", "), name)
		at += len(name)
	}
	b.WriteString("}\n\n// syscallWords are the names of all rows, one after the other.\nconst syscallWords = \"\" +\n")
	for i := 0; i < len(rows); i += 8 {
		more := " +\n"
		if i+8 >= len(rows) {
			more = "\n"
		}
		fmt.Fprintf(&b, "\t%q%s", strings.Join(rows[i:min(i+8, len(rows))], ""), more)
	}
	b.WriteString("\n// syscallOrder lists the rows of each column by ascending number.\nvar syscallOrder = [archCount][]uint16{\n")
	for _, arch := range columns {
		if err := renderOrder(&b, arch, rows, tables[arch]); err != nil {
			return nil, err
		}
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

// cell is a number without what all of the architecture's have in common.
func cell(arch, name string, tables map[string]map[string]uint32) (string, error) {
	const most, armPrivateBase = 0x7fff, 0x0f0000
	nr, ok := tables[arch][name]
	switch {
	case !ok:
		return "noCall", nil
	case arch == "x32":
		nr &^= x32Bit
	case arch == "arm" && nr >= armPrivateBase && nr-armPrivateBase < 0xfff:
		return fmt.Sprintf("armPrivate + %d", nr-armPrivateBase), nil
	}
	if nr > most {
		return "", fmt.Errorf("%s: %s has number %d, which the table has no room for", arch, name, nr)
	}
	return strconv.FormatUint(uint64(nr), 10), nil
}

func renderOrder(b *bytes.Buffer, arch string, rows []string, table map[string]uint32) error {
	var order []int
	for i, name := range rows {
		if _, ok := table[name]; ok {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(x, y int) int { return int(table[rows[x]]) - int(table[rows[y]]) })
	fmt.Fprintf(b, "{ // %s\n", arch)
	for i, row := range order {
		if i > 0 && table[rows[order[i-1]]] == table[rows[row]] {
			return fmt.Errorf("%s: %s and %s have one number", arch, rows[order[i-1]], rows[row])
		}
		fmt.Fprintf(b, "%d,", row)
		if i%16 == 15 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("\n},\n")
	return nil
}
