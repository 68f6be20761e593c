package collect

import (
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

// namespaceRoot looks at the root of the target's mount namespace.
func (a *collector) namespaceRoot(path, source string) posture.Fact[kernel.FileStat] {
	return a.rootIn(a.task, path, source)
}

func (a *collector) rootIn(dir *procfs.Dir, path, source string) posture.Fact[kernel.FileStat] {
	fd, err := dir.OpenNamespace(path)
	if err != nil {
		return posture.Failed[kernel.FileStat](source, err.Error())
	}
	defer kernel.Close(fd)
	st, err := a.c.NamespaceRoot(fd, source)
	return fileStatFact(st, err, source)
}
