package rollout

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
)

// DecideOffline tells whether the handset installs a build from a bundle that
// its owner chose, and if not, why (AMENDMENTS M5).
//
// What the engineers signed holds as ever: model, builds that it installs over,
// security epoch, offerUntil, consent. The build must rise. What only the online
// service says is waived: rollout, share and pace, and with them the owner's
// "later". A halt is not: a build that this handset has ever seen halted, or
// that the bundle's own rollouts halt, is refused. A metered network does not
// matter, since nothing is fetched from it.
func DecideOffline(in Input, build manifests.Build) Decision {
	h := in.Handset
	if build <= h.Build {
		return hold(UpToDate, h.Build, "Build %d runs; %d is not above it.", h.Build, build)
	}
	signed, ok := in.Releases[build]
	if !ok || signed.Release.Product != h.Product || signed.Release.Build != build {
		return hold(Withdrawn, build, "The bundle is for build %d, but the engineers do not sign it for this product.", build)
	}
	m := signed.Release
	if !m.Offline {
		return hold(OnlineOnly, build, "The engineers did not sign build %d for installation from a bundle.", build)
	}
	if d := in.checkHalted(build); d.Hold != nil {
		return d
	}
	if d := in.checkFit(nil, m); d.Hold != nil {
		return d
	}
	if d := in.checkWord(m, false); d.Hold != nil {
		return d
	}
	free := *h
	free.Conditions.Metered = false
	if wait := CheckConditions(&free, m); wait != nil {
		return Decision{Hold: wait}
	}
	return Decision{Offer: &Offer{
		Release: m, Kind: manifests.KindNormal, Deferral: m.Urgency.MinDeferral.Duration,
		Why: fmt.Sprintf("Build %d (%s, %s) comes from a bundle that the owner chose.", m.Build, m.Version, m.Risk),
	}}
}

// checkHalted refuses a build that was halted, here before or in the bundle.
func (in *Input) checkHalted(build manifests.Build) Decision {
	if _, seen := in.Handset.HaltedSeen[build]; seen {
		return hold(HaltedCode, build, "This handset has seen build %d halted; a bundle does not bring it back.", build)
	}
	if in.Document == nil {
		return Decision{}
	}
	for _, r := range in.Document.Rollouts {
		if r.Build == build && r.State == Halted {
			return hold(HaltedCode, build, "The rollout of build %d is %s%s.", build, r.State, because(r.Reason))
		}
	}
	return Decision{}
}
