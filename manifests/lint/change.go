package lint

import (
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// How long signed metadata lives, counted from the moment when it is made.
const (
	RootLife      = 365 * 24 * time.Hour
	TargetsLife   = 365 * 24 * time.Hour
	ReleasesLife  = 120 * 24 * time.Hour
	NextWord      = 60 * 24 * time.Hour // layout.FieldNextBy
	OnlineLife    = 7 * 24 * time.Hour  // rollouts, snapshot
	TimestampLife = 48 * time.Hour
)

// slack is how far clocks may be apart: a role that was made a moment ago on a
// machine that is ahead does not live too long.
const slack = 24 * time.Hour

// Life is how long a role lives when it is signed anew.
func Life(role string) time.Duration {
	switch role {
	case roleRoot, roleTargets:
		return TargetsLife
	case roleTimestamp:
		return TimestampLife
	}
	if _, ok := layout.ReleasesRoleProduct(role); ok {
		return ReleasesLife
	}
	return OnlineLife
}

// CheckTimes refuses a role that has expired, or that would live longer than
// its kind does: whoever steals an old key should not have a file for years.
func CheckTimes(f *File, now time.Time) Findings {
	r := f.report()
	if !now.Before(f.Expires) {
		r.add(place{RuleExpired, "expires", manifests.At(f.Expires)}, howToRenew(f.Role), "expired on %s", manifests.At(f.Expires))
	}
	life := Life(f.Role)
	if _, isReleases := layout.ReleasesRoleProduct(f.Role); isReleases && len(f.Targets) == 0 {
		life = TargetsLife // the last word of a product that has no release any more
	}
	if f.Expires.After(now.Add(life + slack)) {
		r.add(place{RuleLife, "expires", manifests.At(f.Expires)}, makeAgain, "expires on %s; %s lives at most %d days", manifests.At(f.Expires), f.Role, int(life/(24*time.Hour)))
	}
	return r.found
}

func howToRenew(role string) string {
	if SignedOnline(role) {
		return "the service signs it; see why it does not (`" + Renewing(role) + "`)"
	}
	return "sign it again: `" + Renewing(role) + "`"
}

// CheckNext refuses a file that could not follow the one that is published: its
// version rises, and no role and no file that was named leaves.
func CheckNext(before, next *File) Findings {
	r := next.report()
	if next.Version <= before.Version {
		r.add(place{RuleVersion, "version", next.Version}, "make it again from what is published now", "version %d does not rise above %d, which is published", next.Version, before.Version)
	}
	if next.Role == roleTargets {
		for _, row := range before.Rows {
			if _, ok := next.Row(row.Name); !ok {
				r.add(place{RuleDropped, "delegations.roles", row.Name}, "keep the delegation; retire a product by withdrawing its releases",
					"drops %s; a role never leaves the snapshot, retire a product by withdrawing its releases", row.Name)
			}
		}
	}
	for _, name := range sorted(before.Meta) {
		if _, ok := next.Meta[name]; !ok && next.Role == roleSnapshot {
			r.add(place{RuleDropped, "meta", name}, restart, "drops %s; handsets refuse a snapshot that lacks a role that they know", name)
		}
	}
	return r.found
}
