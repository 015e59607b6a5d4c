package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrIncomplete means that signatures are still missing.
var ErrIncomplete = errors.New("not signed by enough people yet")

// RoleStatus says how far one role of a proposal is.
type RoleStatus struct {
	Role      string   `json:"role"`
	Version   int64    `json:"version"`
	Expires   string   `json:"expires"`
	Signed    []string `json:"signed"`  // people who have signed
	Waiting   []string `json:"waiting"` // people who may still sign
	Threshold int      `json:"threshold"`
	Missing   []string `json:"missing"` // what is still needed, in words; empty when Complete
	Complete  bool     `json:"complete"`
}

// Status tells, per role, who has signed and who may.
func (p *Proposal) Status() []RoleStatus {
	all := make([]RoleStatus, len(p.Roles))
	for i, r := range p.view.roles {
		s := RoleStatus{
			Role: r.name, Version: r.version, Expires: r.expires.Format(time.RFC3339),
			Signed: []string{}, Waiting: []string{}, Missing: []string{}, Threshold: r.tables[0].threshold,
		}
		seen := []string{}
		for _, t := range r.tables {
			if words := p.missing(i, t); words != "" {
				s.Missing = append(s.Missing, words)
			}
			for _, id := range t.keyIDs {
				if slices.Contains(seen, id) {
					continue
				}
				seen = append(seen, id)
				if p.signedBy(i, id) {
					s.Signed = append(s.Signed, r.named(t, id))
				} else {
					s.Waiting = append(s.Waiting, r.named(t, id))
				}
			}
		}
		s.Complete = len(s.Missing) == 0
		all[i] = s
	}
	return all
}

// named is a person as the status of a role lists him: those who sign it no
// more are told apart from those with another key of the same name.
func (r *roleView) named(t roleTable, id string) string {
	if t.whose == sideBefore {
		return t.holderOf(id) + " (for the root before)"
	}
	return t.holderOf(id)
}

// missing says what a table of role i still needs, or nothing.
func (p *Proposal) missing(i int, t roleTable) string {
	have, open := 0, []string{}
	for _, id := range t.keyIDs {
		if p.signedBy(i, id) {
			have++
		} else {
			open = append(open, t.holderOf(id))
		}
	}
	switch {
	case have >= t.threshold:
		return ""
	case t.whose == sideBefore:
		return fmt.Sprintf("%d of %d of those who sign root now; it waits for %d more of %s", have, t.threshold, t.threshold-have, joinNames(open))
	case t.whose == sideNew:
		return fmt.Sprintf("%d of %d of those who are new, who show with it that they can use their keys; it waits for %s", have, t.threshold, joinNames(open))
	}
	return fmt.Sprintf("%d of %d; it waits for %d more of %s", have, t.threshold, t.threshold-have, joinNames(open))
}

// Complete is nil when every role is signed by enough people, and otherwise an
// ErrIncomplete that says whose signatures are missing.
func (p *Proposal) Complete() error {
	for _, s := range p.Status() {
		if !s.Complete {
			return fmt.Errorf("%s: %w: %s", s.Role, ErrIncomplete, s.Missing[0])
		}
	}
	return nil
}
