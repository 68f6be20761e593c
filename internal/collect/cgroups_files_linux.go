package collect

import (
	"errors"
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/posture"
)

// cgroupResource is what a cgroup limits, with its files in both versions: the
// kernel's documents on cgroups.
type cgroupResource struct {
	// name is the controller's too.
	name   string
	v1, v2 cgroupFiles
}

// cgroupFiles are the files of one version.
type cgroupFiles struct {
	// limit and period hold the limit; without period it is in the first file.
	limit, period string
	// apart is the file that says 0 where limits do not hold for those below.
	apart string
	// joins are what has to be writable for a thread below to join: of version 2
	// the file alone, as it is asked of the nearest cgroup above both.
	joins []string
	parse func(limit, period string) (uint64, uint64, error)
}

// Whoever may make a cgroup of version 1 may join it.
var (
	joinV1 = []string{"cgroup.procs", "tasks", ownDirectory}
	joinV2 = []string{"cgroup.procs"}
)

var cgroupResources = [...]cgroupResource{
	{"memory",
		cgroupFiles{limit: "memory.limit_in_bytes", apart: "memory.use_hierarchy", joins: joinV1, parse: wholeLimit},
		cgroupFiles{limit: "memory.max", joins: joinV2, parse: wholeLimit}},
	{"pids",
		cgroupFiles{limit: "pids.max", joins: joinV1, parse: wholeLimit},
		cgroupFiles{limit: "pids.max", joins: joinV2, parse: wholeLimit}},
	{"cpu",
		cgroupFiles{limit: "cpu.cfs_quota_us", period: "cpu.cfs_period_us", joins: joinV1, parse: quotaV1},
		cgroupFiles{limit: "cpu.max", joins: joinV2, parse: quotaV2}},
}

// endlessMemory is where version 1 begins to mean no limit: it says so by the
// greatest multiple of a page, which is of 64 KiB at most.
const endlessMemory = 1<<63 - 1<<16

// wholeLimit reads "max" or a number.
func wholeLimit(text, _ string) (uint64, uint64, error) {
	if text == "max" {
		return posture.CgroupUnlimited, 0, nil
	}
	n, err := cgroupNumber(text)
	if n >= endlessMemory {
		n = posture.CgroupUnlimited
	}
	return n, 0, err
}

// quotaV1 reads a quota, -1 for none, and a period.
func quotaV1(text, period string) (uint64, uint64, error) {
	p, err := cgroupNumber(period)
	if err != nil || text == "-1" {
		return posture.CgroupUnlimited, p, err
	}
	q, err := cgroupNumber(text)
	return q, p, positive(p, err)
}

// quotaV2 reads "max 100000", or a number in place of the word.
func quotaV2(text, _ string) (uint64, uint64, error) {
	first, second, _ := strings.Cut(text, " ")
	p, err := cgroupNumber(second)
	if err != nil || first == "max" {
		return posture.CgroupUnlimited, p, err
	}
	q, err := cgroupNumber(first)
	return q, p, positive(p, err)
}

func positive(period uint64, err error) error {
	if err == nil && period == 0 {
		return errors.New("a period of 0 in a cgroup's limit")
	}
	return err
}

func cgroupNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errors.New("not what a cgroup's limit looks like: " + strconv.Quote(text[:min(len(text), 64)]))
	}
	return n, nil
}
