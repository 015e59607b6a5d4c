package world_test

import (
	"bytes"
	"os"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	chunks "github.com/candor-ota/candor/manifests/image"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

var goals = []*goal{toInstall, toPace, toHalt, toDowngrade, toForce, toLink, toFreeze}

// only gives rows that replace all others.
func only(rows ...rollout.Rollout) func([]rollout.Rollout) []rollout.Rollout {
	return func([]rollout.Rollout) []rollout.Rollout { return append([]rollout.Rollout{}, rows...) }
}

// urgent opens a build to everybody at once, as harshly as a document can say.
func urgent(id string, b manifests.Build, ref rollout.Reference) rollout.Rollout {
	r := toEverybody(id, b, ref)
	r.Deadline, r.Retry = new(manifests.At(dawn)), true
	return r
}

// Unsigned content.

var toInstall = &goal{
	name: "install", reaches: []string{"content that the engineers did not sign runs"},
	setup: func(a *attempt) {
		a.rows = []rollout.Rollout{row(42, a.release(42, dawn))}
		a.publish(dawn)
	},
	trials: []trial{
		{"engineers of his own", 0, func(a *attempt) bool {
			v, doc := a.installer(), a.evil(evilBuild)
			ref := reference(evilBuild, doc)
			a.swap(v, layout.TargetFile(ref.Path, ref.SHA256), doc)
			a.forge(v, forgery{own: true, rollouts: only(urgent("evil", evilBuild, ref)), engineers: func(m *metadata.Metadata[metadata.TargetsType]) { target(m, ref.Path, doc) }})
			return a.unsigned(v)
		}},
		{"other bytes under a signed name", 0, func(a *attempt) bool {
			v, doc := a.installer(), a.evil(42)
			ref := reference(42, doc)
			a.swap(v, layout.TargetFile(ref.Path, ref.SHA256), doc)
			a.database(only(urgent("evil", 42, ref)))
			a.forge(v, forgery{rollouts: only(urgent("evil", 42, ref))})
			return a.unsigned(v)
		}},
		{"another release document", 0, func(a *attempt) bool {
			v, doc := a.installer(), a.evil(42)
			a.swap(v, layout.TargetFile(a.ref(42).Path, a.ref(42).SHA256), doc)
			return a.unsigned(v)
		}},
		{"a release in the role of rollouts", 0, func(a *attempt) bool {
			v, doc := a.installer(), a.evil(evilBuild)
			ref := reference(evilBuild, doc)
			a.swap(v, layout.TargetFile(ref.Path, ref.SHA256), doc)
			a.forge(v, forgery{rollouts: only(urgent("evil", evilBuild, ref)), smuggle: func(m *metadata.Metadata[metadata.TargetsType]) { target(m, ref.Path, doc) }})
			return a.unsigned(v)
		}},
		{"other index and pack", 0, func(a *attempt) bool {
			v, good := a.installer(), a.stories()[42]
			index, pack := a.lookalike(good)
			a.swap(v, layout.BlobFile(good.image.Index.SHA256), index)
			a.swap(v, layout.BlobFile(good.image.Pack.SHA256), pack)
			return a.unsigned(v)
		}},
		{"a root of his own", 0, func(a *attempt) bool {
			v, doc := a.installer(), a.evil(evilBuild)
			ref := reference(evilBuild, doc)
			a.swap(v, layout.TargetFile(ref.Path, ref.SHA256), doc)
			a.swap(v, layout.MetadataFile(metadata.ROOT, 2), a.ownRoot())
			a.forge(v, forgery{own: true, rollouts: only(urgent("evil", evilBuild, ref))})
			return a.unsigned(v)
		}},
	},
}

func (a *attempt) installer() *victim { return a.victim(person{build: 41}) }

func (a *attempt) stories() map[manifests.Build]story {
	a.t.Helper()
	all, err := stories()
	a.must(err)
	for path, data := range all[evilBuild].blobs {
		a.files[path] = data // whoever makes them can also have them served
	}
	return all
}

func (a *attempt) evil(b manifests.Build) []byte {
	a.t.Helper()
	return draft(a.t, b, a.stories()[evilBuild].image, a.now, a.master)
}

// lookalike gives an index and a pack of the same lengths and claims as those
// of a story, with other chunks that fit to each other.
func (a *attempt) lookalike(s story) (index, pack []byte) {
	a.t.Helper()
	pack = bytes.Clone(s.blobs[layout.BlobFile(s.image.Pack.SHA256)])
	x, err := chunks.Parse(s.blobs[layout.BlobFile(s.image.Index.SHA256)])
	a.must(err)
	for i := range x.Rows {
		r := &x.Rows[i]
		if r.PackedLength != r.Length {
			a.t.Fatal("a chunk of random bytes is compressed")
		}
		chunk := pack[r.PackOffset : r.PackOffset+int64(r.PackedLength)]
		chunk[0] ^= 1
		r.SHA256, r.PackedSHA256 = chunks.Sum(chunk), chunks.Sum(chunk)
	}
	index, err = x.MarshalBinary()
	a.must(err)
	return index, pack
}

func reference(b manifests.Build, doc []byte) rollout.Reference {
	return rollout.Reference{Path: layout.ReleasePath(product, b), Length: int64(len(doc)), SHA256: manifests.SumSHA256(doc)}
}

func (a *attempt) ownRoot() []byte {
	a.t.Helper()
	r, thief := metadata.Root(a.now.AddDate(1, 0, 0)), tufKeys()["thief"]
	r.Signed.Version = 2
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		a.must(r.Signed.AddKey(thief[0].public, role))
	}
	return sealed(a.t, r, thief...)
}

// unsigned lets the handset poll, and looks at what its slot really holds.
func (a *attempt) unsigned(v *victim) bool {
	a.t.Helper()
	for range 2 {
		v.poll()
	}
	slot, err := v.slots.Booted()
	a.must(err)
	holds, err := os.ReadFile(v.slots.Image(slot, "system"))
	a.must(err)
	sum := manifests.SumSHA256(holds)
	return !bytes.Equal(holds, []byte("factory")) && sum != a.stories()[42].image.SHA256
}

// Beyond the pace. The engineers let 1 % have it at once, a fifth after a day,
// half after five, everybody after thirty; the operators opened it to 1 %.

var toPace = &goal{
	name: "pace", reaches: []string{"the step of day 1 is passed in the first hour", "… of day 5", "… of day 30"},
	setup: func(a *attempt) {
		ref := a.release(42, dawn, func(r *manifests.Release) {
			r.Pace = []manifests.PaceStep{
				{MaxShare: 10_000},
				{After: manifests.Duration{Duration: day}, MaxShare: 200_000},
				{After: manifests.Duration{Duration: 5 * day}, MaxShare: 500_000},
				{After: manifests.Duration{Duration: 30 * day}, MaxShare: manifests.WholeFleet},
			}
		})
		r := row(42, ref)
		r.Share = 10_000
		a.rows = []rollout.Rollout{r}
		a.publish(dawn)
	},
	trials: []trial{
		{"everybody", 0, func(a *attempt) bool { return a.hurry(0, 0, 0) }},
		{"everybody", 2, func(a *attempt) bool { return a.hurry(2, 0, 0) }},
		{"a day ahead", 0, func(a *attempt) bool { return a.hurry(0, day, day) }},
		{"five days ahead", 1, func(a *attempt) bool { return a.hurry(1, 5*day, 5*day) }},
		{"thirty days ahead", 2, func(a *attempt) bool { return a.hurry(2, 30*day, 30*day) }},
		{"a clock before the factory", 0, func(a *attempt) bool { return a.hurry(0, 30*day, -3650*day) }},
	},
}

// hurry opens 42 to all with sixty rollouts, at a signed time and by a clock
// that lie ahead of the true one.
func (a *attempt) hurry(reach int, signed, local time.Duration) bool {
	a.t.Helper()
	place := [][2]manifests.SharePPM{{20_000, 200_000}, {200_000, 500_000}, {500_000, manifests.WholeFleet}}[reach]
	v := a.victim(person{build: 41, order: 42, from: place[0], to: place[1]})
	a.until(dawn.Add(time.Hour))
	var all []rollout.Rollout
	for i := range 60 {
		all = append(all, urgent(manifests.Build(i+1).String(), 42, a.ref(42)))
	}
	a.database(only(all...))
	a.forge(v, forgery{rollouts: only(all...), issued: a.now.Add(signed)})
	if local != 0 {
		a.clock(v, a.now.Add(local), false)
	}
	for range 3 {
		v.poll()
	}
	return v.runs().Build == 42
}

// A halted build. 43 reaches 1 % at once and everybody after a day; it is
// halted after six hours.

const haltAfter = 6 * time.Hour

var toHalt = &goal{
	name: "halt",
	reaches: []string{
		"a halted build installs 12 hours after the halt where nobody heard of it",
		"… 3 days after", "… 10 days after", "… 100 days after, when its offer has ended",
		"it installs on a handset that saw the halt, within a pace that counts anew",
		"… faster than that pace",
	},
	setup: func(a *attempt) {
		ref := a.release(43, dawn, func(r *manifests.Release) {
			r.Pace = []manifests.PaceStep{{MaxShare: 10_000}, {After: manifests.Duration{Duration: day}, MaxShare: manifests.WholeFleet}}
		})
		a.rows = []rollout.Rollout{row(43, ref)}
		a.publish(dawn)
	},
	trials: haltTrials(),
}

func haltTrials() []trial {
	out := []trial{{"armed before the halt", 4, func(a *attempt) bool {
		v := a.victim(person{build: 41, order: 43, to: 10_000})
		a.rows[0].Window = &rollout.Window{From: 2 * 60, To: 5 * 60}
		a.publish(dawn)
		a.premise(v.poll().Code == rollout.BeforeWindow)
		a.halt()
		a.until(dawn.Add(14*time.Hour + 30*time.Minute))
		v.poll()
		return v.runs().Build == 43
	}}}
	for reach, after := range []time.Duration{12 * time.Hour, 3 * day, 10 * day, 100 * day} {
		for name, how := range ways {
			out = append(out, trial{name + ", unheard, " + after.String(), reach, func(a *attempt) bool {
				v := a.victim(person{build: 41, order: 43, to: 10_000})
				a.halt()
				a.until(dawn.Add(haltAfter + after))
				return a.revive(v, how)
			}})
		}
	}
	for name, how := range ways {
		for reach, place := range map[int][2]manifests.SharePPM{4: {0, 10_000}, 5: {500_000, manifests.WholeFleet}} {
			out = append(out, trial{name + ", seen", reach, func(a *attempt) bool {
				v := a.victim(person{build: 41, order: 43, from: place[0], to: place[1]})
				a.halt()
				a.premise(v.poll().Code == rollout.HaltedCode)
				a.until(dawn.Add(haltAfter + 3*day))
				v.poll()
				return a.revive(v, how)
			}})
		}
	}
	return out
}

func (a *attempt) halt() {
	a.t.Helper()
	a.until(dawn.Add(haltAfter))
	a.rows[0].State, a.rows[0].Reason = rollout.Halted, "it drains batteries"
	a.publish(a.now)
}

// way is how a halted build is brought back.
type way struct {
	replay, back bool          // the tree, and the clock, of before the halt
	ahead        time.Duration // signed time and clock
	hush         bool          // first a document that says nothing of it
}

var ways = map[string]way{
	"replay": {replay: true}, "replay, clock set back": {replay: true, back: true}, "offer again": {}, "offer again, clock set back": {back: true},
	"offer again, a day ahead": {ahead: day + time.Hour}, "say nothing, then offer again": {hush: true},
}

func (a *attempt) revive(v *victim, how way) bool {
	a.t.Helper()
	if how.back {
		a.clock(v, dawn.Add(time.Hour), true)
	}
	again := only(urgent("again", 43, a.ref(43)))
	switch before := 1; {
	case how.replay:
		a.replay(v, before)
		a.forge(v, forgery{on: &before})
	default:
		if how.hush {
			a.database(only())
			a.forge(v, forgery{rollouts: only()})
			v.poll()
		}
		a.database(again)
		a.forge(v, forgery{rollouts: again, issued: a.believed(v, how.ahead)})
	}
	for range 2 {
		v.poll()
	}
	if how.ahead > 0 { // the handset has met the offer; now its pace is to pass
		a.forge(v, forgery{rollouts: again, issued: a.now.Add(2 * how.ahead)})
		a.clock(v, a.now.Add(2*how.ahead), false)
		v.poll()
	}
	return v.runs().Build == 43
}

// believed is the time that the thief signs: now, as the handset's clock has it
// where he set that back.
func (a *attempt) believed(v *victim, ahead time.Duration) time.Time {
	if v.senses.now.Before(a.now) {
		return v.senses.now
	}
	return a.now.Add(ahead)
}
