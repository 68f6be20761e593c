package audit

import (
	"errors"

	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/internal/names"
)

// strict makes the attempts of a class that is in seccomp's strict mode, and
// says whether it is. The mode lets read(2), write(2), _exit(2) and sigreturn(2)
// through and kills for anything else, in every ABI, until the thread ends:
// seccomp(2). No attempt of the table can do without another call, so that the
// mode itself is the proof. A child could make none, and could not tell.
func (s *standIns) strict(class *posture.Class) bool {
	mode, known := class.SeccompMode.Get()
	if !known || mode != seccompStrict {
		return false
	}
	count, counted := class.SeccompFilters.Get()
	if counted && count > 0 || len(class.Filters.Value.Programs) > 0 {
		s.leave(class, "two sources disagree: it is shown in strict mode, and with filters, which no thread has in that mode")
		return true
	}
	seen := posture.Evidence{Source: class.SeccompMode.Source, Value: class.SeccompMode.Raw}
	for _, name := range attemptsOf(s.policy) {
		if _, found := names.NeedOf(name); !found && !names.IsNetworkAttempt(name) {
			s.add(class, name, "in strict mode nothing can be tried")
			continue
		}
		s.p.Attempts = append(s.p.Attempts, posture.Attempt{
			Name: name, TIDs: s.tids(class), Outcome: posture.Stopped, By: posture.StoppedByFilter,
			Detail:   "seccomp's strict mode kills for every call but read(2), write(2), _exit(2) and sigreturn(2)",
			Evidence: []posture.Evidence{seen},
		})
	}
	return true
}

// cause is an error without what it begins with: which thread the posture is of
// stands in the finding.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
