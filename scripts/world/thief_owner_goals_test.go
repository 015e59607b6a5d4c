package world_test

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// A lower build, or one below the security floor.

var toDowngrade = &goal{
	name: "downgrade", reaches: []string{"a build below the security floor installs", "a lower build installs"},
	setup: func(a *attempt) {
		// Of the same epoch as 43, so that the build number alone stands between.
		a.rows = []rollout.Rollout{row(42, a.release(42, dawn, func(r *manifests.Release) { r.SecurityEpoch = 3 }))}
		a.publish(dawn)
		a.until(dawn.Add(day))
		a.rows = []rollout.Rollout{row(43, a.release(43, a.now)), a.rows[0]}
		a.publish(a.now)
		a.until(dawn.Add(day + time.Hour))
	},
	trials: []trial{
		{"offer the lower one", 1, func(a *attempt) bool {
			v := a.upToDate()
			return a.lower(v, only(urgent("low", 42, a.ref(42))))
		}},
		{"offer it under a higher number", 1, func(a *attempt) bool {
			v := a.upToDate()
			r := urgent("low", 42, a.ref(42))
			r.Build = 44
			return a.lower(v, only(r))
		}},
		{"replay the day before", 1, func(a *attempt) bool {
			v := a.upToDate()
			a.clock(v, dawn.Add(time.Hour), true)
			a.replay(v, 0)
			a.forge(v, forgery{on: new(0), rollouts: only(urgent("low", 42, a.ref(42))), issued: dawn.Add(time.Hour)})
			return a.lower(v, nil)
		}},
		{"offer one below the floor to a handset that fell back", 0, func(a *attempt) bool {
			v := a.victim(person{build: 41})
			a.must(os.WriteFile(filepath.Join(v.config.State, "memory.json"), []byte(`{"floor":4}`), 0o600))
			v.start()
			return a.lower(v, only(urgent("low", 42, a.ref(42)))) || v.runs().Build == 42
		}},
	},
}

func (a *attempt) upToDate() *victim {
	a.t.Helper()
	v := a.victim(person{build: 43})
	a.premise(v.poll().Code == rollout.UpToDate)
	return v
}

func (a *attempt) lower(v *victim, rows func([]rollout.Rollout) []rollout.Rollout) bool {
	a.t.Helper()
	was := v.runs().Build
	if rows != nil {
		a.database(rows)
		a.forge(v, forgery{rollouts: rows})
	}
	for range 2 {
		v.poll()
	}
	return v.runs().Build < was
}

// Over the owner's "later". The engineers signed at least one day of deferral
// and no deadline before day 60; the operators allow thirty days.

var toForce = &goal{
	name: "force",
	reaches: []string{
		"\"later\" is cut to the shortest deferral that the engineers signed",
		"a \"later\" of 30 hours ends within two hours", "… of 5 days", "… of 20 days",
	},
	setup: func(a *attempt) {
		ref := a.release(42, dawn, func(r *manifests.Release) {
			r.Urgency = manifests.Urgency{
				MaxKind: manifests.KindCritical, MinDeferral: manifests.Duration{Duration: day}, EarliestDeadline: new(manifests.At(dawn.Add(60 * day))),
			}
		})
		r := row(42, ref)
		r.Deferral = manifests.Duration{Duration: 30 * day}
		a.rows = []rollout.Rollout{r}
		a.publish(dawn)
	},
	trials: forceTrials(),
}

func forceTrials() []trial {
	out := []trial{
		{"harsher rows, after the signed deferral", 0, func(a *attempt) bool { return a.press(5*day, 26*time.Hour, 0) }},
		{"harsher rows at once", 1, func(a *attempt) bool { return a.press(30*time.Hour, 2*time.Hour, 0) }},
	}
	for reach, later := range map[int]time.Duration{1: 30 * time.Hour, 2: 5 * day, 3: 20 * day} {
		for name, ahead := range map[string]time.Duration{"a day ahead": 26 * time.Hour, "as far ahead": later + time.Hour} {
			out = append(out, trial{name + ", later " + later.String(), reach, func(a *attempt) bool { return a.press(later, 2*time.Hour, ahead) }})
		}
	}
	return out
}

// press attacks an owner who said "later", a while after.
func (a *attempt) press(later, after, ahead time.Duration) bool {
	a.t.Helper()
	v := a.victim(person{build: 41})
	a.must(v.agent.Postpone(later))
	a.premise(v.poll().Code == rollout.Postponed)
	a.until(dawn.Add(after))
	now := only(urgent("now", 42, a.ref(42)))
	a.database(now)
	a.forge(v, forgery{rollouts: now, issued: a.now.Add(ahead)})
	if ahead > 0 {
		a.clock(v, a.now.Add(ahead), false)
	}
	for range 2 {
		v.poll()
	}
	return v.runs().Build == 42
}

// Votes tied to a handset, by whoever reads the service's requests or records,
// addresses and times apart. Two handsets report; the engineers signed 43, and
// nobody opened it yet.

var toLink = &goal{
	name: "link", reaches: []string{"a vote is known to come from the only handset of its kind", "a vote is tied to one device key"},
	setup: func(a *attempt) {
		a.rows = []rollout.Rollout{row(42, a.release(42, dawn))}
		a.release(43, dawn)
		a.publish(dawn)
	},
	trials: []trial{
		{"read", 1, func(a *attempt) bool {
			a.two()
			return a.tied(42)
		}},
		{"a key for each", 1, func(a *attempt) bool {
			a.impersonate()
			a.two()
			return a.tied(42)
		}},
		{"a build for one alone", 1, func(a *attempt) bool {
			lone := a.victim(reporting("is"))
			a.forge(lone, forgery{rollouts: only(urgent("lone", 43, a.ref(43)), a.rows[0])})
			a.meet(lone, a.victim(reporting("cn")))
			return a.tied(43)
		}},
		{"old news for the others", 1, func(a *attempt) bool {
			lone, other := a.victim(reporting("is")), a.victim(reporting("cn"))
			a.replay(other, 0)
			a.rows = []rollout.Rollout{row(43, a.ref(43)), a.rows[0]}
			a.publish(a.now)
			a.meet(lone, other)
			return a.tied(43)
		}},
		{"an audience of one", 0, func(a *attempt) bool {
			r := urgent("lone", 43, a.ref(43))
			r.Audience.Regions = []manifests.Name{"is"}
			rows := only(r, a.rows[0])
			lone, other := a.victim(reporting("is")), a.victim(reporting("cn"))
			a.database(rows)
			a.forge(lone, forgery{rollouts: rows})
			a.forge(other, forgery{rollouts: rows})
			a.meet(lone, other)
			return (a.has(stolenCDN) || a.has(stolenDatabase)) && a.voted(43)
		}},
	},
}

func (a *attempt) two() { a.meet(a.victim(reporting("is")), a.victim(reporting("cn"))) }

func (a *attempt) meet(all ...*victim) {
	a.t.Helper()
	for range 2 {
		for _, v := range all {
			v.poll()
		}
	}
}

func (a *attempt) voted(b manifests.Build) bool {
	for i := range a.votes.cast {
		if a.votes.cast[i].Build == b {
			return true
		}
	}
	return false
}

// No news. The engineers promise news within sixty days; on day 30 they sign a
// fix, and it is opened to all.

var toFreeze = &goal{
	name: "freeze", reaches: []string{"the fix is withheld from a handset that has the engineers' newest word", "no news reaches a handset, and after the promised day it neither warns nor shows an error"},
	setup: func(a *attempt) {
		a.rows = []rollout.Rollout{}
		a.engineers(dawn)
		a.publish(dawn)
	},
	trials: freezeTrials(),
}

func freezeTrials() []trial {
	stopped := func(a *attempt, v *victim) { a.clock(v, dawn.Add(time.Hour), true) }
	moves := []struct {
		name  string
		reach int
		move  func(*attempt, *victim)
	}{
		{"offer nothing", 0, func(a *attempt, v *victim) {
			a.database(only())
			a.forge(v, forgery{rollouts: only()})
		}},
		{"forge failures", 0, func(a *attempt, _ *victim) { a.forgeVotes(42, 20) }},
		{"stop the clock", 0, stopped},
		{"replay", 1, func(a *attempt, v *victim) { a.replay(v, 0) }},
		{"replay, clock stopped", 1, func(a *attempt, v *victim) {
			a.replay(v, 0)
			stopped(a, v)
		}},
		{"sign the old tree anew", 1, func(a *attempt, v *victim) { a.forge(v, forgery{on: new(0), expires: a.now.AddDate(5, 0, 0)}) }},
		{"sign the old tree anew, clock stopped", 1, func(a *attempt, v *victim) {
			a.forge(v, forgery{on: new(0), issued: dawn.Add(time.Hour), expires: a.now.AddDate(5, 0, 0)})
			stopped(a, v)
		}},
		{"answer nothing", 1, func(a *attempt, v *victim) { a.darken(v) }},
		{"answer nothing, clock stopped", 1, func(a *attempt, v *victim) {
			a.darken(v)
			stopped(a, v)
		}},
	}
	var out []trial
	for _, m := range moves {
		out = append(out, trial{m.name, m.reach, func(a *attempt) bool {
			current, silent := a.starve(m.move)
			return silent && current == (m.reach == 0)
		}})
	}
	return out
}

// starve lets two months pass, with the thief at work before each poll. It tells
// whether the handset has the engineers' newest word, and whether it is without
// the fix and says nothing of it.
func (a *attempt) starve(move func(*attempt, *victim)) (current, silent bool) {
	a.t.Helper()
	v := a.victim(person{build: 41})
	v.poll()
	said := v.agent.Status()
	for _, d := range []time.Duration{1, 30, 31, 55, 62} {
		a.until(dawn.Add(d * day))
		switch d {
		case 30:
			a.rows = []rollout.Rollout{row(42, a.release(42, a.now))}
			a.publish(a.now)
		case 55:
			a.engineers(a.now)
			a.publish(a.now)
		}
		move(a, v)
		said = v.poll()
	}
	has, err := os.ReadFile(filepath.Join(v.config.State, "trust", releasesRole+".json"))
	a.must(err)
	current = bytes.Equal(has, a.files[layout.MetadataFile(releasesRole, a.rels.Signed.Version)])
	return current, v.runs().Build == 41 && said.Code != "error" && len(v.agent.Warnings()) == 0
}
