package ceremony

import (
	"errors"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// TestEachRoleIsRenewedByItsOwnPeople: in time, and after it has expired. Nobody
// else signs, and every other role stays as it is.
func TestEachRoleIsRenewedByItsOwnPeople(t *testing.T) {
	for role, people := range map[string][]string{metadata.ROOT: {"alice", "bob"}, metadata.TARGETS: {"bob", "carol"}, "releases-phone": {"dora", "emil"}} {
		for _, days := range []int{30, 400} {
			w := newWorld(t)
			anchor := w.published()
			w.now = w.now.AddDate(0, 0, days)
			delete(w.meta, "rollouts.json") // the service went on
			w.stamp()
			src, err := Dir(w.tree())
			w.must(err)
			s, err := LoadToRenewRoot(t.Context(), src, anchor, w.now)
			w.must(err)
			var p *Proposal
			if role == "releases-phone" {
				p, err = RenewReleases(s, phone, w.now)
			} else {
				p, err = RenewTop(s, role, w.now)
			}
			w.must(err)
			if len(p.Roles) != 1 || p.Roles[0].Name != role {
				t.Errorf("%s: it signs %v", role, p.Roles)
			}
			w.publish(w.sign(w.again(p), ImageNone, people...))
			if due := w.expiring(anchor, 10)[role]; due.Due || due.Days < 59 {
				t.Errorf("%s after %d days: %+v", role, days, due)
			}
		}
	}
}

// Only whoever renews the root may begin from one that has expired: for anything
// else it could be an old state that somebody shows.
func TestExpiredRootIsTakenToRenewItAlone(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.now = w.now.AddDate(0, 0, 366)
	w.stamp()
	if _, err := w.load(anchor); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v", err)
	}
	w.now = w.now.AddDate(0, 0, 9) // now the timestamp is old as well
	src, err := Dir(w.tree())
	w.must(err)
	if _, err := LoadToRenewRoot(t.Context(), src, anchor, w.now); !errors.Is(err, ErrExpired) {
		t.Errorf("from an old timestamp: %v", err)
	}
}
