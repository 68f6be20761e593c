package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
	"github.com/selfaudit/selfaudit/probes"
)

// attempts are those of one audit.
type attempts struct {
	*config
	p  *posture.Process
	in probes.Input
}

// make makes all attempts once, and those on another process for each that was
// found. What the scout did by the right facts is not done again. The error
// says why some were not made.
func (t *attempts) make(ctx context.Context, s *scout) error {
	if len(t.in.Names) == 0 {
		return nil
	}
	var peers []probes.Peer
	var errPeer error
	if slices.ContainsFunc(t.in.Names, needsPeer) {
		if peers, errPeer = findPeers(s.deny, t.p); errPeer != nil {
			errPeer = fmt.Errorf("looking for another user's process: %w", errPeer)
		}
	}
	if len(peers) > 0 {
		t.in.Peer = &peers[0]
	}
	tried, err := t.first(ctx, s)
	if err == nil && errPeer == nil {
		err = t.onPeers(ctx, tried, peers)
	} else {
		t.p.Attempts = slices.DeleteFunc(t.p.Attempts, onPeer)
	}
	return errors.Join(errPeer, named(err))
}

// first makes every attempt once and returns the peer that it was made on.
func (t *attempts) first(ctx context.Context, s *scout) (*probes.Peer, error) {
	var err error
	if s.plan != nil && s.plan.Fits(t.in) {
		t.p.Attempts, err = s.plan.Attempts(t.in)
		return s.peer(), err
	}
	t.p.Attempts, err = probes.Run(ctx, t.in)
	return t.in.Peer, err
}

// onPeers makes the attempts on another process for each peer that they were
// not made on yet.
func (t *attempts) onPeers(ctx context.Context, tried *probes.Peer, peers []probes.Peer) error {
	in := t.in
	in.Names = slices.DeleteFunc(slices.Clone(in.Names), func(name string) bool { return !needsPeer(name) })
	if len(in.Names) == 0 {
		return nil
	}
	left := make([]*probes.Peer, 0, len(peers)+1)
	for i := range peers {
		left = append(left, &peers[i])
	}
	switch {
	case tried == nil && len(left) == 0:
		return nil
	case tried != nil && len(left) > 0 && tried.PID == left[0].PID:
		left = left[1:]
	default:
		// The scout took another process, or one where there is none.
		t.p.Attempts = slices.DeleteFunc(t.p.Attempts, onPeer)
		if len(left) == 0 {
			left = append(left, nil)
		}
	}
	for _, in.Peer = range left {
		more, err := probes.Run(ctx, in)
		t.p.Attempts = append(t.p.Attempts, more...)
		if err != nil {
			return err
		}
	}
	return nil
}

// needsPeer says whether an attempt is made on another process.
func needsPeer(attempt string) bool {
	return attempt == "ptrace" || attempt == "process-vm-readv"
}

func onPeer(a posture.Attempt) bool { return needsPeer(a.Name) }

// granted are the capabilities that the attempt to regain some leaves out:
// what the calling thread has in effect already is another check's finding,
// and what the policy allows is none.
func (c *config) granted(calling []posture.Thread) posture.CapSet {
	var set posture.CapSet
	if allowed := c.policy.Process.Capabilities.Effective; allowed != nil {
		set = posture.CapSet(*allowed)
	}
	if len(calling) > 0 {
		if effective, known := calling[0].Caps.Effective.Get(); known {
			set |= effective
		}
	}
	return set
}

// named adds the errno's name, which a person looks for in a manual page.
func named(err error) error {
	errno, found := errors.AsType[syscall.Errno](err)
	if !found {
		return err
	}
	return fmt.Errorf("%w (%s)", err, names.ErrnoName(int(errno)))
}
