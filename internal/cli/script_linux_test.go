package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/selfaudit/selfaudit/checks/report"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/render"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"auditctl": func() { os.Exit(Main()) },
		"holder":   holder,
		"under":    under,
	})
}

// TestScript runs the command as people do: real processes, both streams, exit
// codes.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(2 * time.Minute),
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":      exitCode,
			"hold":      hold,
			"jsoncheck": jsonCheck,
			"need":      need,

			"wholedocument": wholeDocument,
		},
	})
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "kthreadd":
		comm, err := os.ReadFile("/proc/2/comm")
		return err == nil && string(comm) == "kthreadd\n", nil
	default:
		return false, fmt.Errorf("unknown condition %q", name)
	}
}

// need REASON stops a script that cannot run here, and fails it where the suite
// runs as root and was told to leave nothing out.
func need(ts *testscript.TestScript, _ bool, args []string) {
	reason := strings.Join(args, " ")
	if os.Geteuid() == 0 && os.Getenv("SELFAUDIT_NO_SKIP") == "1" {
		ts.Fatalf("not to be left out: needs %s", reason)
	}
	ts.Logf("left out: needs %s", reason)
}

// code N COMMAND... runs a command and requires that exit code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		got = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// jsoncheck FILE VERDICT [ID=STATUS...] requires exactly one report in FILE,
// with that verdict and, for each id, a finding with that status.
func jsonCheck(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: jsoncheck FILE VERDICT [ID=STATUS...]")
	}
	r, err := strictReport([]byte(ts.ReadFile(args[0])))
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	if r.Verdict.String() != args[1] {
		ts.Fatalf("verdict %s, want %s", r.Verdict, args[1])
	}
	for _, want := range args[2:] {
		id, status, _ := strings.Cut(want, "=")
		found := []string{}
		for _, f := range r.Findings {
			if f.ID == id {
				found = append(found, f.Status.String())
			}
		}
		if !strings.Contains(" "+strings.Join(found, " ")+" ", " "+status+" ") {
			ts.Fatalf("%s is %q, want %s", id, found, status)
		}
	}
}

func strictReport(doc []byte) (*report.Report, error) {
	if !utf8.Valid(doc) || !bytes.HasSuffix(doc, []byte("\n}\n")) {
		return nil, errors.New("not valid UTF-8 that ends in one newline")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	var r report.Report
	if err := dec.Decode(&r); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more behind the document: %v", err)
	}
	if r.Schema != report.Schema {
		return nil, fmt.Errorf("schema %q", r.Schema)
	}
	counts, verdict := report.Decide(r.Findings)
	if counts != r.Counts || verdict != r.Verdict {
		return nil, fmt.Errorf("counts %+v and verdict %s do not follow from the findings", r.Counts, r.Verdict)
	}
	return &r, nil
}

// wholedocument FILE requires one document of auditctl seccomp in FILE, with a
// verdict on every number of every ABI.
func wholeDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wholedocument FILE")
	}
	text := ts.ReadFile(args[0])
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	var d render.Seccomp
	if err := dec.Decode(&d); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	if _, err := dec.Token(); err != io.EOF || !strings.HasSuffix(text, "\n}\n") {
		ts.Fatalf("%s: more behind the document: %v", args[0], err)
	}
	for i := range d.Classes {
		if len(d.Classes[i].ABIs) != len(names.ABIs(runtime.GOARCH)) {
			ts.Fatalf("%s: %d ABIs", args[0], len(d.Classes[i].ABIs))
		}
		if err := whole(&d.Classes[i]); err != nil {
			ts.Fatalf("%s: %v", args[0], err)
		}
	}
	if len(d.Classes) == 0 {
		ts.Fatalf("%s: no threads", args[0])
	}
}
