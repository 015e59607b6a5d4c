package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// poll brings the view up to date.
func (a *Agent) poll(ctx context.Context) error {
	if a.bundle != nil {
		return a.pollBundle(ctx)
	}
	up, err := a.Device.Uptime()
	if err != nil {
		return err
	}
	a.polled = up // whatever comes of it
	view, err := a.Trust.Poll(ctx)
	if err != nil {
		return errors.Join(err, a.missed())
	}
	a.view = view
	if err := errors.Join(a.noteHalts(), a.noteUptime()); err != nil {
		return err
	}
	a.warn()
	a.noteRollouts()
	a.keepNotices()
	return nil
}

// decide decides by the view whether an update is begun.
func (a *Agent) decide() (rollout.Decision, error) {
	in, err := a.input()
	if err != nil {
		return rollout.Decision{}, err
	}
	return a.judge(in), nil
}

// judge decides by the rules of what is at hand: a bundle, or the network.
func (a *Agent) judge(in rollout.Input) rollout.Decision {
	if a.bundle != nil {
		return rollout.DecideOffline(in, a.bundle.Build)
	}
	return rollout.Decide(in)
}

func (a *Agent) input() (rollout.Input, error) {
	h, err := a.handset()
	if err != nil {
		return rollout.Input{}, err
	}
	h.Conditions.NeedBytes += a.planningNeeds(h.Build)
	seconds := func(s int64) time.Duration { return time.Duration(s) * time.Second }
	return rollout.Input{
		Document: a.view.Document, Releases: a.view.Releases, Handset: h,
		Times: rollout.Times{Expiry: a.view.Expiry, Pace: a.view.Pace, PoweredOn: byBuild(a.mem.PoweredOn, seconds)},
	}, nil
}

// handset gathers what a decision rests on.
func (a *Agent) handset() (*rollout.Handset, error) {
	slot, err := a.Slots.Booted()
	if err != nil {
		return nil, err
	}
	running, err := a.Slots.Metadata(slot)
	if err != nil {
		return nil, err
	}
	conditions, err := a.Device.Conditions()
	if err != nil {
		return nil, err
	}
	conditions.NeedBytes = stateBytes
	h := &rollout.Handset{
		Product: a.Config.Product, Model: a.Config.Model, Region: a.Config.Region, Channel: a.Config.Channel, Secret: a.secret,
		Build: running.Build, Label: running.Label, Floor: a.mem.Floor,
		Consent: byBuild(a.mem.Consent, same), Failures: byBuild(a.mem.Failures, same), HaltedSeen: a.mem.halted(),
		RetryByHand: a.mem.Wish.Retry, Wish: a.mem.Wish.rollout(), Conditions: conditions,
		Lab: a.labID(),
	}
	return h, nil
}

// stateBytes is the room that journal, memory and receipts grow into.
const stateBytes = 512 << 10

// planningNeeds is the room for indexes that the largest of the newer releases
// takes.
func (a *Agent) planningNeeds(running manifests.Build) (bytes int64) {
	for build, s := range a.view.Releases {
		if build > running {
			bytes = max(bytes, a.shelf().NeedBytes(s.Release.Images))
		}
	}
	return bytes
}

// noteHalts remembers builds that are halted, and from when a halted build is
// offered again: its pace counts from there (AMENDMENTS C4).
func (a *Agent) noteHalts() error {
	if a.view.Document == nil {
		return nil
	}
	offered, halted := map[manifests.Build]bool{}, map[manifests.Build]bool{}
	for _, r := range a.view.Document.Rollouts {
		if r.State.Installable() {
			offered[r.Build] = true
		}
		if r.State == rollout.Halted {
			halted[r.Build] = true
		}
	}
	changed := false
	for build := range halted {
		if !a.mem.Halted[build.String()] && !offered[build] {
			put(&a.mem.Halted, build, true)
			delete(a.mem.HaltedSeen, build.String())
			changed = true
		}
	}
	for build := range offered {
		if a.mem.Halted[build.String()] {
			delete(a.mem.Halted, build.String())
			put(&a.mem.HaltedSeen, build, manifests.At(a.view.Expiry))
			delete(a.mem.PoweredOn, build.String()) // without a clock it counts from here too
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return a.saveMemory()
}

// warn keeps what the owner should know about the maker and the way to him: a
// fork of the chain of rollouts stays for ever, a missed promise until it is
// kept (AMENDMENTS A1, A2).
func (a *Agent) warn() {
	const fork = "This handset was shown rollouts that do not follow those it was shown before: somebody shows different handsets different things. Compare `head` with another handset's."
	before := a.mem.Warnings
	forked := a.view.Forked || slices.Contains(before, fork)
	a.mem.Warnings = nil
	if forked {
		a.mem.Warnings = append(a.mem.Warnings, fork)
	}
	a.mem.NextBy = a.view.NextBy
	if next := a.mem.NextBy; next != nil && a.view.Expiry.After(next.Time) {
		a.mem.Warnings = append(a.mem.Warnings, overdue(*next))
	}
	a.mem.Head = a.view.Head.Short()
	for _, w := range a.mem.Warnings {
		if !slices.Contains(before, w) {
			a.note(receipts.Entry{Kind: receipts.Warning, Why: w})
		}
	}
}

func overdue(next manifests.Time) string {
	return fmt.Sprintf("The maker promised news by %s, and none has reached this handset.", next)
}

// noteRollouts remembers what a wake-up is judged by.
func (a *Agent) noteRollouts() {
	a.mem.Counter, a.mem.Spread = 0, nil
	if a.view.Document == nil {
		return
	}
	a.mem.Counter = a.view.Document.Counter
	for _, r := range a.view.Document.Rollouts {
		if a.mem.Spread == nil || r.Spread.Duration > a.mem.Spread.Duration {
			a.mem.Spread = &r.Spread
		}
	}
}

// Rollouts gives the counter of the rollouts that were verified last, and the
// longest spread that they sign; otherwise, if there are none.
func (a *Agent) Rollouts(otherwise time.Duration) (counter uint64, spread time.Duration) {
	if a.mem.Spread == nil {
		return a.mem.Counter, otherwise
	}
	return a.mem.Counter, a.mem.Spread.Duration
}

// missed tells the owner of a missed promise also while no poll succeeds: a
// silent server is how it is broken.
func (a *Agent) missed() error {
	next := a.mem.NextBy
	if next == nil || !a.clock().After(next.Time) || slices.Contains(a.mem.Warnings, overdue(*next)) {
		return nil
	}
	a.mem.Warnings = append(a.mem.Warnings, overdue(*next))
	a.note(receipts.Entry{Kind: receipts.Warning, Why: overdue(*next)})
	return a.saveMemory()
}

// noteUptime adds the time that the handset has been on to every release that
// is verified: it stands in for a clock where there is none (AMENDMENTS H4).
func (a *Agent) noteUptime() error {
	up, err := a.Device.Uptime()
	if err != nil {
		return err
	}
	now := int64(up / time.Second)
	passed := now - a.mem.Uptime // noteReboot has seen to restarts
	a.mem.Uptime = now
	seen := map[string]int64{}
	for build := range a.view.Releases {
		before, known := a.mem.PoweredOn[build.String()]
		if known {
			before += passed
		}
		seen[build.String()] = before
	}
	a.mem.PoweredOn = seen
	return nil
}

// noteReboot sees at the start, when uptime is short, that it began anew: at a
// poll later on it may have passed the old mark again.
func (a *Agent) noteReboot() error {
	up, err := a.Device.Uptime()
	if err != nil {
		return err
	}
	if int64(up/time.Second) < a.mem.Uptime {
		a.mem.Uptime = 0
	}
	return nil
}

// still polls and decides again about the update that is in the slot. What it
// costs is paid, so the network no longer matters.
func (a *Agent) still(ctx context.Context) (off, wait *rollout.Hold, err error) {
	if a.rec.Bundle && a.bundle == nil && a.rec.State == RebootPending {
		return a.stillChosen(ctx), nil, nil
	}
	if err := a.poll(ctx); err != nil {
		return nil, nil, err
	}
	in, err := a.input()
	if err != nil {
		return nil, nil, err
	}
	in.Handset.Conditions.Metered = false
	off, wait = a.stands(in)
	return off, wait, nil
}

// stands decides about the update that runs. Anything but an offer of the same
// release, the owner's "later" or a mere condition of the device calls it off.
func (a *Agent) stands(in rollout.Input) (off, wait *rollout.Hold) {
	d := a.judge(in)
	if d.Offer == nil && d.Hold.Build != a.rec.Build && in.Document != nil {
		// Why another build waits is no reason for this one.
		document := *in.Document
		document.Rollouts = slices.DeleteFunc(slices.Clone(document.Rollouts), func(r rollout.Rollout) bool { return r.Build != a.rec.Build })
		in.Document = &document
		d = a.judge(in)
	}
	if d.Offer != nil {
		if d.Offer.Release.Build == a.rec.Build && a.view.Releases[a.rec.Build].Reference.SHA256 == a.rec.Release {
			a.offer = d.Offer
			return nil, nil
		}
		return &rollout.Hold{Code: rollout.Withdrawn, Build: a.rec.Build, Sentence: fmt.Sprintf("Build %d is offered instead of build %d.", d.Offer.Release.Build, a.rec.Build)}, nil
	}
	switch d.Hold.Code {
	case rollout.Battery, rollout.Metered, rollout.StorageCode, rollout.Postponed, rollout.AskFirst:
		return nil, d.Hold
	}
	return d.Hold, nil
}
