package world_test

import (
	"math"
	"time"

	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

const (
	slowly = "pace:\n  - {after: 0s, maxSharePPM: 200000}\n  - {after: 30d, maxSharePPM: 1000000}\n"
	fifth  = manifests.SharePPM(200_000)
)

// forward signs with the stolen keys whatever a thief likes: the highest
// numbers there are, and a time that lies ahead.
func (th *thief) forward(build manifests.Build, ahead time.Duration, versions int64) *thief {
	th.t.Helper()
	th.rolls.Signed.Version, th.snap.Signed.Version, th.stamp.Signed.Version = versions-1000, versions-1000, versions-1000
	end := time.Now().Add(ahead + 48*time.Hour).UTC().Truncate(time.Second)
	th.rolls.Signed.Expires, th.snap.Signed.Expires, th.stamp.Signed.Expires = end, end, end
	th.publish(product, toEverybody("forward", build, th.signed(product, build)))
	th.stamp.Signed.UnrecognizedFields[layout.FieldIssued] = manifests.At(time.Now().Add(ahead)).String()
	th.put(layout.TimestampFile, seal(th, th.stamp, th.keys[metadata.TIMESTAMP]))
	return th
}

// frozen renews the timestamp for ever over a tree that hides what is newer.
func frozen(d *drill) *thief {
	th := newThief(d.T, d.w)
	th.head()
	return th
}

func stolenOnlineKeys(d *drill) {
	d.release(42, atOnce)
	d.open(42, manifests.WholeFleet)
	outside := condition{order: 43, from: fifth, to: manifests.WholeFleet}
	inside := condition{order: 43, to: fifth}
	named := map[string]*survivor{}
	for name, c := range map[string]condition{
		"up to date": outside, "offline": outside, "offline in the factory": outside, "shown the highest numbers": outside,
		"shown a time 100 days ahead": outside, "shown a time ten years ahead": outside, "frozen": outside, "pushed past the pace": outside,
		"fresh from the factory": outside, "pushed in the factory": outside, "in the middle of an install": inside, "offered an older release": inside,
		"with a dead clock":          {device: map[string]any{"noClock": true}, order: 43, from: fifth, to: manifests.WholeFleet},
		"with a clock an hour ahead": {device: map[string]any{"clockOffsetSeconds": 3600}, order: 43, from: fifth, to: manifests.WholeFleet},
	} {
		s := d.survivor(name, c)
		s.allow(42)
		if c.to == fifth {
			s.allow(43) // its engineers' pace lets it
		}
		named[name] = s
		if name != "offline in the factory" && name != "fresh from the factory" && name != "pushed in the factory" {
			s.expect(42)
		}
	}
	freezer := frozen(d)
	d.release(43, slowly)
	d.open(43, fifth)
	named["offered an older release"].expect(43)
	half := named["in the middle of an install"]
	half.isCutOff()

	// The thief has all three keys, and a network between each of them and us.
	meet := func(name string, th *thief) { named[name].meets(th) }
	meet("shown the highest numbers", newThief(d.T, d.w).forward(43, 0, math.MaxInt32))
	meet("pushed in the factory", newThief(d.T, d.w).forward(43, 0, math.MaxInt32))
	meet("shown a time 100 days ahead", newThief(d.T, d.w).forward(43, 100*24*time.Hour, math.MaxInt32))
	meet("shown a time ten years ahead", newThief(d.T, d.w).forward(43, 3650*24*time.Hour, math.MaxInt32))
	meet("with a dead clock", newThief(d.T, d.w).forward(43, 31*24*time.Hour, math.MaxInt32))
	meet("with a clock an hour ahead", newThief(d.T, d.w).forward(43, 31*24*time.Hour, math.MaxInt32))
	meet("in the middle of an install", newThief(d.T, d.w).forward(43, 0, math.MaxInt32))
	meet("offered an older release", newThief(d.T, d.w).forward(42, 0, math.MaxInt32))
	meet("frozen", freezer)
	if got := named["offered an older release"].runs(); got != 43 {
		d.Errorf("an older release: it runs build %d", got)
	}
	push := newThief(d.T, d.w)
	push.forward(43, 0, 1_000_000)
	named["pushed past the pace"].road.leads(push)
	if s := named["pushed past the pace"].expect(42); s.Code != "pace" {
		d.Errorf("it waits for another reason: %s", s.Sentence)
	}
	// Without new keys nobody gets out of this alone.
	named["shown the highest numbers"].road.leads(d.honest())
	named["shown the highest numbers"].refuses(trust.ErrStaleMirror.Error())

	p := d.lead("online-key")
	d.checked(p.Check, false)
	d.follow(p, map[string]func([]string){"candor-signer verify": func([]string) {}})
	done := d.checked(p.Check, true)
	if s := d.step(done, "Root holders"); !s.is("done") {
		d.Errorf("%+v", s)
	}
	d.release(44, atOnce)
	d.open(44, manifests.WholeFleet)
	for _, s := range d.survivors {
		s.recover(44)
	}
	// What the old keys sign is worth nothing, however high its number.
	for _, name := range []string{"up to date", "shown the highest numbers", "with a dead clock", "fresh from the factory"} {
		named[name].road.leads(newThiefAgain(push))
		named[name].refuses(trust.ErrSignature.Error())
	}
}

// newThiefAgain is the thief with the old keys, who has learned what is
// published now.
func newThiefAgain(th *thief) *thief {
	th.t.Helper()
	th.learn()
	th.publish(product, toEverybody("again", 44, th.signed(product, 44)))
	return th
}
