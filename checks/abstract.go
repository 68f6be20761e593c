package checks

import (
	"strconv"
	"strings"

	"github.com/selfaudit/selfaudit/checks/policy"
	"github.com/selfaudit/selfaudit/checks/posture"
	"github.com/selfaudit/selfaudit/checks/report"
)

const abstractID = "network.abstract"

// abstractSockets checks that no abstract socket of others is in the network
// namespace. Who may connect to one no permission says: unix(7).
func abstractSockets(out *results, a *audited, pol *policy.Policy) {
	if !pol.Network.NoAbstract {
		out.skip(abstractID)
		return
	}
	const expected = "none of others"
	fact := &a.Reach().AbstractSockets
	if fact.State != posture.Known {
		f := out.add(abstractID, report.Unknown, expected, "unknown", "which abstract sockets it can reach is not known: "+whyNot(&fact.Origin, "abstract sockets"))
		f.Evidence = seen(&fact.Origin)
		return
	}
	others := fact.Value.Others
	if len(others) == 0 {
		f := out.add(abstractID, report.Pass, expected, "none", "no abstract socket of others is in its network namespace, and "+strconv.Itoa(fact.Value.Own)+" of its own")
		f.Evidence = seen(&fact.Origin)
		return
	}
	words := make([]string, 0, maxListed+1)
	for i := range others {
		if i == maxListed {
			words = append(words, "… and "+strconv.Itoa(len(others)-i)+" more")
			break
		}
		words = append(words, quoted("@"+others[i].Name)+" ("+others[i].Kind+")")
	}
	count := strconv.Itoa(len(others)) + " abstract socket"
	if len(others) > 1 {
		count += "s"
	}
	f := out.add(abstractID, report.Gap, expected, strings.Join(words, ", "),
		count+" of others in its network namespace can be reached, unless a Landlock scope is in the way, which nobody can read of a process: "+strings.Join(words, ", "))
	f.Evidence = seen(&fact.Origin)
}
