//go:build linux && (amd64 || arm64)

package probes

import (
	"context"
	"runtime"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

func TestScanTables(t *testing.T) {
	if !sort.StringsAreSorted(mayRefuse[:]) {
		t.Error("mayRefuse is not sorted")
	}
	list := make([]string, 0, len(specials))
	for _, s := range specials {
		list = append(list, s.name)
		if s.why == "" {
			t.Errorf("%s: no reason", s.name)
		}
	}
	if !sort.StringsAreSorted(list) || len(slices.Compact(list)) != len(specials) {
		t.Error("specials are not sorted, or not unique")
	}
	for _, name := range slices.Concat(list, mayRefuse[:]) {
		if !names.IsSyscall(name) {
			t.Errorf("%s: no such system call", name)
		}
	}
}

// TestScanNumbers: every number from 0 to the last, and some beyond, once each.
func TestScanNumbers(t *testing.T) {
	for _, machine := range []string{"amd64", "arm64", "386", "arm"} {
		for _, abi := range names.ABIs(machine) {
			all := numbersOf(abi)
			last := names.LastSyscall(abi.Arch)
			for k := range last + 1 - abi.NumberBit {
				if all[k] != k|abi.NumberBit {
					t.Fatalf("%s: number %d is %d", abi.Name, k, all[k])
				}
			}
			if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || len(all) < int(last-abi.NumberBit)+6 {
				t.Errorf("%s: %d numbers, not ascending or too few", abi.Name, len(all))
			}
			for _, nr := range all {
				if abi.Machine == "amd64" && abi.WordBits == 64 && nr&x32Bit != abi.NumberBit {
					t.Errorf("%s: %#x is the other ABI's", abi.Name, nr)
				}
			}
		}
	}
}

// TestScanUnfiltered: without a filter every number is reachable or is no call
// of this kernel, and where the kernel itself refuses, a table says that it may.
func TestScanUnfiltered(t *testing.T) {
	for _, nobody := range users() {
		s := scanSpec{Nobody: nobody}
		scans := scanIn(t, s)
		native := names.ABIs(runtime.GOARCH)[0]
		if n := len(scans[native.Name].Calls); n < 400 {
			t.Fatalf("%d numbers of the native ABI", n)
		}
		for _, abi := range names.ABIs(runtime.GOARCH) {
			counts := map[posture.Answer]int{}
			for _, c := range scans[abi.Name].Calls {
				name, known := names.SyscallName(abi.Arch, c.Number)
				counts[c.Answer]++
				switch {
				case c.Answer == posture.AnswerReachable && !known && abi == native:
					t.Logf("%s %d: a call that no table has", abi.Name, c.Number)
				case c.Answer == posture.AnswerReachable && c.Errno != 0 && (c.Errno == 1 || c.Errno == 13):
					if i := sort.SearchStrings(mayRefuse[:], name); i == len(mayRefuse) || mayRefuse[i] != name {
						t.Errorf("%s %s: the kernel refuses it, and no table says so", abi.Name, name)
					}
				case c.Answer == posture.AnswerReachable, c.Answer == posture.AnswerNoCall:
				default:
					t.Errorf("%s %d %s: %s by %s: %s", abi.Name, c.Number, name, c.Answer, c.By, c.Detail)
				}
			}
			t.Logf("nobody %v: %s: %d reachable, %d no such call, %d unknown; %s", s.Nobody, abi.Name, counts[posture.AnswerReachable], counts[posture.AnswerNoCall], counts[posture.AnswerUnknown], scans[abi.Name].Why)
		}
		// What every kernel has and answers without a privilege.
		for _, name := range []string{"read", "write", "openat", "execve", "exit", "exit_group", "kill", "ptrace", "mount", "clone", "rt_sigreturn", "setsid", "sync"} {
			nr, _ := number(name)
			k := slices.IndexFunc(scans[native.Name].Calls, func(c posture.Scanned) bool { return c.Number == nr })
			if k < 0 || scans[native.Name].Calls[k].Answer != posture.AnswerReachable {
				t.Errorf("%s is not reachable", name)
			}
		}
	}
}

func TestABIs(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, err := ABIs(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	want := names.ABIs(runtime.GOARCH)
	if len(list) != len(want) {
		t.Fatalf("%v", list)
	}
	for k, a := range list {
		has, known := a.Present.Get()
		t.Logf("%s: %v %v %s%s", a.Name, known, has, a.Present.Raw, a.Present.Why())
		if a.Name != want[k].Name || k == 0 && (!known || !has) {
			t.Errorf("%+v", a)
		}
		if a.Name == "x32" && known && !has {
			t.Error("ENOSYS is said to be the kernel's though a filter may stand before it")
		}
	}
}
