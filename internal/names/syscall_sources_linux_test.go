package names

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestSyscallLibseccomp compares the tables that no kernel header of this
// machine has with those of libseccomp. A release that is older than a call
// answers -1, and a negative number for a call that the ABI lacks.
func TestSyscallLibseccomp(t *testing.T) {
	for arch, theirs := range map[string]string{"arm64": "aarch64", "arm": "arm"} {
		script := `while read -r n; do printf '%s %s\n' "$n" "$(scmp_sys_resolver -a ` + theirs + ` "$n")"; done`
		cmd := exec.Command("sh", "-c", "command -v scmp_sys_resolver >/dev/null && "+script)
		cmd.Stdin = strings.NewReader(strings.Join(SyscallNames(), "\n") + "\n")
		out, err := cmd.Output()
		if err != nil {
			skip(t, "scmp_sys_resolver cannot be run: "+err.Error())
		}
		same := 0
		for line := range strings.Lines(string(out)) {
			name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				t.Fatalf("%s: scmp_sys_resolver prints %q", theirs, line)
			}
			ours, ok := Syscall(arch, name)
			switch {
			case n < 0 && !ok:
			case n < 0 && int64(ours) > 440:
				// Newer than the library may be.
			case n < 0:
				t.Errorf("%s: %s is %d here, and unknown to libseccomp", arch, name, ours)
			case !ok || int64(ours) != n:
				t.Errorf("%s: %s is %d, %v; libseccomp says %d", arch, name, ours, ok, n)
			default:
				same++
			}
		}
		if same < 280 {
			t.Errorf("%s: only %d numbers were compared", arch, same)
		}
	}
}

// entryPoints are functions of the kernel that implement a call under another
// name than the table's, or calls of other architectures, for which every
// kernel has a place that answers ENOSYS.
const entryPoints = "llseek mmap_pgoff newfstat newlstat newstat newuname ni_syscall old_getrlimit old_msgctl old_readdir old_semctl old_shmctl oldumount " +
	"rtas s390_ipc s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi s390_guarded_storage spu_create spu_run subpage_prot switch_endian sync_file_range2 gethostname " +
	"riscv_hwprobe riscv_flush_icache uretprobe arm64_personality"

// TestSyscallKernelNames compares with the running kernel's own functions: what
// it has an entry point for is a call that the table knows.
func TestSyscallKernelNames(t *testing.T) {
	prefix := map[string]string{"amd64": "__x64_sys_", "arm64": "__arm64_sys_"}[runtime.GOARCH]
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil || prefix == "" {
		skip(t, "the kernel's symbols are not readable")
	}
	found := regexp.MustCompile(` `+prefix+`(\w+)\n`).FindAllStringSubmatch(string(symbols), -1)
	for _, m := range found {
		name := strings.TrimPrefix(m[1], "ia32_")
		for _, suffix := range []string{"_time32", "32", "16"} {
			if plain := strings.TrimSuffix(name, suffix); !IsSyscall(name) && IsSyscall(plain) {
				name = plain
			}
		}
		if !IsSyscall(name) && !listed(entryPoints, name) {
			t.Errorf("the kernel has a call %s", name)
		}
	}
	if len(found) < 300 {
		t.Errorf("only %d symbols of calls were found", len(found))
	}
}

// TestSyscallBeyondLast asks the running kernel: above the table's last number,
// it has no call. Where it has one, golang.org/x/sys is older than the kernel.
func TestSyscallBeyondLast(t *testing.T) {
	last := LastSyscall(runtime.GOARCH)
	if last == 0 {
		t.Fatalf("no table for %s", runtime.GOARCH)
	}
	const none = ^uintptr(0)
	for nr := uintptr(last) + 1; nr <= uintptr(last)+40; nr++ {
		// Numbers from 512 to 547 answer on kernels of amd64 that have x32.
		if runtime.GOARCH == "amd64" && nr >= 512 {
			break
		}
		if _, _, errno := syscall.RawSyscall6(nr, none, none, none, none, none, none); errno != syscall.ENOSYS {
			t.Errorf("the kernel has a call %d: %v", nr, errno)
		}
	}
}
