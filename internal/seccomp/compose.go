package seccomp

// NoFilter is what Compose names where no filter decided.
const NoFilter = -1

// Compose returns what the kernel makes of a system call under all filters of a
// thread, the oldest first, and the index of the one that decided. It runs them
// from the newest on and takes the action that comes first in seccomp(2)'s
// order; of two that are equal, the newer one's data. Where all allow, or there
// is no filter, it returns RetAllow and NoFilter.
//
// The kernel compares actions as signed numbers. So a value between two known
// ones, which ends the process when it wins, wins only over greater ones.
func Compose(stack []Program, d *Data) (ret uint32, filter int) {
	ret, filter = RetAllow, NoFilter
	for i := len(stack) - 1; i >= 0; i-- {
		if r := stack[i].Run(d); Precedes(r, ret) {
			ret, filter = r, i
		}
	}
	return ret, filter
}

// Precedes says whether a filter's return value wins over that of a newer
// filter.
func Precedes(ret, newer uint32) bool {
	return int32(ret&RetActionFull) < int32(newer&RetActionFull)
}
