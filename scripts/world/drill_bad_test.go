package world_test

import (
	"strings"

	"github.com/candor-ota/candor/manifests"
)

func badRelease(d *drill) {
	d.release(42, atOnce)
	d.open(42, manifests.WholeFleet)
	outside := condition{order: 43, from: fifth, to: manifests.WholeFleet}
	inside := condition{order: 43, to: fifth}
	named := map[string]*survivor{}
	for name, c := range map[string]condition{
		"up to date": outside, "offline": outside, "offline in the factory": outside, "fresh from the factory": outside, "has the bad build": inside,
		"second with the bad build": inside, "in the middle of an install": inside, "offline in the middle of an install": inside, "offered it after the withdrawal": inside, "third": outside,
		"with a dead clock": {device: map[string]any{"noClock": true}, order: 43, from: fifth, to: manifests.WholeFleet},
	} {
		named[name] = d.survivor(name, c)
		named[name].allow(42)
		if !strings.Contains(name, "factory") {
			named[name].expect(42)
		}
	}
	// 43 is the stone between 42 and 44, and it is bad.
	d.release(43, slowly, "minBuild: 40", "minBuild: 42")
	d.release(44, atOnce, "minBuild: 40", "minBuild: 43")
	r := d.open(43, fifth)
	for _, name := range []string{"has the bad build", "second with the bad build"} {
		named[name].allow(43)
		named[name].expect(43)
	}
	for _, name := range []string{"in the middle of an install", "offline in the middle of an install"} {
		named[name].isCutOff()
	}
	th := newThief(d.T, d.w)
	stolen := th.signed(product, 43)

	p := d.lead("bad-release", "--product", "phone", "--build", "43")
	if s := d.step(p, "another way up"); !s.is("open") {
		d.Errorf("%+v", s)
	}
	halt := func([]string) {
		_, err := d.w.Change(ctx, r.ID, "halt", "it drains batteries")
		d.must(err)
	}
	for _, c := range d.step(p, "Halt").Commands {
		d.give(c, map[string]func([]string){"candor-signer rollout halt": halt})
	}
	d.checked(p.Check, false)
	half := named["in the middle of an install"]
	half.road.leads(d.honest())
	if got := half.expect(42); got.Code != "halted" {
		d.Errorf("it waits for another reason: %s", got.Sentence)
	}
	if _, err := d.w.Exec(ctx, "signer", "withdraw", "phone", "43", "--server", d.w.Server); err == nil || !strings.Contains(err.Error(), "stepping stone") {
		d.Fatalf("a stepping stone was withdrawn: %v", err)
	}
	d.release(45, atOnce)
	p = d.lead("bad-release", "--product", "phone", "--build", "43")
	for _, s := range p.Steps {
		if strings.Contains(s.Title, "another way") {
			d.Errorf("it still asks for another way: %+v", s)
		}
	}
	for _, c := range d.step(p, "Withdraw").Commands {
		d.give(c, nil)
	}
	now := d.checked(p.Check, false)
	if !d.step(now, "Withdraw").is("done") || !d.step(now, "Halt").is("done") || !d.step(now, "higher build").is("open") {
		d.Errorf("%+v", now.Steps)
	}
	th.learn()
	th.publish(product, toEverybody("again", 43, stolen))
	for _, name := range []string{"offered it after the withdrawal", "offline in the middle of an install"} {
		named[name].road.leads(th)
		if s := named[name].expect(42); s.Code != "withdrawn" {
			d.Errorf("%s waits for another reason: %s", name, s.Sentence)
		}
	}
	d.open(45, manifests.WholeFleet)
	d.checked(p.Check, true)
	rotated := d.lead("online-key")
	d.follow(rotated, map[string]func([]string){"candor-signer verify": func([]string) {}})
	for _, s := range d.survivors {
		s.recover(45)
	}
}
