package child

import (
	"encoding/binary"

	"github.com/selfaudit/selfaudit/internal/kernel"
)

// ImageStatus is what the program of Image ends with.
const ImageStatus = 93

// Image returns a descriptor of a program that ends at once: a file in memory
// that cannot be changed, and that only its owner may read, so that no process
// of the user id that executes it may trace it meanwhile: execve(2). It needs
// memfd_create(2), and vm.memfd_noexec below 2. The caller closes it.
//
// It is in the machine's own code, and no Go program: of that the runtime takes
// memory, threads and calls that limits and filters may refuse, and the main
// function would be somebody else's.
func Image() (int, error) { return kernel.ProgramFile("selfaudit", image()) }

// image is an executable of the ELF format for 64 bits, with one segment and no
// interpreter: elf(5). Its code calls exit_group(2), and exit(2) where it comes
// back from that, and then does what no processor can.
func image() []byte {
	const (
		header, segment   = 64, 56
		base, page        = 0x400000, 0x10000
		executable        = 2
		load, stack       = 1, 0x6474e551
		exec, write, read = 1, 2, 4
	)
	if len(imageCode) == 0 {
		return nil
	}
	le := binary.LittleEndian
	start := uint64(header + 2*segment)
	size := start + uint64(len(imageCode))
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	for _, v := range []uint16{executable, imageMachine} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1)
	for _, v := range []uint64{base + start, header, 0} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{header, segment, 2, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	for _, s := range [2]struct {
		kind, flags uint32
		at, size    uint64
		align       uint64
	}{{load, read | exec, base, size, page}, {stack, read | write, 0, 0, 16}} {
		b = le.AppendUint32(le.AppendUint32(b, s.kind), s.flags)
		for _, v := range []uint64{0, s.at, s.at, s.size, s.size, s.align} {
			b = le.AppendUint64(b, v)
		}
	}
	return append(b, imageCode...)
}
