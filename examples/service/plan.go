//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/selfaudit/selfaudit/audit"
)

// service is what the steps hand on to each other.
type service struct {
	settings
	listener net.Listener
	// auditor is there only where the service enters a chroot, which hides
	// /proc: it keeps what an audit needs of it.
	auditor *audit.Auditor
}

// A step is one thing that is done on the way from root to serving.
type step struct {
	name string
	do   func(*service) error
}

// A plan is the steps in their order. The order matters: a port below 1024,
// chroot(2), the bounding set, groups and gid need privileges that the change
// of uid takes away, and the filter denies whatever is left of them.
type plan []step

func rightPlan() plan {
	return plan{
		{"listen", listen},
		{"chroot", enterChroot},
		{"bounding", dropBounding},
		{"groups", dropGroups},
		{"gid", dropGID},
		{"uid", dropUID},
		{"capabilities", dropCapabilities},
		{"no-new-privs", setNoNewPrivs},
		{"filter", loadFilter},
		{"assert", mustBeConfined},
		{"serve", serve},
	}
}

// index panics for an unknown name: plans are made of literals in this program.
func (p plan) index(name string) int {
	i := slices.IndexFunc(p, func(s step) bool { return s.name == name })
	if i < 0 {
		panic("no step named " + name)
	}
	return i
}

func (p plan) without(name string) plan {
	i := p.index(name)
	return slices.Delete(slices.Clone(p), i, i+1)
}

func (p plan) with(name string, do func(*service) error) plan {
	q := slices.Clone(p)
	q[p.index(name)].do = do
	return q
}

func (p plan) before(name, added string, do func(*service) error) plan {
	return slices.Insert(slices.Clone(p), p.index(name), step{added, do})
}

func run(s settings) error {
	p := rightPlan()
	switch m, known := mistakeNamed(s.mistake); {
	case s.mistake == "list":
		for _, m := range mistakes {
			fmt.Printf("%-20s %s\n", m.name, m.what)
		}
		return nil
	case known:
		p = m.change(p)
	case s.mistake != "":
		return fmt.Errorf("-mistake %q: no such mistake; -mistake list names them", s.mistake)
	}
	svc := &service{settings: s}
	for _, step := range p {
		if err := step.do(svc); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func listen(s *service) (err error) {
	s.listener, err = net.Listen("tcp", s.settings.listen)
	return err
}

// mustBeConfined panics with an *audit.NotConfinedError where an audit does
// not find this process confined. Nothing is served before it returns.
func mustBeConfined(s *service) error {
	if s.auditor != nil {
		s.auditor.MustBeConfined()
		return nil
	}
	audit.MustBeConfined()
	return nil
}

func serve(s *service) error {
	ready := audit.Handler()
	if s.auditor != nil {
		ready = s.auditor.Handler()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /readyz", ready)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello from a confined service")
	})
	return http.Serve(s.listener, mux)
}
