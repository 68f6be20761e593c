package names

// Numbers that the kernel itself puts into code that is probed. x86-64 only.
const (
	uretprobe = 335
	uprobe    = 336
)

// Unfiltered says why the kernel asks no seccomp filter about a call, and is
// empty for every other call. arch is as Syscall takes it.
//
// A probed program enters the kernel by these two where the kernel has put them
// into its code, so a filter that knew nothing of them would end it. Made from
// anywhere else they do nothing: SIGILL, or ENXIO.
func Unfiltered(arch string, nr uint32) string {
	switch {
	case arch == "amd64" && nr == uretprobe:
		return "Linux 6.14 and later ask no filter about uretprobe, which does nothing where no probe put it"
	case arch == "amd64" && nr == uprobe:
		return "Linux 6.18 and later ask no filter about uprobe, which does nothing where no probe put it"
	default:
		return ""
	}
}
