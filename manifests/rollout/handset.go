package rollout

import (
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Handset is everything about a handset on which a decision rests. It stays on
// the handset.
type Handset struct {
	Product manifests.Product
	Model   manifests.Name
	Region  manifests.Name
	Channel manifests.Name
	Secret  Secret
	Lab     *[32]byte // the lab id, when the owner put the handset in lab mode

	Build manifests.Build         // of the running image, from slot metadata
	Label manifests.PrivacyLabel  // of the running build
	Floor manifests.SecurityEpoch // of the last healthy boot

	// Consent holds, per build, whether the owner accepted its notice.
	Consent map[manifests.Build]Answer
	// Failures counts the trials of a build that ended in a rollback.
	Failures map[manifests.Build]int
	// HaltedSeen holds builds that were seen halted. The time is that of the
	// first offer verified after the halt, from which pace counts again; zero
	// while there has been none.
	HaltedSeen map[manifests.Build]time.Time
	// RetryByHand is the build that the owner asked to try again.
	RetryByHand manifests.Build

	Wish       Wish
	Conditions Conditions
}

// Answer is an owner's word on a consent notice.
type Answer string

// The answers; the zero value is none yet.
const (
	Unasked  Answer = ""
	Accepted Answer = "accepted"
	Declined Answer = "declined"
)

// Wish is what the owner asked for beyond waiting.
type Wish struct {
	GetItNow       bool      // skip the share, not the pace
	PastPace       bool      // the second confirmation: skip the pace too
	PostponedUntil time.Time // "later"
	PostponedSince time.Time
	PayForData     bool // metered networks are fine
}

// Conditions is the state of the device at this moment.
type Conditions struct {
	BatteryPercent int // 0 to 100
	Charging       bool
	MinBattery     int // start floor, percent
	Metered        bool
	FreeBytes      int64 // besides the slots; what the journal and index need
	NeedBytes      int64
	LocalMinute    ClockTime // minutes since local midnight
	AllowAnyMinute bool      // the owner asked for it now, so no window holds it
}

// Times are the two clocks of a decision (see ARCHITECTURE, "Time").
type Times struct {
	// Expiry is the latest of local clock, newest signed time and build time:
	// nothing that has expired can be revived by setting a clock back.
	Expiry time.Time
	// Pace is the earlier of local clock and newest signed time: both must
	// agree that time has passed. Zero when the local clock was never set.
	Pace time.Time
	// PoweredOn is, per build, how long the handset was on since it first
	// verified the release; it stands in for Pace where there is no clock.
	PoweredOn map[manifests.Build]time.Duration
}

// agreed is the time that both clocks have reached. What an owner put off, and
// what forces a restart, goes by it: a signed time from the future, or a clock
// set forward, ends no "later".
func (t Times) agreed() time.Time {
	if t.Pace.IsZero() {
		return t.Expiry
	}
	return t.Pace
}

// elapsed is how much of a release's pace has passed.
func (t Times) elapsed(h *Handset, r *manifests.Release) time.Duration {
	again, halted := h.HaltedSeen[r.Build]
	if t.Pace.IsZero() {
		return t.PoweredOn[r.Build]
	}
	start := r.NotBefore.Time
	if halted {
		if again.IsZero() {
			return -1
		}
		if again.After(start) {
			start = again
		}
	}
	return t.Pace.Sub(start)
}
