package procfs

import (
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/selfaudit/selfaudit/checks/posture"
)

const someLimits = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                96366                processes 
Max open files            1024                 20000                files     
Max locked memory         8388608              8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       96365                96365                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
`

func TestParseLimits(t *testing.T) {
	got, err := ParseLimits([]byte(someLimits))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(limitLines) {
		t.Fatalf("%d limits", len(got))
	}
	for i, want := range map[int]posture.Limit{
		3: {Name: "RLIMIT_STACK", Unit: "bytes", Soft: 8388608, Hard: posture.RlimInfinity},
		6: {Name: "RLIMIT_NPROC", Unit: "processes", Soft: 96365, Hard: 96366},
		7: {Name: "RLIMIT_NOFILE", Unit: "files", Soft: 1024, Hard: 20000},
	} {
		if got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
	line := func(old, new string) string {
		if !strings.Contains(someLimits, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(someLimits, old, new, 1)
	}
	for name, text := range map[string]string{
		"empty":       "",
		"cut":         strings.TrimSuffix(someLimits, "\n"),
		"line lost":   line("Max open files            1024                 20000                files     \n", ""),
		"line twice":  someLimits + "Max open files            1                    1                    files     \n",
		"no number":   line("1024 ", "1k24 "),
		"negative":    line("1024 ", "-1   "),
		"too large":   line("1024                 20000", "99999999999999999999 unlimited"),
		"soft > hard": line("1024 ", "20001"),
		"one value":   line("1024                 20000                files", ""),
	} {
		if got, err := ParseLimits([]byte(text)); err == nil || !errors.Is(err, ErrCut) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte(someLimits))
	if own, err := os.ReadFile("/proc/self/limits"); err == nil {
		f.Add(own)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseLimits(data)
		if err != nil {
			return
		}
		if again, err := ParseLimits([]byte(limitsText(got))); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%+v is read again as %+v, %v", got, again, err)
		}
	})
}

// limitsText writes limits as the kernel does.
func limitsText(limits []posture.Limit) string {
	var b strings.Builder
	for i, l := range limits {
		b.WriteString(limitLines[i].line + "   " + limitText(l.Soft) + "   " + limitText(l.Hard) + "   " + l.Unit + "   \n")
	}
	return b.String()
}

func limitText(n uint64) string {
	if n == posture.RlimInfinity {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}
