package probes

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
