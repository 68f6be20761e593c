package probes

// x32Bit marks a system call number of the x32 ABI.
const x32Bit = 0x40000000

func (p otherEntry) name() string {
	if p.int80 {
		return "int 0x80"
	}
	return "x32"
}

// number returns the number of getpid(2) in the other ABI.
func (p otherEntry) number() (uint32, bool) {
	if p.int80 {
		return 20, true
	}
	return 39 | x32Bit, true
}
