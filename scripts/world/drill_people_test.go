package world_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
)

// half publishes, with every key of the service, a list of releases that only
// one engineer has signed.
func (th *thief) half(d *drill, build manifests.Build) *thief {
	th.t.Helper()
	manifest, err := world.Example(product, build, atOnce)
	d.must(err)
	d.must(os.WriteFile(d.w.Path("evil.yaml"), manifest, 0o644))
	out := "evil-" + build.String()
	file := out + "/phone-" + build.String() + ".proposal.json"
	d.run([]string{"candor-server", "vote-keys", string(product), build.String(), "--data", d.w.Path("data"), "--json", ">", "vote-keys.json"})
	d.run([]string{"candor-signer", "release", "build", "evil.yaml", "--image", "system=" + d.image(build), "--vote-keys", "vote-keys.json", "--server", d.w.Server, "--out", out})
	d.run([]string{"candor-signer", "event", "sign", file, "--key", "emil", "--builder", "--passphrase-file", "pass", "--yes"})
	data, err := os.ReadFile(d.w.Path(file))
	d.must(err)
	var p event.Proposal
	d.must(json.Unmarshal(data, &p))
	signatures, err := json.Marshal(p.Roles[0].Signatures)
	d.must(err)
	th.vouch(p.Roles[0].Name, th.snap.Signed.Meta[p.Roles[0].Name+".json"].Version+1, []byte(`{"signatures":`+string(signatures)+`,"signed":`+p.Roles[0].Signed+"}"))
	doc := []byte(p.Documents[0].Body)
	ref := reference(build, doc)
	th.put(layout.TargetFile(ref.Path, ref.SHA256), doc)
	th.publish(product, toEverybody("evil", build, ref))
	return th
}

func stolenEngineersKeys(d *drill) {
	d.release(42, atOnce)
	d.open(42, manifests.WholeFleet)
	outside := condition{order: 44, from: fifth, to: manifests.WholeFleet}
	inside := condition{order: 44, to: fifth}
	named := map[string]*survivor{}
	for name, c := range map[string]condition{
		"up to date": outside, "offline": outside, "late and in the pace": inside, "offline in the factory": outside, "shown the half list": outside,
		"shown the half list in the factory": outside, "in the pace": inside, "second in the pace": inside, "in the middle of an install": inside,
		"shown the old list": outside, "fresh from the factory": outside, "with a dead clock": {device: map[string]any{"noClock": true}, order: 44, from: fifth, to: manifests.WholeFleet},
	} {
		named[name] = d.survivor(name, c)
		named[name].allow(42)
		if !strings.Contains(name, "factory") {
			named[name].expect(42)
		}
	}

	// One key of two: with every key of the service on top, it installs nothing.
	evil := newThief(d.T, d.w).half(d, 43)
	for _, name := range []string{"shown the half list", "shown the half list in the factory"} {
		named[name].road.leads(evil)
		named[name].refuses(trust.ErrSignature.Error())
	}
	p := d.lead("engineer-key", "--product", "phone", "--gone", "Emil Zhou")
	d.checked(p.Check, false)
	d.follow(p, nil)
	d.checked(p.Check, true)
	d.w.Engineers = []string{"dora", d.own["Emil Zhou"]}
	rotated := d.lead("online-key") // the thief had those too
	d.follow(rotated, map[string]func([]string){"candor-signer verify": func([]string) {}})
	for _, name := range []string{"shown the half list", "shown the half list in the factory"} {
		named[name].road.leads(d.honest())
		named[name].expect(42)
	}

	// A threshold of keys: build 44 is validly signed, published and opened as
	// wide as its pace allows.
	stolen := d.w.Engineers
	d.release(44, slowly)
	r := d.open(44, fifth)
	for _, name := range []string{"in the pace", "second in the pace"} {
		named[name].allow(44) // nobody could have told
		named[name].expect(44)
	}
	half := named["in the middle of an install"]
	half.isCutOff()
	old := &thief{t: d.T, world: d.w, files: map[string][]byte{}}
	old.put(layout.TimestampFile, old.get(layout.TimestampFile)) // of when 44 was offered
	named["shown the old list"].expect(42)

	p = d.lead("engineer-key", "--product", "phone", "--gone", "Dora Fang", "--gone", "Emil Zhou", "--build", "44")
	if s := d.step(p, "Halt"); !s.is("open") || !strings.Contains(s.Commands[0].Line, r.ID) {
		d.Errorf("%+v", s)
	}
	d.own = map[string]string{}
	d.follow(p, map[string]func([]string){
		"candor-signer key new": func(line []string) { // new-1 is taken
			name := "third-" + line[3]
			d.run([]string{"candor-signer", "key", "new", name, "--holder", line[5], "--work-factor", "12", "--passphrase-file", "pass"})
			d.run([]string{"candor-signer", "key", "show", name, "--public", ">", line[3] + ".pub"})
			d.own[line[5]] = name
		},
		"candor-signer key show": func([]string) {},
		"candor-signer product people": func(line []string) {
			d.must(os.Remove(d.w.Path("phone-people.proposal.json"))) // of the first day
			d.run(line)
		},
		"candor-signer rollout halt": func([]string) {
			_, err := d.w.Change(ctx, r.ID, "halt", "not ours")
			d.must(err)
		},
		"candor-server vote-keys": func([]string) {}, "candor-signer release": func([]string) {},
		"candor-signer event sign phone-45": func([]string) {}, "candor-signer event publish phone-45": func([]string) {},
	})
	now := d.checked(p.Check, false)
	if !d.step(now, "Root holders").is("done") || !d.step(now, "Halt").is("done") || !d.step(now, "higher build").is("open") {
		d.Errorf("%+v", now.Steps)
	}
	if half.road.leads(d.honest()); half.expect(42).Build == 44 {
		d.Error("the bad build is still on its way in")
	}
	named["shown the old list"].expect(42)
	for _, name := range []string{"shown the old list", "in the middle of an install"} { // they have seen the new list
		named[name].road.leads(old)
		if _, err := named[name].poll(); err == nil {
			d.Errorf("%s: the old list is believed", name)
		}
	}
	named["with a dead clock"].road.leads(old)
	if s := named["with a dead clock"].expect(42); s.Code != "pace" && s.Code != "not-in-share" {
		d.Errorf("it waits for another reason: %s", s.Sentence)
	}
	late := named["late and in the pace"] // never heard of it, in the pace: the timestamp's two days are its bound
	late.device(`{"clockOffsetSeconds":180000}`)
	late.road.leads(old)
	late.refuses(trust.ErrExpired.Error())
	late.device(`{}`)

	// The old keys sign nothing any more.
	d.w.Engineers = stolen
	manifest, err := world.Example(product, 46, atOnce)
	d.must(err)
	if err := d.w.SignRelease(ctx, product, 46, manifest, d.image(46)); err == nil {
		d.Error("the stolen keys still sign a release")
	}
	d.w.Engineers = []string{d.own["Dora Fang"], d.own["Emil Zhou"]}
	d.must(os.RemoveAll(d.w.Path("out")))
	d.release(45, atOnce)
	d.open(45, manifests.WholeFleet)
	d.checked(p.Check, true)
	for _, s := range d.survivors {
		s.recover(45)
	}
}

// The ways of the root: one key of three is lost, then two of three.
func lostRootKeys(d *drill) {
	d.release(42, atOnce)
	d.open(42, manifests.WholeFleet)
	for _, name := range []string{"up to date", "second", "third", "offline", "fourth", "offline in the factory", "fresh from the factory", "late"} {
		if s := d.survivor(name, condition{}); !strings.Contains(name, "factory") {
			s.allow(42)
			s.expect(42)
		}
	}
	half := d.survivor("in the middle of an install", condition{})
	half.isCutOff()
	dead := d.survivor("with a dead clock", condition{device: map[string]any{"noClock": true}})
	dead.allow(42)
	dead.expect(42)

	p := d.lead("root-key", "--gone", "Carol Lin")
	d.checked(p.Check, false)
	d.follow(p, nil)
	d.checked(p.Check, true)
	d.release(43, atOnce)
	d.open(43, manifests.WholeFleet)
	for _, s := range d.survivors {
		s.recover(43)
	}

	// Now two of three are gone. The plan does not pretend.
	p = d.lead("root-key", "--gone", "Alice Chen", "--gone", "Carol Lin")
	if !strings.Contains(p.Title, "No root and no targets can ever be signed again") || slices.ContainsFunc(p.Steps, func(s planStep) bool { return strings.Contains(s.Title, "name it") }) {
		d.Errorf("%s: %+v", p.Title, p.Steps)
	}
	d.run([]string{"candor-signer", "root", "people", "--remove", "Carol Lin", "--threshold", "2", "--server", d.w.Server, "--out", "vain.json"})
	d.run([]string{"candor-signer", "event", "sign", "vain.json", "--key", "bob", "--passphrase-file", "pass", "--yes"})
	if err := d.w.Submit(ctx, "vain.json"); err == nil {
		d.Error("one of three signs a root")
	}
	// Engineers go on while root lasts; after that handsets keep what they run.
	d.release(44, atOnce)
	d.open(44, manifests.WholeFleet)
	for _, s := range d.survivors {
		s.recover(44)
	}
	aged := d.survivors[0]
	aged.device(`{"clockOffsetSeconds":34560000}`) // 400 days
	aged.refuses(trust.ErrExpired.Error())
	aged.device(`{}`)
	d.newFactoryRoot(aged)
}

// newFactoryRoot is the way that is left: another system. Handsets of the old
// one refuse it, and a handset that the factory sets up with its root takes it.
func (d *drill) newFactoryRoot(old *survivor) {
	d.Helper()
	dir := d.TempDir()
	bin, err := os.Readlink(d.w.Path("bin"))
	d.must(err)
	other, err := world.NewWith(ctx, bin, dir)
	d.must(err)
	defer func() { d.must(other.Close()) }()
	d.must(other.Ceremony(ctx, product))
	was := d.w
	d.w = other
	defer func() { d.w = was }()
	d.release(45, atOnce)
	d.open(45, manifests.WholeFleet)
	old.road.leads(d.honest())
	if _, err := old.poll(); err == nil || old.runs() != 44 {
		d.Errorf("another system is believed: %v", err)
	}
	s := d.survivor("set up anew with the new root", condition{})
	s.recover(45)
}
