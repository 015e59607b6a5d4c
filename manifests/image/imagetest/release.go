package imagetest

import (
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Release is a valid release, signed for at that time: the whole fleet may have
// it at once, it fits model m1, asks nobody, collects nothing, and has no keys
// for votes. Without images it names a system image that nobody can fetch.
// Callers change what they test.
func Release(product manifests.Product, build manifests.Build, at time.Time, images ...manifests.Image) *manifests.Release {
	if images == nil {
		images = []manifests.Image{Unseen(build, Blob([]byte("blob")))}
	}
	r := &manifests.Release{
		Spec: manifests.ReleaseSpec, Product: product, Version: "6." + build.String(), Build: build, SecurityEpoch: 1,
		Compatible: manifests.Compatible{Models: []manifests.Name{"m1"}}, Images: images,
		SupportUntil: manifests.At(at.AddDate(1, 0, 0)), Pace: []manifests.PaceStep{{MaxShare: manifests.WholeFleet}},
		Urgency: manifests.Urgency{MaxKind: manifests.KindNormal}, Risk: manifests.RiskFix,
		Fixes: manifests.Text{"en": "A fix."}, Notes: manifests.Text{"en": "Notes."},
		Privacy: manifests.PrivacyLabel{Collects: []manifests.Collection{}},
		Votes:   manifests.VoteRules{MinToHalt: manifests.MinVotes},
	}
	r.Start(manifests.At(at))
	return r
}

// Unseen is the system image of a build for those who do not look inside: its
// index and its pack are one blob that is neither.
func Unseen(build manifests.Build, blob manifests.Blob) manifests.Image {
	return manifests.Image{Slot: "system", Size: 8, SHA256: manifests.SumSHA256([]byte(build.String())), Index: blob, Pack: blob}
}
