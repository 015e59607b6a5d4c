package lint

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// When a role has to be signed again is judged in one way everywhere: by
// `candor-signer expiring`, the doctor, the dashboard and the alerts.
const (
	// DueWithin is how long before its end a role of people is due: time for a
	// few of them to find an hour.
	DueWithin = 30 * 24 * time.Hour
	// UrgentWithin is how long before its end it is urgent.
	UrgentWithin = 14 * 24 * time.Hour
)

// Low is what is left of a role's life when somebody should look: a third. The
// service renews its own roles long before, so for those it is trouble.
func Low(role string) time.Duration { return Life(role) / 3 }

// SignedOnline tells whether the service signs a role by itself.
func SignedOnline(role string) bool {
	return role == roleSnapshot || role == roleTimestamp || role == layout.RolloutsRole
}

// Urgency says how soon a role has to be signed.
type Urgency string

// The urgencies, from none. Expired means that handsets take nothing new that
// hangs on the role.
const (
	Fine    Urgency = "ok"
	Soon    Urgency = "soon"
	Urgent  Urgency = "urgent"
	Expired Urgency = "expired"
)

// By is when a role has to be signed again: its expiry, or before it the promise
// of the next word, past which handsets tell their owners that it has not come.
func (f *File) By() (by time.Time, promise bool) {
	if f.NextBy != nil && f.NextBy.Before(f.Expires) {
		return f.NextBy.Time, true
	}
	return f.Expires, false
}

// Urgency says how soon a role has to be signed, as of now.
func (f *File) Urgency(now time.Time) Urgency {
	by, _ := f.By()
	left, low := by.Sub(now), f.Expires.Sub(now) < Low(f.Role)
	switch {
	case !now.Before(f.Expires):
		return Expired
	case SignedOnline(f.Role) && low, !SignedOnline(f.Role) && left < UrgentWithin:
		return Urgent
	case !SignedOnline(f.Role) && (low || left <= DueWithin):
		return Soon
	}
	return Fine
}

// Renewing is the command with which people sign a role again; for a role of the
// service, the one that tells why it does not.
func Renewing(role string) string {
	if SignedOnline(role) {
		return "candor-server doctor"
	}
	what := role
	if p, ok := layout.ReleasesRoleProduct(role); ok {
		what = string(p)
	}
	return "candor-signer renew " + what
}

// DaysUntil is how many whole days are left until a moment; negative when it is
// past.
func DaysUntil(at manifests.Time, now time.Time) int {
	left := at.Sub(now)
	days := int(left / (24 * time.Hour))
	if left < 0 && left%(24*time.Hour) != 0 {
		days--
	}
	return days
}
