package collect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/kernel"
	"github.com/selfaudit/selfaudit/internal/procfs"
)

const (
	// maxListings is how often a table of descriptors is listed for one in which
	// nothing has come or gone. What is new is looked at each time.
	maxListings = 64
	// maxLooks is how often one descriptor is looked at that is closed and opened
	// again meanwhile.
	maxLooks = 8
)

// OpenFiles fills in every open descriptor, with what it is of. Nothing is
// opened but by O_PATH, so that no driver and no server of files notices.
func (s *Site) OpenFiles() {
	f := &s.Process.MakeReach().OpenFiles
	f.Seen = nil
	if s.Task == nil {
		f.Whole.Fail("/proc", s.NoTask.Error())
		return
	}
	source := s.Task.Path() + "/*/fd"
	r := newOpenReader(s)
	for _, tid := range s.by.tables() {
		err := r.table(tid)
		if err == nil || gone(err) && tid != s.by.base() {
			continue
		}
		if f.Whole.Err == "" {
			f.Whole.Fail(source, err.Error())
		}
	}
	f.Seen = r.out
	if f.Whole.Err == "" {
		f.Whole = posture.Of(true, source, strconv.Itoa(len(r.out))+" descriptors")
	}
}

// openReader reads tables of descriptors.
type openReader struct {
	*Site
	// own knows the descriptors that the audit itself holds.
	own   *descriptorReader
	kinds *openKinds
	place *placer
	out   []posture.OpenFile

	// tid, dir and info are the table being read.
	tid       int
	dir, info *procfs.Dir
	// looked are the numbers that were looked at, in ascending order.
	looked []int
	list   []int
	// raw is how the flags rawOf are shown.
	raw   string
	rawOf uint32
}

func newOpenReader(s *Site) *openReader {
	r := &openReader{Site: s, own: &descriptorReader{collector: s.by}}
	r.place = &placer{Site: s}
	r.kinds = newOpenKinds(s, r.place)
	return r
}

// table reads one table until it stands still.
func (r *openReader) table(tid int) error {
	var err error
	at := strconv.Itoa(tid)
	if r.dir, err = r.Task.Sub(at + "/fd"); err != nil {
		return err
	}
	defer func() { r.dir.Close() }()
	if r.info, err = r.Task.Sub(at + "/fdinfo"); err != nil {
		return err
	}
	defer r.info.Close()
	r.tid, r.looked = tid, r.looked[:0]
	r.place.use(tid)
	defer r.place.close()
	same := 0
	for n := range maxListings {
		if n > 0 {
			if err := r.again(at + "/fd"); err != nil {
				return err
			}
		}
		counted, err := r.listing()
		if err != nil {
			return err
		}
		still, err := r.round()
		if err != nil {
			return err
		}
		switch {
		case !still || counted == miscounted:
			same = 0
			continue
		case counted == asCounted:
			return nil
		}
		if same++; same == enoughAlike {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", r.dir.Path(), procfs.ErrChanging)
}

// What a listing is held against: the kernel's own count, since Linux 6.2.
type count uint8

const (
	notCounted count = iota
	asCounted
	miscounted
)

// enoughAlike is how many listings in a row must be alike where the kernel tells
// no count. A listing takes a while, and a descriptor that moves to a lower number
// meanwhile is in none of two.
const enoughAlike = 4

// again opens the table once more, to be listed from its start.
func (r *openReader) again(name string) error {
	dir, err := r.Task.Sub(name)
	if err != nil {
		return err
	}
	r.dir.Close()
	r.dir = dir
	return nil
}

// listing lists the table, and says whether the kernel counted as many both
// before and after.
func (r *openReader) listing() (count, error) {
	before, err := r.Calls.StatOpened(r.dir.FD(), r.dir.Path())
	if err != nil {
		return notCounted, err
	}
	if r.list, err = r.dir.Numbers(r.Buf, r.list[:0]); err != nil {
		return notCounted, err
	}
	slices.Sort(r.list)
	after, err := r.Calls.StatOpened(r.dir.FD(), r.dir.Path())
	switch n := int64(len(r.list)); {
	case err != nil:
		return notCounted, err
	case before.Size == 0 && after.Size == 0:
		return notCounted, nil
	case before.Size == n && after.Size == n:
		return asCounted, nil
	default:
		return miscounted, nil
	}
}

// round looks at what was listed and not looked at before. It is true where
// there was nothing, and none of those before is gone.
func (r *openReader) round() (still bool, err error) {
	before := r.looked
	r.out = slices.Grow(r.out, max(0, len(r.list)-len(before)))
	now := make([]int, 0, len(r.list))
	k := 0
	still = true
	for _, fd := range r.list {
		for k < len(before) && before[k] < fd {
			k++
			still = false
		}
		if k < len(before) && before[k] == fd {
			k++
			now = append(now, fd)
			continue
		}
		if r.isOwn(fd) {
			continue
		}
		if err := r.Ctx.Err(); err != nil {
			return false, fmt.Errorf("%s: %w while descriptors were looked at", r.dir.Path(), err)
		}
		still = false
		file := posture.OpenFile{FD: fd, TID: r.tid}
		if r.look(&file) {
			r.out = append(r.out, file)
			now = append(now, fd)
		}
	}
	still = still && k == len(before)
	r.looked = now
	return still, nil
}

// isOwn says whether the audit itself holds the descriptor.
func (r *openReader) isOwn(fd int) bool {
	if !r.Process.Self || r.tid != r.by.tid {
		return false
	}
	return fd == r.info.FD() || fd == r.place.root.fd || r.own.ownTool(fd, r.dir)
}

// opened is what was seen of one descriptor at once.
type opened struct {
	procfs.OpenInfo
	kernel.Opened
	name, source string
	// link is where the link leads, or empty.
	link    string
	linkErr error
}

// look looks at one descriptor. It is false where that was closed meanwhile.
func (r *openReader) look(f *posture.OpenFile) bool {
	o := opened{name: strconv.Itoa(f.FD)}
	o.source = r.dir.Path() + "/" + o.name
	err := errReopened
	for try := 0; try < maxLooks && errors.Is(err, errReopened); try++ {
		err = r.seeOnce(&o)
	}
	if errors.Is(err, syscall.ENOENT) {
		return false
	}
	f.Path = o.link
	if err != nil {
		if errors.Is(err, errReopened) {
			err = fmt.Errorf("%s: %w", o.source, err)
		}
		f.Kind.Fail(o.source, err.Error())
		f.Flags.Fail(o.source, err.Error())
		return true
	}
	f.FileSystem = o.Dev
	r.flags(f, &o)
	r.kinds.decide(f, &o, r)
	r.place.decide(f, &o)
	return true
}

var errReopened = errors.New("kept being closed and opened again while it was looked at")

// seeOnce asks for the link, the flags and the file. The three are of one
// descriptor, unless mount or inode differ.
func (r *openReader) seeOnce(o *opened) error {
	o.link, o.linkErr = r.Calls.Readlink(r.dir.FD(), o.name, r.dir.Path())
	if errors.Is(o.linkErr, syscall.ENOENT) {
		return o.linkErr
	}
	data, err := r.info.ReadFirst(o.name, r.Buf)
	if err != nil {
		return err
	}
	if o.OpenInfo, err = procfs.ParseOpenInfo(data); err != nil {
		return fmt.Errorf("%s/%s: %w", r.info.Path(), o.name, err)
	}
	o.Opened, err = r.Calls.StatThrough(r.dir.FD(), o.name, r.dir.Path())
	if err == nil && o.HasIno && o.HasMountID && o.OpenInfo.Ino == o.Opened.Ino && o.OpenInfo.MountID == o.Opened.MountID {
		return nil
	}
	return r.seeSlowly(o)
}

// seeSlowly is for kernels that show no inode in fdinfo, or no mount id in
// statx(2), and for file systems that show another inode in the two places.
func (r *openReader) seeSlowly(o *opened) error {
	fd, err := r.dir.Follow(o.name)
	if err != nil {
		return err
	}
	defer kernel.Close(fd)
	if o.Opened, err = r.Calls.StatOpened(fd, o.source); err != nil {
		return err
	}
	if o.HasMountID && o.Opened.MountID != o.OpenInfo.MountID {
		return errReopened
	}
	return nil
}

// Flags of open(2). All architectures that Go has but MIPS number these alike.
const (
	accessMode  = 0o3
	closeOnExec = 0o2000000
	pathOnly    = 0o10000000
)

func (r *openReader) flags(f *posture.OpenFile, o *opened) {
	mode := o.Flags & accessMode
	f.Flags.Value = posture.OpenFlags{
		Path: o.Flags&pathOnly != 0, CloseOnExec: o.Flags&closeOnExec != 0,
		Write: o.Flags&pathOnly == 0 && (mode == syscall.O_WRONLY || mode == syscall.O_RDWR),
	}
	// Most descriptors of a process have the same few flags.
	if r.raw == "" || o.Flags != r.rawOf {
		r.raw, r.rawOf = "flags: 0"+strconv.FormatUint(uint64(o.Flags), 8), o.Flags
	}
	f.Flags.Know(r.info.Path(), r.raw)
}
