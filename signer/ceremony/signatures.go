package ceremony

import (
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/event"
)

// ErrIncomplete means that signatures are still missing.
var ErrIncomplete = errors.New("not signed by enough people yet")

// ballots says whose keys count for each role.
func (v *view) ballots() []event.Ballot {
	all := make([]event.Ballot, len(v.roles))
	for i, r := range v.roles {
		all[i] = event.Ballot{Payload: r.payload, Seats: map[string]event.Seat{}}
		for _, t := range r.tables {
			for id, key := range t.keys {
				all[i].Seats[id] = event.Seat{Holder: t.holders[id], Verify: key.Verify}
			}
		}
	}
	return all
}

// RoleStatus says how far one role of a proposal is.
type RoleStatus struct {
	Role      string   `json:"role"`
	Version   int64    `json:"version"`
	Expires   string   `json:"expires"`
	Signed    []string `json:"signed"`  // people who have signed
	Waiting   []string `json:"waiting"` // people who may still sign
	Threshold int      `json:"threshold"`
	Complete  bool     `json:"complete"`
}

// Status tells, per role, who has signed and who may.
func (p *Proposal) Status() []RoleStatus {
	all := make([]RoleStatus, len(p.Roles))
	for i, r := range p.view.roles {
		s := RoleStatus{
			Role: r.name, Version: r.version, Expires: r.expires.Format(time.RFC3339),
			Signed: []string{}, Waiting: []string{}, Threshold: r.tables[0].threshold, Complete: true,
		}
		for n, t := range r.tables {
			have := 0
			for _, id := range t.keyIDs {
				signed := p.signedBy(i, id)
				if signed {
					have++
				}
				switch {
				case n > 0:
				case signed:
					s.Signed = append(s.Signed, t.holderOf(id))
				default:
					s.Waiting = append(s.Waiting, t.holderOf(id))
				}
			}
			s.Complete = s.Complete && have >= t.threshold
		}
		all[i] = s
	}
	return all
}

// Complete is nil when every role is signed by enough people, and otherwise an
// ErrIncomplete that says whose signatures are missing.
func (p *Proposal) Complete() error {
	for _, s := range p.Status() {
		if !s.Complete {
			return fmt.Errorf("%s: %w: %d of %d; it waits for %d more of %s", s.Role, ErrIncomplete,
				len(s.Signed), s.Threshold, s.Threshold-len(s.Signed), joinNames(s.Waiting))
		}
	}
	return nil
}

// Unseen lists those who signed a release without an image of their own.
func (p *Proposal) Unseen() []string {
	names := []string{}
	for _, s := range p.Statements {
		if s.Image == ImageWithout {
			names = append(names, s.Holder)
		}
	}
	return names
}
