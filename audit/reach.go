package audit

import (
	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/internal/collect"
)

// reachFacts are what is collected of what a process can reach, each where the
// policy asks for it.
var reachFacts = [...]struct {
	asked   func(*policy.Policy) bool
	collect func(*collect.Site)
}{}

// observeReach collects them, while the process is held.
func observeReach(s *collect.Site, pol *policy.Policy) {
	for _, f := range reachFacts {
		if f.asked(pol) {
			f.collect(s)
		}
	}
}
