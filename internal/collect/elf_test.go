package collect

import (
	"bytes"
	"os"
	"runtime"
	"testing"
)

// FuzzELF: whatever a program file holds, reading it ends, and an answer is one
// of those that there are.
func FuzzELF(f *testing.F) {
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		f.Add(self[:4096])
	}
	f.Add([]byte("\x7fELF\x02\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readHardening(bytes.NewReader(data))
		if err == nil && h.RELRO != "none" && h.RELRO != "partial" && h.RELRO != "full" {
			t.Errorf("relro %q", h.RELRO)
		}
	})
}

func TestHardening(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux: programs of other systems are no ELF files")
	}
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	h, err := readHardening(own)
	if err != nil || h.Go != runtime.Version() || h.ExecutableStack {
		t.Errorf("this test: %+v, %v", h, err)
	}
	sh, err := os.Open("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	if h, err = readHardening(sh); err != nil || h.Static || h.Go != "" || h.ExecutableStack {
		t.Errorf("/bin/sh: %+v, %v", h, err)
	}
	t.Logf("/bin/sh: %+v", h)
	for name, bad := range map[string]string{"a script": "#!/bin/sh\n", "nothing": "", "a header alone": "\x7fELF\x02\x01\x01" + string(make([]byte, 57))} {
		if h, err := readHardening(bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
