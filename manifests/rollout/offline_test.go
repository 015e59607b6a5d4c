package rollout_test

import (
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// bundled is what a bundle of build 42 is judged by.
func bundled(t testing.TB) rollout.Input {
	in := input(t, 0)
	in.Releases[42].Release.Offline = true
	return in
}

func TestBundleHoldsForEachReason(t *testing.T) {
	release := func(in *rollout.Input) *manifests.Release { return in.Releases[42].Release }
	for _, c := range []struct {
		name  string
		code  rollout.Code
		spoil func(*rollout.Input)
	}{
		{"the build does not rise", rollout.UpToDate, func(in *rollout.Input) { in.Handset.Build = 42 }},
		{"it goes down", rollout.UpToDate, func(in *rollout.Input) { in.Handset.Build = 43 }},
		{"not signed", rollout.Withdrawn, func(in *rollout.Input) { delete(in.Releases, 42) }},
		{"another product's", rollout.Withdrawn, func(in *rollout.Input) { release(in).Product = "tablet" }},
		{"under the wrong number", rollout.Withdrawn, func(in *rollout.Input) { release(in).Build = 44 }},
		{"not signed for bundles", rollout.OnlineOnly, func(in *rollout.Input) { release(in).Offline = false }},
		{"seen halted", rollout.HaltedCode, func(in *rollout.Input) {
			in.Handset.HaltedSeen = map[manifests.Build]time.Time{42: {}}
		}},
		{"seen halted, offered again since", rollout.HaltedCode, func(in *rollout.Input) {
			in.Handset.HaltedSeen = map[manifests.Build]time.Time{42: start}
		}},
		{"halted in the bundle", rollout.HaltedCode, func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Halted }},
		{"another model", rollout.WrongModel, func(in *rollout.Input) { in.Handset.Model = "pixel" }},
		{"too old", rollout.TooOld, func(in *rollout.Input) { release(in).Compatible.MinBuild = 42; in.Handset.Build = 41 }},
		{"below the floor", rollout.BelowFloor, func(in *rollout.Input) { in.Handset.Floor = release(in).SecurityEpoch + 1 }},
		{"offered no longer", rollout.Expired, func(in *rollout.Input) { in.Times.Expiry = release(in).OfferUntil.Add(time.Second) }},
		{"failed here", rollout.BadTarget, func(in *rollout.Input) { in.Handset.Failures = map[manifests.Build]int{42: 1} }},
		{"failed here, retried by a rollout", rollout.BadTarget, func(in *rollout.Input) {
			in.Handset.Failures = map[manifests.Build]int{42: 1}
			in.Document.Rollouts[0].Retry = true
		}},
		{"needs consent", rollout.NeedsConsent, func(in *rollout.Input) { release(in).Consent.Required = true }},
		{"collects more than what runs", rollout.NeedsConsent, func(in *rollout.Input) { in.Handset.Label.Collects = nil }},
		{"declined", rollout.DeclinedCode, func(in *rollout.Input) {
			release(in).Consent.Required = true
			in.Handset.Consent = map[manifests.Build]rollout.Answer{42: rollout.Declined}
		}},
		{"battery", rollout.Battery, func(in *rollout.Input) { in.Handset.Conditions.BatteryPercent = 5 }},
		{"storage", rollout.StorageCode, func(in *rollout.Input) { in.Handset.Conditions.NeedBytes = 1 }},
	} {
		in := bundled(t)
		c.spoil(&in)
		if d := rollout.DecideOffline(in, 42); d.Hold == nil || d.Hold.Code != c.code {
			t.Errorf("%s: %+v, want %s", c.name, d, c.code)
		}
	}
}

func TestBundleWaivesWhatOnlyTheServiceSays(t *testing.T) {
	for name, free := range map[string]func(*rollout.Input){
		"share":       func(*rollout.Input) {},
		"pace":        func(in *rollout.Input) { in.Releases[42].Release.Pace[0].After.Duration = 1 << 50 },
		"no rollout":  func(in *rollout.Input) { in.Document.Rollouts = nil },
		"no document": func(in *rollout.Input) { in.Document = nil },
		"paused":      func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Held },
		"channel":     func(in *rollout.Input) { in.Handset.Channel = "beta" },
		"later":       func(in *rollout.Input) { in.Handset.Wish.PostponedUntil = start.AddDate(1, 0, 0) },
		"metered":     func(in *rollout.Input) { in.Handset.Conditions.Metered = true },
		"retry by hand": func(in *rollout.Input) {
			in.Handset.Failures, in.Handset.RetryByHand = map[manifests.Build]int{42: 3}, 42
		},
		"another halted": func(in *rollout.Input) { in.Handset.HaltedSeen = map[manifests.Build]time.Time{41: {}} },
	} {
		in := bundled(t)
		free(&in)
		d := rollout.DecideOffline(in, 42)
		if d.Offer == nil || d.Offer.Release.Build != 42 || d.Offer.Window != nil || !d.Offer.Deadline.IsZero() {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
