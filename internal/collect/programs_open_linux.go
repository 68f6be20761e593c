package collect

import (
	"errors"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
)

// openPrograms notes descriptors of set-user-ID and set-group-ID programs: by
// execveat(2) with AT_EMPTY_PATH such a one is executed wherever it lies, outside
// the root too and past directories that may not be searched.
func (a *collector) openPrograms(w *walker) {
	if a.task == nil {
		w.leave("descriptors", a.noTask.Error())
		return
	}
	for _, tid := range a.tables() {
		err := a.openProgramsOf(w, tid)
		if err != nil && !(gone(err) && tid != a.base()) {
			w.leave("descriptors", a.refused(err).Error())
		}
	}
}

func (a *collector) openProgramsOf(w *walker, tid int) error {
	dir, err := a.task.Sub(strconv.Itoa(tid) + "/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	numbers, err := dir.Numbers(&a.buf, nil)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		name := strconv.Itoa(number)
		fd, err := dir.Follow(name)
		if errors.Is(err, syscall.ENOENT) {
			continue // closed meanwhile
		}
		if err != nil {
			return err
		}
		st, err := a.c.Inode(fd, "", dir.Path()+"/"+name)
		kernel.Close(fd)
		if err != nil {
			return err
		}
		if setID(&st) {
			w.leave("descriptor "+name, "it is of a program that is set-user-ID or set-group-ID, which execveat(2) executes without a path")
		}
	}
	return nil
}

// setID says that a file is a program that changes ids.
func setID(st *kernel.Inode) bool {
	const group = posture.SetGID | 0o010
	regular := st.Mode&typeMask == typeRegular && st.Mode&anyExecute != 0
	return regular && (st.Mode&posture.SetUID != 0 || st.Mode&group == group)
}
