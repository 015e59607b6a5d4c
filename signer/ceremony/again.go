package ceremony

import (
	"fmt"
	"time"
)

// Again makes the change of an older proposal anew, on what is in force now: for
// one that was superseded, or not signed in time. Nobody's word is taken over.
func Again(s *State, old *Proposal, now time.Time) (*Proposal, error) {
	switch old.Kind {
	case KindRelease:
		return AddRelease(s, ReleaseOptions{Document: []byte(old.Documents[0].Body), Now: now})
	case KindWithdraw:
		return Withdraw(s, old.Product, old.Build, now)
	case KindRenew:
		if old.Product != "" {
			return RenewReleases(s, old.Product, now)
		}
		return RenewTop(s, old.Roles[0].Name, now)
	}
	return nil, fmt.Errorf("a proposal of kind %s depends on more than is in it; make it again with the command that made it", old.Kind)
}
