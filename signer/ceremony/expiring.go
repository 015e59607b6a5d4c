package ceremony

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/lint"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Due is one role, and when people or the service have to sign it again.
type Due struct {
	Role    string         `json:"role"`
	Expires manifests.Time `json:"expires"`
	// By is when it has to be signed: the expiry, or before it the promise of the
	// next word, after which handsets tell their owners that it has not come.
	By      manifests.Time `json:"by"`
	Promise bool           `json:"promise,omitempty"` // By is that promise
	Days    int            `json:"days"`              // whole days until By; negative when past
	Due     bool           `json:"due"`
	People  []string       `json:"people,omitempty"` // who may sign; empty: the service does
	Needed  int            `json:"needed,omitempty"` // how many of them
	Run     string         `json:"run"`
}

// ExpiringOptions say from when on something is due.
type ExpiringOptions struct {
	Now    time.Time
	Within time.Duration // for the roles of people
}

// Expiring lists every role of a published tree, what ends first at the top. A
// tree that has expired already is read all the same, and a role that cannot be
// read is an error: silence would look like time.
func Expiring(ctx context.Context, src Source, anchor keyring.Anchor, o ExpiringOptions) ([]Due, error) {
	s := newSurvey(ctx, src, o.Now)
	s.walkRoots(anchor)
	snapshot := s.online()
	if s.root != nil && snapshot != nil {
		s.walkRoles(snapshot)
	}
	if bad := s.found.Only(lint.RuleMissing, lint.RuleThreshMet, lint.RuleForm, lint.RuleDropped, lint.RuleAgrees); len(bad) > 0 {
		return nil, fmt.Errorf("published metadata: %w", bad[0])
	}
	var out []Due
	for role, f := range s.files {
		out = append(out, s.due(role, f, o))
	}
	slices.SortFunc(out, func(a, b Due) int { return cmp.Or(a.By.Compare(b.By.Time), cmp.Compare(a.Role, b.Role)) })
	return out, nil
}

func (s *survey) due(role string, f *lint.File, o ExpiringOptions) Due {
	by, promise := f.By()
	d := Due{Role: role, Expires: manifests.At(f.Expires), By: manifests.At(by), Promise: promise, Run: lint.Renewing(role)}
	within := o.Within
	switch {
	case lint.SignedOnline(role):
		within = lint.Low(role) // the service renews long before
	case role == metadata.ROOT || role == metadata.TARGETS:
		d.sign(s.files[metadata.ROOT], role)
	default:
		d.sign(s.files[metadata.TARGETS], role)
	}
	d.Days = lint.DaysUntil(d.By, o.Now)
	d.Due = d.By.Sub(o.Now) <= within
	return d
}

// sign notes who may sign a role, by the file that delegates to it.
func (d *Due) sign(delegator *lint.File, role string) {
	if delegator == nil {
		return
	}
	row, _ := delegator.Row(role)
	d.Needed = row.Threshold
	for _, id := range row.KeyIDs {
		d.People = append(d.People, row.Holders[id])
	}
	slices.Sort(d.People)
}

// Words says it in one line.
func (d Due) Words() string {
	when := fmt.Sprintf("expires in %d days, on %s", d.Days, d.Expires.Format(time.DateOnly))
	if d.Promise {
		when = fmt.Sprintf("next word promised in %d days, by %s (expires on %s)", d.Days, d.By.Format(time.DateOnly), d.Expires.Format(time.DateOnly))
	}
	if d.Days < 0 {
		when = fmt.Sprintf("EXPIRED on %s", d.Expires.Format(time.DateOnly))
		if d.Promise {
			when = fmt.Sprintf("PROMISE BROKEN: the next word was due by %s (expires on %s)", d.By.Format(time.DateOnly), d.Expires.Format(time.DateOnly))
		}
	}
	mark := "    "
	if d.Due {
		mark = "DUE "
	}
	if len(d.People) == 0 {
		return fmt.Sprintf("%s%s: %s; the service signs it; if it does not: %s", mark, d.Role, when, d.Run)
	}
	return fmt.Sprintf("%s%s: %s; %d of %s sign: %s", mark, d.Role, when, d.Needed, joinNames(d.People), d.Run)
}
