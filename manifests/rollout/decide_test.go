package rollout_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

var start = time.Date(2026, 8, 10, 0, 0, 0, 0, time.UTC)

func release(t testing.TB, build manifests.Build) *manifests.Release {
	t.Helper()
	data, err := os.ReadFile("../examples/xiaomi-optin/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := manifests.DraftRelease(data)
	if err != nil {
		t.Fatal(err)
	}
	r.Build = build
	r.Consent.Required = false
	r.Pace = []manifests.PaceStep{{MaxShare: manifests.WholeFleet}}
	r.Start(manifests.At(start))
	return r
}

func open(r *manifests.Release, share manifests.SharePPM) (rollout.Rollout, rollout.Signed) {
	ref := rollout.Reference{Path: layout.ReleasePath(r.Product, r.Build), Length: 100, SHA256: manifests.SumSHA256([]byte(r.Build.String()))}
	return rollout.Rollout{
		ID: manifests.Name("r" + r.Build.String()), Release: ref, Build: r.Build, Channel: "stable",
		State: rollout.Active, Share: share, Kind: manifests.KindNormal,
	}, rollout.Signed{Reference: ref, Release: r}
}

func handset(secret byte) *rollout.Handset {
	h := &rollout.Handset{
		Product: "xiaomi-optin", Model: "redmi-1s", Region: "cn", Channel: "stable", Build: 41, Floor: 7,
		Label:      manifests.PrivacyLabel{Collects: []manifests.Collection{{Data: "contact-phone-numbers", Default: manifests.On, Stored: manifests.StoredRetained}}},
		Conditions: rollout.Conditions{BatteryPercent: 80, MinBattery: 30},
	}
	h.Secret[0] = secret
	return h
}

func input(t testing.TB, share manifests.SharePPM) rollout.Input {
	r, signed := open(release(t, 42), share)
	now := start.Add(time.Hour)
	return rollout.Input{
		Document: &rollout.Document{Spec: rollout.Spec, Product: "xiaomi-optin", Counter: 1, Rollouts: []rollout.Rollout{r}},
		Releases: map[manifests.Build]rollout.Signed{42: signed},
		Handset:  handset(1),
		Times:    rollout.Times{Expiry: now, Pace: now},
	}
}

func TestEachHoldHasItsReason(t *testing.T) {
	cases := []struct {
		code  rollout.Code
		spoil func(*rollout.Input)
	}{
		{rollout.NoPolicy, func(in *rollout.Input) { in.Document = nil }},
		{rollout.NoPolicy, func(in *rollout.Input) { in.Document.Product = "other" }},
		{rollout.UpToDate, func(in *rollout.Input) { in.Handset.Build = 42 }},
		{rollout.UpToDate, func(in *rollout.Input) { in.Handset.Build = 43 }},
		{rollout.WrongModel, func(in *rollout.Input) { in.Handset.Model = "pixel" }},
		{rollout.WrongModel, func(in *rollout.Input) { in.Handset.Channel = "beta" }},
		{rollout.WrongModel, func(in *rollout.Input) { in.Document.Rollouts[0].Audience.Regions = []manifests.Name{"eu"} }},
		{rollout.WrongModel, func(in *rollout.Input) {
			in.Document.Rollouts[0].Audience.FromBuilds = &rollout.BuildRange{Min: 1, Max: 40}
		}},
		{rollout.WrongModel, func(in *rollout.Input) { in.Document.Rollouts[0].Audience.Lab = []manifests.SHA256{{1}} }},
		{rollout.WrongModel, func(in *rollout.Input) {
			in.Releases[42].Release.Rollback = &manifests.Rollback{Contents: 40, From: []manifests.Build{39}}
		}},
		{rollout.Withdrawn, func(in *rollout.Input) { delete(in.Releases, 42) }},
		{rollout.Withdrawn, func(in *rollout.Input) { in.Document.Rollouts[0].Release.SHA256[0]++ }},
		{rollout.Withdrawn, func(in *rollout.Input) { in.Document.Rollouts[0].Release.Length++ }},
		{rollout.TooOld, func(in *rollout.Input) { in.Releases[42].Release.Compatible.MinBuild = 42 }},
		{rollout.BelowFloor, func(in *rollout.Input) { in.Handset.Floor = 8 }},
		{rollout.Expired, func(in *rollout.Input) { in.Times.Expiry = start.Add(91 * 24 * time.Hour) }},
		{rollout.NotScheduled, func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Scheduled }},
		{rollout.HeldCode, func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Held }},
		{rollout.HaltedCode, func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Halted }},
		{rollout.HaltedCode, func(in *rollout.Input) { in.Document.Rollouts[0].State = rollout.Abandoned }},
		{rollout.NotInShare, func(in *rollout.Input) { in.Document.Rollouts[0].Share = 0 }},
		{rollout.Pace, func(in *rollout.Input) { in.Times.Pace = start.Add(-time.Second) }},
		{rollout.Pace, func(in *rollout.Input) { in.Handset.HaltedSeen = map[manifests.Build]time.Time{42: {}} }},
		{rollout.BadTarget, func(in *rollout.Input) { in.Handset.Failures = map[manifests.Build]int{42: 1} }},
		{rollout.BadTarget, func(in *rollout.Input) {
			in.Handset.Failures = map[manifests.Build]int{42: 2}
			in.Document.Rollouts[0].Retry = true
		}},
		{rollout.NeedsConsent, func(in *rollout.Input) { in.Releases[42].Release.Consent.Required = true }},
		{rollout.NeedsConsent, func(in *rollout.Input) { in.Handset.Label.Collects = nil }},
		{rollout.DeclinedCode, func(in *rollout.Input) {
			in.Handset.Label.Collects = nil
			in.Handset.Consent = map[manifests.Build]rollout.Answer{42: rollout.Declined}
		}},
		{rollout.AskFirst, func(in *rollout.Input) { in.Document.Rollouts[0].Kind = manifests.KindOptional }},
		{rollout.Postponed, func(in *rollout.Input) {
			in.Handset.Wish = rollout.Wish{PostponedSince: start, PostponedUntil: start.Add(2 * time.Hour)}
		}},
		{rollout.Battery, func(in *rollout.Input) { in.Handset.Conditions.BatteryPercent = 10 }},
		{rollout.Metered, func(in *rollout.Input) { in.Handset.Conditions.Metered = true }},
		{rollout.StorageCode, func(in *rollout.Input) { in.Handset.Conditions.NeedBytes = 1 }},
	}
	if d := rollout.Decide(input(t, manifests.WholeFleet)); d.Offer == nil {
		t.Fatalf("nothing spoilt, yet: %s", d.Hold.Sentence)
	}
	for i, c := range cases {
		t.Run(fmt.Sprint(i, c.code), func(t *testing.T) {
			in := input(t, manifests.WholeFleet)
			c.spoil(&in)
			d := rollout.Decide(in)
			if d.Hold == nil || d.Hold.Code != c.code || d.Hold.Sentence == "" {
				t.Fatalf("got %+v, want a hold for %s", d, c.code)
			}
		})
	}
}

// P2 and AMENDMENTS C1: whoever holds every online key may publish rollouts
// without end, under any name and share; the pace reaches the same handsets.
func TestThousandHostileRolloutsReachNoMoreThanThePace(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	in.Releases[42].Release.Pace = []manifests.PaceStep{{MaxShare: 10_000}}
	const fleet, rollouts = 20_000, 1000
	installed := 0
	for i := range fleet {
		h := handset(0)
		binary.BigEndian.PutUint64(h.Secret[:], uint64(i))
		h.Wish.GetItNow = i%2 == 0 // nor does impatience pass it
		in.Handset = h
		for j := range rollouts {
			in.Document.Rollouts[0].ID = manifests.Name(fmt.Sprint("r", j))
			in.Document.Rollouts[0].Share = manifests.SharePPM(1_000_000 - j)
			if rollout.Decide(in).Offer != nil {
				installed++
				break
			}
			if j == 3 && i > 200 {
				break // a decision has no memory; the first 200 prove all thousand
			}
		}
	}
	if share := float64(installed) / fleet; share > 0.013 || share < 0.007 {
		t.Fatalf("%.2f %% of the fleet installed under a pace of 1 %%", 100*share)
	}
}

func TestWideningShareNeverDropsAHandset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var secret rollout.Secret
		copy(secret[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret"))
		narrow := manifests.SharePPM(rapid.Uint32Range(0, 1_000_000).Draw(t, "narrow"))
		wide := manifests.SharePPM(rapid.Uint32Range(uint32(narrow), 1_000_000).Draw(t, "wide"))
		p := rollout.Position(secret, "p", 7)
		if p >= manifests.WholeFleet {
			t.Fatal("a position outside the fleet")
		}
		if p < narrow && p >= wide {
			t.Fatal("a widening share dropped a handset")
		}
	})
}

func TestPositionsAreEvenAndFreshForEachBuild(t *testing.T) {
	const n = 50_000
	first, both := 0, 0
	for range n {
		var s rollout.Secret
		if _, err := rand.Read(s[:]); err != nil {
			t.Fatal(err)
		}
		a, b := rollout.Position(s, "p", 1) < 100_000, rollout.Position(s, "p", 2) < 100_000
		if a {
			first++
			if b {
				both++
			}
		}
	}
	if first < n/10-n/100 || first > n/10+n/100 {
		t.Errorf("%d of %d handsets are in the first tenth", first, n)
	}
	if both < first/10-first/25 || both > first/10+first/25 {
		t.Errorf("%d of the %d first are first again; a tenth was to be expected", both, first)
	}
}

// AMENDMENTS H8: urgency is signed offline; online it only gets gentler.
func TestOnlineKeysCannotForceAnOwner(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	r := &in.Document.Rollouts[0]
	r.Kind, r.Deferral = manifests.KindCritical, manifests.Duration{}
	r.Deadline = &manifests.Time{Time: start}
	d := rollout.Decide(in)
	if d.Offer == nil || d.Offer.Kind != manifests.KindNormal || !d.Offer.Deadline.IsZero() || d.Offer.Deferral != 72*time.Hour {
		t.Fatalf("the rollout forced its way: %+v", d.Offer)
	}
	in.Handset.Wish = rollout.Wish{PostponedSince: start, PostponedUntil: start.Add(time.Hour * 24 * 365)}
	if d := rollout.Decide(in); d.Hold == nil || d.Hold.Code != rollout.Postponed {
		t.Fatal("the owner's later was ignored")
	}
	in.Times.Expiry, in.Times.Pace = start.Add(73*time.Hour), start.Add(73*time.Hour)
	if rollout.Decide(in).Offer == nil {
		t.Fatal("later lasts longer than the longest deferral")
	}
}

func TestDeadClockCountsPoweredOnTimeForPace(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	in.Releases[42].Release.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: time.Hour}, MaxShare: manifests.WholeFleet}}
	in.Times.Pace = time.Time{}
	if d := rollout.Decide(in); d.Hold == nil || d.Hold.Code != rollout.Pace {
		t.Fatal("a handset without a clock was let through at once")
	}
	in.Times.PoweredOn = map[manifests.Build]time.Duration{42: time.Hour}
	if rollout.Decide(in).Offer == nil {
		t.Fatal("a handset without a clock is starved")
	}
}

// AMENDMENTS C4: the pace of a build that was halted begins anew.
func TestPaceBeginsAgainAfterAHalt(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	in.Releases[42].Release.Pace = []manifests.PaceStep{{After: manifests.Duration{Duration: time.Hour}, MaxShare: manifests.WholeFleet}}
	again := start.Add(48 * time.Hour)
	in.Handset.HaltedSeen = map[manifests.Build]time.Time{42: again}
	in.Times.Pace, in.Times.Expiry = again.Add(59*time.Minute), again.Add(59*time.Minute)
	if d := rollout.Decide(in); d.Hold == nil || d.Hold.Code != rollout.Pace {
		t.Fatal("the old pace still counts")
	}
	in.Times.Pace = again.Add(time.Hour)
	if rollout.Decide(in).Offer == nil {
		t.Fatal("the new pace never ends")
	}
}

func TestNewestOfferWinsAndHaltedOnesDoNotHideOlderFixes(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	newer, signed := open(release(t, 43), manifests.WholeFleet)
	in.Releases[43] = signed
	in.Document.Rollouts = append([]rollout.Rollout{newer}, in.Document.Rollouts...)
	if d := rollout.Decide(in); d.Offer == nil || d.Offer.Release.Build != 43 {
		t.Fatal("the newer build does not win")
	}
	in.Document.Rollouts[0].State = rollout.Halted
	if d := rollout.Decide(in); d.Offer == nil || d.Offer.Release.Build != 42 {
		t.Fatal("a halted rollout hides the fix below it")
	}
}

func TestRestartWaitsForItsWindow(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	in.Document.Rollouts[0].Window = &rollout.Window{From: 23 * 60, To: 5 * 60}
	o := rollout.Decide(in).Offer
	in.Handset.Conditions.LocalMinute = 12 * 60
	if h := rollout.CheckRestart(in.Handset, o, in.Times); h == nil || h.Code != rollout.BeforeWindow {
		t.Fatal("it restarts at noon")
	}
	for _, m := range []rollout.ClockTime{23 * 60, 0, 4*60 + 59} {
		in.Handset.Conditions.LocalMinute = m
		if rollout.CheckRestart(in.Handset, o, in.Times) != nil {
			t.Errorf("it does not restart at %s", m)
		}
	}
}

func TestTheExamplePlanLoadsAndBreaksByField(t *testing.T) {
	data, err := os.ReadFile("../examples/xiaomi-optin/rollout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := rollout.ParsePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckAgainst(release(t, 42)); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"sharePPM: 100000,":  "sharePPM: 5000,",
		"sharePPM: 1000000,": "sharePPM: 1000001,",
		"kind: normal":       "kind: forced",
		"spread: 30m":        "spread: 30m\nsalt: x",
		"to: \"05:00\"":      "to: \"25:00\"",
	} {
		if _, err := rollout.ParsePlan([]byte(strings.Replace(string(data), from, to, 1))); err == nil {
			t.Errorf("%q was taken", to)
		}
	}
	p.Kind = manifests.KindCritical
	if err := p.CheckAgainst(release(t, 42)); err == nil || !strings.Contains(err.Error(), "harsher") {
		t.Errorf("a plan harsher than the release: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	in := input(f, 10)
	data, err := in.Document.Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		d, err := rollout.Parse(data)
		if err != nil {
			return
		}
		in.Document = d
		in.Handset.Product = d.Product
		if got := rollout.Decide(in); (got.Offer == nil) == (got.Hold == nil) {
			panic("neither or both of offer and hold")
		}
	})
}

// A thief of the timestamp key, or a clock set forward, would otherwise end
// every "later", and bring every deadline about.
func TestLaterAndDeadlinesGoByTheClockThatLags(t *testing.T) {
	in := input(t, manifests.WholeFleet)
	in.Handset.Wish = rollout.Wish{PostponedSince: start, PostponedUntil: start.Add(5 * time.Hour)}
	in.Times.Expiry = start.AddDate(10, 0, 0)
	in.Releases[42].Release.OfferUntil = manifests.At(in.Times.Expiry)
	in.Document.Rollouts[0].Deferral = manifests.Duration{Duration: 7 * 24 * time.Hour}
	if d := rollout.Decide(in); d.Hold == nil || d.Hold.Code != rollout.Postponed {
		t.Errorf("a clock that ran ahead ended it: %+v", d)
	}
	in.Times.Pace = start.Add(6 * time.Hour)
	d := rollout.Decide(in)
	if d.Offer == nil {
		t.Fatalf("both clocks agree that it is over: %+v", d.Hold)
	}
	d.Offer.Window = &rollout.Window{From: 120, To: 180}
	d.Offer.Deadline = start.AddDate(1, 0, 0)
	in.Handset.Conditions.LocalMinute = 600
	if h := rollout.CheckRestart(in.Handset, d.Offer, in.Times); h == nil || h.Code != rollout.BeforeWindow {
		t.Errorf("the deadline is a year off by one clock: %+v", h)
	}
}

func TestWindowOpensAgain(t *testing.T) {
	for _, c := range []struct {
		window     rollout.Window
		minute     rollout.ClockTime
		in, length time.Duration
	}{
		{rollout.Window{From: 120, To: 300}, 60, time.Hour, 3 * time.Hour},
		{rollout.Window{From: 120, To: 300}, 300, 21 * time.Hour, 3 * time.Hour},
		{rollout.Window{From: 1380, To: 60}, 0, 23 * time.Hour, 2 * time.Hour},
	} {
		if in, length := c.window.Opens(c.minute); in != c.in || length != c.length {
			t.Errorf("%v at %s: in %s for %s", c.window, c.minute, in, length)
		}
	}
}
