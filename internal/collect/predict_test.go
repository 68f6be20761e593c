package collect

import (
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/internal/seccomp"
)

const (
	load     = 0x20
	jumpIfEq = 0x15
	jumpIfGe = 0x35
	giveK    = 0x06
	giveA    = 0x16
)

func program(in ...seccomp.Instruction) []byte { return seccomp.Program(in).Encode() }

// older denies number 5 with an errno that no one has, and 6 by killing;
// newer denies 5 to 6 with EPERM, and asks for the instruction pointer of 7.
var (
	older = program(
		seccomp.Instruction{Code: load, K: 0},
		seccomp.Instruction{Code: jumpIfEq, K: 5, JT: 2},
		seccomp.Instruction{Code: jumpIfEq, K: 6, JT: 2},
		seccomp.Instruction{Code: giveK, K: seccomp.RetAllow},
		seccomp.Instruction{Code: giveK, K: seccomp.RetErrno | 0xffff},
		seccomp.Instruction{Code: giveK, K: 0x12340000}, // no action: ends the process
	)
	newer = program(
		seccomp.Instruction{Code: load, K: 0},
		seccomp.Instruction{Code: jumpIfEq, K: 7, JT: 4},
		seccomp.Instruction{Code: load, K: 16}, // the first argument
		seccomp.Instruction{Code: jumpIfEq, K: 99, JF: 1},
		seccomp.Instruction{Code: giveK, K: seccomp.RetErrno | 1},
		seccomp.Instruction{Code: giveK, K: seccomp.RetAllow},
		seccomp.Instruction{Code: load, K: 8},
		seccomp.Instruction{Code: giveA},
	)
)

func TestPredict(t *testing.T) {
	scanned := func(nr uint32, arg uint64) posture.Scanned {
		return posture.Scanned{Number: nr, Args: [6]uint64{arg}}
	}
	scans := []posture.Scan{
		{ABI: "x86-64", Calls: []posture.Scanned{scanned(4, 0), scanned(5, 0), scanned(5, 99), scanned(6, 99), scanned(8, 99), scanned(7, 0)}},
		{ABI: "pdp-11", Calls: []posture.Scanned{scanned(4, 0)}},
	}
	Predict(&posture.Filters{Programs: [][]byte{older, newer}}, scans)
	for i, want := range []posture.Way{
		{Action: posture.ActionAllow, Filter: 1, Offset: 5},
		{Action: posture.ActionErrno, Value: 4095, Filter: 0, Offset: 4},
		// Of two of one action the newer one's errno.
		{Action: posture.ActionErrno, Value: 1, Filter: 1, Offset: 4},
		{Action: posture.ActionErrno, Value: 1, Filter: 1, Offset: 4}, // 0x1234 is greater, and so comes after it
		{Action: posture.ActionErrno, Value: 1, Filter: 1, Offset: 4},
	} {
		got, known := scans[0].Calls[i].Filtered.Get()
		if !known || got.Action != want.Action || got.Value != want.Value || got.Filter != want.Filter || got.Offset != want.Offset {
			t.Errorf("%d: %+v, want %+v: %s", i, got, want, scans[0].Calls[i].Filtered.Why())
		}
	}
	if f := scans[0].Calls[5].Filtered; f.State != posture.Unreadable || !strings.Contains(f.Why(), "filter 1 looks at the instruction pointer") {
		t.Errorf("%+v", f)
	}
	if f := scans[1].Calls[0].Filtered; f.State != posture.Unreadable {
		t.Errorf("an unknown ABI: %+v", f)
	}
	Predict(nil, scans)
	if f := scans[0].Calls[0].Filtered; f.State != posture.Unreadable || f.Why() != "no filters were read" {
		t.Errorf("without filters: %+v", f)
	}
	Predict(new(posture.Filters), scans)
	if f, known := scans[0].Calls[0].Filtered.Get(); !known || f.Action != posture.ActionAllow || f.Filter != -1 {
		t.Errorf("known to be none: %+v", f)
	}
	Predict(&posture.Filters{Programs: [][]byte{older, newer[:12]}}, scans)
	if f := scans[0].Calls[0].Filtered; f.State != posture.Unreadable || !strings.HasPrefix(f.Why(), "filter 1: ") {
		t.Errorf("half a program: %+v", f)
	}
}

// The kernel compares actions as signed numbers, and takes one that it does
// not know for the end of the process.
func TestPredictUnknownAction(t *testing.T) {
	scans := []posture.Scan{{ABI: "x86-64", Calls: []posture.Scanned{{Number: 6}}}}
	Predict(&posture.Filters{Programs: [][]byte{older}}, scans)
	if got := scans[0].Calls[0].Filtered.Value; got.Action != posture.ActionKillProcess || got.Offset != 5 {
		t.Errorf("%+v", got)
	}
}

// What is evaluated for all arguments holds for some.
func TestVerdicts(t *testing.T) {
	abi, _ := names.FindABI("x86-64")
	f, err := Verdicts([][]byte{older, newer}, []names.ABI{abi})
	if err != nil || len(f.ABIs) != 1 || f.ABIs[0].ABI != "x86-64" {
		t.Fatalf("%+v, %v", f, err)
	}
	next := uint32(0)
	for _, c := range f.ABIs[0].Calls {
		if next == 1<<30 {
			next = 1 << 31 // between them are the numbers of x32
		}
		if c.First != next || len(c.Ways) == 0 || c.Summary == "" {
			t.Fatalf("after %d: %+v", next, c)
		}
		next = c.Last + 1
		for nr := c.First; nr <= min(c.Last, 9); nr++ {
			for _, arg := range []uint64{0, 98, 99} {
				agreesWith(t, f.Programs, &c, nr, arg)
			}
		}
	}
	if _, err := Verdicts([][]byte{older, {1, 2, 3}}, nil); err == nil || !strings.HasPrefix(err.Error(), "filter 1: ") {
		t.Errorf("three bytes: %v", err)
	}
	if _, err := Verdicts([][]byte{program(seccomp.Instruction{Code: load})}, nil); err == nil {
		t.Error("a program without an end")
	}
	if f, err := Verdicts(nil, []names.ABI{abi}); err != nil || len(f.ABIs) != 0 {
		t.Errorf("no filter: %+v, %v", f, err)
	}
}

// agreesWith wants what is predicted for one call among the ways of its range.
func agreesWith(t *testing.T, programs [][]byte, c *posture.FilteredCalls, nr uint32, arg uint64) {
	t.Helper()
	scans := []posture.Scan{{ABI: "x86-64", Calls: []posture.Scanned{{Number: nr, Args: [6]uint64{arg}}}}}
	Predict(&posture.Filters{Programs: programs}, scans)
	got, known := scans[0].Calls[0].Filtered.Get()
	for _, w := range c.Ways {
		if !known || w.Action == got.Action && w.Value == got.Value && w.Filter == got.Filter && w.Offset == got.Offset || w.Action == posture.ActionUndecided {
			return
		}
	}
	t.Errorf("number %d, %d: predicted %+v, not among %+v", nr, arg, got, c.Ways)
}

func TestWayOf(t *testing.T) {
	for ret, want := range map[uint32]posture.Way{
		seccomp.RetKillProcess | 7: {Action: posture.ActionKillProcess, Value: 7},
		seccomp.RetKillThread:      {Action: posture.ActionKillThread},
		seccomp.RetTrap | 2:        {Action: posture.ActionTrap, Value: 2},
		seccomp.RetErrno | 38:      {Action: posture.ActionErrno, Value: 38},
		seccomp.RetErrno | 5000:    {Action: posture.ActionErrno, Value: 4095},
		seccomp.RetUserNotif:       {Action: posture.ActionNotify},
		seccomp.RetTrace | 3:       {Action: posture.ActionTrace, Value: 3},
		seccomp.RetLog:             {Action: posture.ActionLog},
		seccomp.RetAllow:           {Action: posture.ActionAllow},
		0x7ff10000:                 {Action: posture.ActionKillProcess},
	} {
		if got := wayOf(ret, 0, 0); got.Action != want.Action || got.Value != want.Value {
			t.Errorf("%#x: %+v, want %+v", ret, got, want)
		}
	}
}
