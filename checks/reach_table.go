package checks

import (
	"strings"

	"github.com/selfaudit/selfaudit/internal/names"
)

// catalogReach holds the ids of the checks of what a process can reach, sorted
// by id. It is apart from catalog so that its texts are linked only with them.
var catalogReach = []Meta{}

// weighAll is weigh for both catalogues and all attempts.
func weighAll(id string) weight {
	if name, ok := strings.CutPrefix(id, probePrefix); ok {
		if a := attemptNamed(names.AttemptsBeyond(), name); a != nil {
			return attemptWeight(a)
		}
	}
	for i := range catalogReach {
		if m := &catalogReach[i]; m.ID == id {
			return weight{m.Layer, m.Severity, m.Fix}
		}
	}
	return weigh(id)
}
