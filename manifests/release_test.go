package manifests_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// example is the 2014 fix as signed: its author's YAML and what a build adds.
func example(t testing.TB) *manifests.Release {
	t.Helper()
	data, err := os.ReadFile("examples/xiaomi-optin/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := manifests.DraftRelease(data)
	if err != nil {
		t.Fatal(err)
	}
	blob := manifests.Blob{SHA256: manifests.SumSHA256([]byte("x")), Size: 10}
	r.Images = []manifests.Image{{Slot: "system", Size: 1 << 20, SHA256: blob.SHA256, Index: blob, Pack: blob}}
	r.Start(manifests.Time{Time: time.Date(2026, 8, 10, 0, 0, 0, 0, time.UTC)})
	return r
}

func TestTheFixOf2014IsAManifest(t *testing.T) {
	r := example(t)
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	data, err := r.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	back, err := manifests.ParseRelease(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Canonical()
	if err != nil || !bytes.Equal(again, data) {
		t.Fatal("the release does not survive a round trip", err)
	}
	c := back.Privacy.Collects
	if back.Risk != manifests.RiskSecurity || len(c) != 1 || c[0].Default != manifests.Off || c[0].Stored != manifests.StoredNone || !back.Consent.Required {
		t.Fatalf("the label says otherwise: %+v", back.Privacy)
	}
	for _, text := range []manifests.Text{back.Notes, back.Fixes, back.Privacy.Change, back.Consent.Notice} {
		if text["en"] == "" || text["zh"] == "" {
			t.Error("a text lacks English or Chinese")
		}
	}
	if got := back.OfferUntil.Sub(back.NotBefore.Time); got != manifests.DefaultOffer {
		t.Errorf("offered for %s", got)
	}
}

var goodPatch = manifests.Patch{FromSHA256: manifests.SHA256{9}, Table: manifests.Blob{Size: 200}, BodySize: 1}

// patched gives the release a patch with something wrong.
func patched(spoil func(*manifests.Patch)) func(*manifests.Release) {
	return func(r *manifests.Release) {
		p := goodPatch
		spoil(&p)
		r.Images[0].Patches = []manifests.Patch{p}
	}
}

func TestReleaseMayCarryPatches(t *testing.T) {
	r := example(t)
	patched(func(*manifests.Patch) {})(r)
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEachRuleOfAReleaseIsRefusedByFieldAndReason(t *testing.T) {
	cases := map[string]struct {
		spoil  func(*manifests.Release)
		reason string
	}{
		"build zero":         {func(r *manifests.Release) { r.Build = 0 }, `"build": is 0`},
		"no version":         {func(r *manifests.Release) { r.Version = "" }, `"version"`},
		"no models":          {func(r *manifests.Release) { r.Compatible.Models = nil }, `"compatible.models"`},
		"model twice":        {func(r *manifests.Release) { r.Compatible.Models = []manifests.Name{"a", "a"} }, "given twice"},
		"min build":          {func(r *manifests.Release) { r.Compatible.MinBuild = 42 }, `"compatible.minBuild"`},
		"no image":           {func(r *manifests.Release) { r.Images = nil }, `"images"`},
		"image size":         {func(r *manifests.Release) { r.Images[0].Size = 0 }, `"images[0].size"`},
		"pack size":          {func(r *manifests.Release) { r.Images[0].Pack.Size = -1 }, `"images[0].pack.size"`},
		"patch table empty":  {patched(func(p *manifests.Patch) { p.Table.Size = 0 }), `"images[0].patches[0].table.size"`},
		"patch table huge":   {patched(func(p *manifests.Patch) { p.Table.Size = 8<<20 + 1 }), `"images[0].patches[0].table.size"`},
		"patch body empty":   {patched(func(p *manifests.Patch) { p.BodySize = 0 }), `"images[0].patches[0].bodySize"`},
		"patch body huge":    {patched(func(p *manifests.Patch) { p.BodySize = 1 << 40 }), `"images[0].patches[0].bodySize"`},
		"patch of itself":    {func(r *manifests.Release) { patched(func(p *manifests.Patch) { p.FromSHA256 = r.Images[0].SHA256 })(r) }, "this image itself"},
		"patch given twice":  {func(r *manifests.Release) { r.Images[0].Patches = []manifests.Patch{goodPatch, goodPatch} }, `"images[0].patches[1].fromSha256"`},
		"too many patches":   {func(r *manifests.Release) { r.Images[0].Patches = make([]manifests.Patch, 65) }, `"images[0].patches"`},
		"offer in the past":  {func(r *manifests.Release) { r.OfferUntil = r.NotBefore }, `"offerUntil"`},
		"offer past support": {func(r *manifests.Release) { r.SupportUntil = manifests.At(r.NotBefore.Add(time.Hour)) }, `"offerUntil"`},
		"no pace":            {func(r *manifests.Release) { r.Pace = nil }, `"pace"`},
		"pace shrinks":       {func(r *manifests.Release) { r.Pace[1].MaxShare = 1 }, `"pace[1].maxSharePPM"`},
		"pace goes back":     {func(r *manifests.Release) { r.Pace[1].After = manifests.Duration{} }, `"pace[1].after"`},
		"pace too wide":      {func(r *manifests.Release) { r.Pace[3].MaxShare = 1000001 }, `"pace[3].maxSharePPM"`},
		"kind":               {func(r *manifests.Release) { r.Urgency.MaxKind = "now" }, `"urgency.maxKind"`},
		"no deadline":        {func(r *manifests.Release) { r.Urgency.MaxKind = manifests.KindCritical }, `"urgency.earliestDeadline"`},
		"risk":               {func(r *manifests.Release) { r.Risk = "none" }, `"risk"`},
		"no English":         {func(r *manifests.Release) { delete(r.Notes, "en") }, `"notes.en"`},
		"language":           {func(r *manifests.Release) { r.Notes["../x"] = "y" }, "language tag"},
		"bidi in notes":      {func(r *manifests.Release) { r.Notes["en"] = "a\u202eb" }, "direction override"},
		"default":            {func(r *manifests.Release) { r.Privacy.Collects[0].Default = "maybe" }, `"privacy.collects[0].default"`},
		"stored":             {func(r *manifests.Release) { r.Privacy.Collects[0].Stored = "some" }, `"privacy.collects[0].stored"`},
		"data twice":         {func(r *manifests.Release) { r.Privacy.Collects = append(r.Privacy.Collects, r.Privacy.Collects[0]) }, "given twice"},
		"no notice":          {func(r *manifests.Release) { r.Consent.Notice = nil }, `"consent.notice.en"`},
		"rollback upwards": {func(r *manifests.Release) {
			r.Rollback = &manifests.Rollback{Contents: 42, From: []manifests.Build{41}}
		}, `"rollback.contents"`},
		"rollback of none": {func(r *manifests.Release) { r.Rollback = &manifests.Rollback{Contents: 40} }, `"rollback.from"`},
		"few votes":        {func(r *manifests.Release) { r.Votes.MinToHalt = 4 }, `"votes.minToHalt"`},
		"one key set":      {func(r *manifests.Release) { r.Votes.Primary = &manifests.VoteKeySet{} }, `"votes"`},
		"provenance size":  {func(r *manifests.Release) { r.Provenance = &manifests.Blob{Size: 16<<20 + 1} }, `"provenance.size"`},
		"provenance empty": {func(r *manifests.Release) { r.Provenance = &manifests.Blob{} }, `"provenance.size"`},
		"sbom of no kind":  {func(r *manifests.Release) { r.SBOM = &manifests.SBOM{Format: "swid", Size: 1} }, `"sbom.format"`},
		"sbom size":        {func(r *manifests.Release) { r.SBOM = &manifests.SBOM{Format: manifests.SPDX} }, `"sbom.size"`},
		"spec":             {func(r *manifests.Release) { r.Spec = "v0" }, `"spec"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := example(t)
			c.spoil(r)
			err := r.Validate()
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v, want a refusal with %s", err, c.reason)
			}
		})
	}
}

func TestSignedBytesHaveOneForm(t *testing.T) {
	r := example(t)
	data, err := r.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifests.ParseRelease(append(data, '\n')); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Fatalf("white space was taken: %v", err)
	}
}

func TestAuthorsYAMLIsStrict(t *testing.T) {
	good, err := os.ReadFile("examples/xiaomi-optin/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ from, to, reason string }{
		"unknown": {"risk: security", "risk: security\nrisks: 1", `"risks": unknown field`},
		"null":    {"securityEpoch: 7", "securityEpoch:", `"securityEpoch"`},
		"float":   {"build: 42", "build: 42.5", "fractions"},
		"anchor":  {"models: [redmi-1s, mi-3]", "models: &m [redmi-1s, mi-3]", "anchors"},
		"twice":   {"build: 42", "build: 42\nbuild: 43", "given twice"},
		"product": {"product: xiaomi-optin", "product: ../x", "not a product name"},
		"time":    {"2027-12-31T00:00:00Z", "2027-12-31", "not a time"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(good), c.from, c.to, 1)
			if text == string(good) {
				t.Fatal("the example has changed")
			}
			if _, err := manifests.DraftRelease([]byte(text)); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestLabelMayNotWidenSilently(t *testing.T) {
	before := example(t)
	before.Build = 41
	wider := func() *manifests.Release {
		r := example(t)
		r.Risk = manifests.RiskFeature
		r.Privacy.Collects[0].Default = manifests.On
		return r
	}
	r := wider()
	if err := r.CheckSuccessor(before); err != nil {
		t.Fatalf("a widening that says so and asks: %v", err)
	}
	for name, c := range map[string]struct {
		spoil  func(*manifests.Release)
		reason string
	}{
		"as a security fix": {func(r *manifests.Release) { r.Risk = manifests.RiskSecurity }, "security release may not widen"},
		"without a word":    {func(r *manifests.Release) { r.Privacy.Change = nil }, "privacy.change"},
		"without asking":    {func(r *manifests.Release) { r.Consent.Required = false }, "consent.required"},
		"new data":          {func(r *manifests.Release) { r.Privacy.Collects[0].Data = "location"; r.Privacy.Change = nil }, "collects location"},
		"kept longer": {func(r *manifests.Release) {
			r.Privacy.Collects[0].Default, r.Privacy.Collects[0].Stored = manifests.Off, manifests.StoredRetained
			r.Consent.Required = false
		}, `stores contact-phone-numbers as "retained"`},
		"falling build": {func(r *manifests.Release) { r.Build = 41 }, "does not rise"},
		"falling epoch": {func(r *manifests.Release) { r.SecurityEpoch = 6 }, "securityEpoch"},
		"leaping epoch": {func(r *manifests.Release) { r.SecurityEpoch = 9 }, "more than one"},
		"other product": {func(r *manifests.Release) { r.Product = "other" }, "cannot follow"},
	} {
		t.Run(name, func(t *testing.T) {
			r := wider()
			c.spoil(r)
			if err := r.CheckSuccessor(before); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestDurationsAndTimesHaveOneForm(t *testing.T) {
	for _, bad := range []string{"", "1", "1.5h", "-1h", "01h", "1w", "1h30m", "99999d", "9999999999s"} {
		if _, err := manifests.ParseDuration(bad); err == nil {
			t.Errorf("%q was taken as a duration", bad)
		}
	}
	for _, good := range []string{"0s", "90s", "15m", "36h", "7d"} {
		d, err := manifests.ParseDuration(good)
		if err != nil || d.String() != good {
			t.Errorf("%q reads as %s, %v", good, d, err)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0 s", 400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", 59*time.Second + 600*time.Millisecond: "1 m",
		61 * time.Second: "1 m 1 s", 7 * time.Hour: "7 h", 3*time.Hour + 10*time.Minute + 9*time.Second: "3 h 10 m",
		48 * time.Hour: "2 d", 48*time.Hour + 59*time.Minute: "2 d", 223*time.Hour + time.Minute: "9 d 7 h",
	} {
		if got := manifests.Span(d); got != want {
			t.Errorf("%s reads as %q, not %q", d, got, want)
		}
	}
	for _, bad := range []string{"2026-01-01", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.5Z", "2026-02-30T00:00:00Z"} {
		var at manifests.Time
		if err := at.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was taken as a time", bad)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	data, err := example(f).Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"spec":"candor-release-v1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := manifests.ParseRelease(data)
		if err != nil {
			return
		}
		if again, err := r.Canonical(); err != nil || !bytes.Equal(again, data) {
			t.Fatal("a release was taken that has another canonical form")
		}
	})
}

func FuzzDraftRelease(f *testing.F) {
	data, err := os.ReadFile("examples/xiaomi-optin/release.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if r, err := manifests.DraftRelease(data); err == nil && r.Spec != manifests.ReleaseSpec {
			panic("a draft without its spec")
		}
	})
}
