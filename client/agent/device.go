package agent

import (
	"time"

	"github.com/candor-ota/candor/manifests/rollout"
)

// Device is what the agent learns about its hardware; package device has two.
type Device interface {
	// Now tells the time, and whether the clock was ever set.
	Now() (now time.Time, set bool)
	// Uptime is how long the device has been on; after a restart it begins anew.
	Uptime() (time.Duration, error)
	// Conditions are measured anew at each call.
	Conditions() (rollout.Conditions, error)
}
