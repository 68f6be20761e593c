package collect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// Numbers of elf(5).
const (
	elfTypeDynamic = 3
	elfDynamic     = 2
	elfInterpreter = 3
	elfLoad        = 1
	gnuStack       = 0x6474e551
	gnuRelro       = 0x6474e552
	elfExecutable  = 1
	elfWritable    = 2
	// Entries of the dynamic section.
	dynStrings, dynStringsSize    = 5, 10
	dynBindNow, dynFlags, dynMore = 24, 30, 0x6ffffffb
	flagBindNow, moreNow          = 8, 1
)

// Bounds on what is read of a program, which may be anything.
const (
	maxProgramHeaders = 256
	maxDynamic        = 64 << 10
	maxDynStrings     = 4 << 20
	maxBuildInfo      = 1 << 20
)

var errNoELF = errors.New("not an ELF file that is understood")

// elfReader reads an ELF file. Sizes are in bytes, and places are in the file.
type elfReader struct {
	io.ReaderAt
	order    binary.ByteOrder
	wide     bool
	segments []elfSegment
}

type elfSegment struct {
	kind, flags           uint32
	offset, address, size uint64
}

// readHardening reads how a program was built, by its program headers. Nothing
// of it is believed further than that.
func readHardening(r io.ReaderAt) (h posture.Hardening, err error) {
	e := &elfReader{ReaderAt: r}
	kind, err := e.header()
	if err != nil {
		return h, err
	}
	h = posture.Hardening{PIE: kind == elfTypeDynamic, Static: true, ExecutableStack: true, RELRO: "none"}
	for i := range e.segments {
		switch s := &e.segments[i]; s.kind {
		case elfInterpreter:
			h.Static = false
		case gnuStack:
			h.ExecutableStack = s.flags&elfExecutable != 0
		case gnuRelro:
			h.RELRO = "partial"
		}
	}
	now, canary := e.dynamic()
	if now && h.RELRO == "partial" {
		h.RELRO = "full"
	}
	h.Canary, h.Go = canary, e.goVersion()
	return h, nil
}

// bytes reads some bytes, all of them or none.
func (e *elfReader) bytes(at, size uint64) []byte {
	if at > 1<<62 {
		return nil
	}
	b := make([]byte, size)
	if n, _ := e.ReadAt(b, int64(at)); uint64(n) != size {
		return nil
	}
	return b
}

// header reads the header of the file and of its segments.
func (e *elfReader) header() (kind uint16, err error) {
	const ident, header32, header64 = 16, 52, 64
	b := e.bytes(0, header32)
	if b == nil || string(b[:4]) != "\x7fELF" {
		return 0, errNoELF
	}
	e.wide = b[4] == 2
	switch b[5] {
	case 1:
		e.order = binary.LittleEndian
	case 2:
		e.order = binary.BigEndian
	}
	if e.order == nil || b[4] != 1 && b[4] != 2 {
		return 0, errNoELF
	}
	kind = e.order.Uint16(b[ident:])
	table, each, count := uint64(e.order.Uint32(b[28:])), b[42:], b[44:]
	size := uint64(32)
	if e.wide {
		if b = e.bytes(0, header64); b == nil {
			return 0, errNoELF
		}
		table, each, count, size = e.order.Uint64(b[32:]), b[54:], b[56:], 56
	}
	n := uint64(e.order.Uint16(count))
	if uint64(e.order.Uint16(each)) != size || n == 0 || n > maxProgramHeaders {
		return 0, errNoELF
	}
	if b = e.bytes(table, n*size); b == nil {
		return 0, errNoELF
	}
	for ; len(b) > 0; b = b[size:] {
		e.segments = append(e.segments, e.segment(b))
	}
	return kind, nil
}

func (e *elfReader) segment(b []byte) elfSegment {
	o := e.order
	if e.wide {
		return elfSegment{o.Uint32(b), o.Uint32(b[4:]), o.Uint64(b[8:]), o.Uint64(b[16:]), o.Uint64(b[32:])}
	}
	return elfSegment{o.Uint32(b), o.Uint32(b[24:]), uint64(o.Uint32(b[4:])), uint64(o.Uint32(b[8:])), uint64(o.Uint32(b[16:]))}
}

// dynamic reads the dynamic section: whether all addresses are filled in at the
// start, and whether a name among its strings is that of the canary.
func (e *elfReader) dynamic() (now, canary bool) {
	for i := range e.segments {
		s := &e.segments[i]
		if s.kind != elfDynamic {
			continue
		}
		var strings, size uint64
		for _, d := range e.entries(e.bytes(s.offset, min(s.size, maxDynamic))) {
			switch d[0] {
			case dynStrings:
				strings = d[1]
			case dynStringsSize:
				size = d[1]
			case dynBindNow:
				now = true
			case dynFlags:
				now = now || d[1]&flagBindNow != 0
			case dynMore:
				now = now || d[1]&moreNow != 0
			}
		}
		if at, ok := e.place(strings); ok {
			canary = bytes.Contains(e.bytes(at, min(size, maxDynStrings)), []byte("\x00__stack_chk_fail\x00"))
		}
	}
	return now, canary
}

// entries are the pairs of the dynamic section, up to the one that ends it.
func (e *elfReader) entries(b []byte) (out [][2]uint64) {
	size := 8
	if e.wide {
		size = 16
	}
	for ; len(b) >= size; b = b[size:] {
		d := [2]uint64{uint64(e.order.Uint32(b)), uint64(e.order.Uint32(b[4:]))}
		if e.wide {
			d = [2]uint64{e.order.Uint64(b), e.order.Uint64(b[8:])}
		}
		if d[0] == 0 {
			break
		}
		out = append(out, d)
	}
	return out
}

// place says where in the file an address is loaded from.
func (e *elfReader) place(address uint64) (uint64, bool) {
	for i := range e.segments {
		if s := &e.segments[i]; s.kind == elfLoad && address >= s.address && address-s.address < s.size {
			return s.offset + (address - s.address), true
		}
	}
	return 0, false
}

// goVersion finds what the Go linker leaves at the beginning of the first segment
// that is writable: a mark, and from 32 bytes on the version, after its length.
func (e *elfReader) goVersion() string {
	const mark, head, longest = "\xff Go buildinf:", 32, 100
	for i := range e.segments {
		s := &e.segments[i]
		if s.kind != elfLoad || s.flags&(elfWritable|elfExecutable) != elfWritable {
			continue
		}
		b := e.bytes(s.offset, min(s.size, maxBuildInfo))
		at := bytes.Index(b, []byte(mark))
		if at < 0 || len(b) < at+head+1 {
			return ""
		}
		b = b[at+head:]
		if n := int(b[0]); n < longest && n < len(b) && bytes.HasPrefix(b[1:], []byte("go")) {
			return string(b[1 : 1+n])
		}
		return ""
	}
	return ""
}
