package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// hookBefore are the hooks that run before the work of a state.
var hookBefore = map[State]hooks.Kind{Checking: hooks.PreCheck, Planning: hooks.PreInstall}

func (a *Agent) programs(kind hooks.Kind) hooks.Programs {
	c, p := a.Config, hooks.Programs{Timeout: a.Config.Hooks.Timeout.Duration}
	switch kind {
	case hooks.PreCheck:
		p.Commands = c.Hooks.PreCheck
	case hooks.PreInstall:
		p.Commands = c.Hooks.PreInstall
	case hooks.PostInstall:
		p.Commands = c.Hooks.PostInstall
	case hooks.PreReboot:
		p.Commands = c.Hooks.PreReboot
	case hooks.PostCommit:
		p.Commands = c.Hooks.PostCommit
	case hooks.Health:
		p = hooks.Programs{Commands: c.Health, Timeout: c.HealthTimeout.Duration}
	}
	return p
}

// runHook runs the integrator's programs of a hook, if there are any.
func (a *Agent) runHook(ctx context.Context, kind hooks.Kind) error {
	p := a.programs(kind)
	if len(p.Commands) == 0 {
		return nil
	}
	in := hooks.Input{Hook: kind, Product: a.Config.Product}
	names, err := a.describe(&in)
	if err != nil {
		return err
	}
	for _, name := range names {
		if in.Images == nil {
			in.Images = map[manifests.Name]string{}
		}
		in.Images[name] = a.Slots.Image(boot.Slot(in.Slot), name)
	}
	return p.Run(ctx, in)
}

// describe says what a hook is about, and names the images of its slot: before
// the restart they are known from the offer, after it from the slot. Before a
// look for news there is no update to speak of.
func (a *Agent) describe(in *hooks.Input) (names []manifests.Name, err error) {
	booted, err := a.Slots.Booted()
	if err != nil {
		return nil, err
	}
	running, err := a.Slots.Metadata(booted)
	if err != nil {
		return nil, err
	}
	if in.Hook == hooks.PreCheck {
		in.FromBuild = running.Build
		return nil, nil
	}
	in.Build, in.FromBuild, in.Slot = a.rec.Build, a.rec.From, a.rec.Slot
	if string(booted) == a.rec.Slot {
		for _, m := range running.Images {
			names = append(names, m.Name)
		}
		return names, nil
	}
	if a.offer == nil { // armed from a bundle that is no longer at hand
		target, err := a.Slots.Metadata(boot.Slot(a.rec.Slot))
		for _, m := range target.Images {
			names = append(names, m.Name)
		}
		return names, err
	}
	for i := range a.offer.Release.Images {
		names = append(names, a.offer.Release.Images[i].Slot)
	}
	return names, nil
}

// askHook runs a hook that may hold the update. An error is none of the hook's.
func (a *Agent) askHook(ctx context.Context, kind hooks.Kind) (*rollout.Hold, error) {
	err := a.runHook(ctx, kind)
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, err
	}
	h := a.hookHold(err)
	if kind == hooks.PreCheck {
		h.Build = 0
	}
	return h, nil
}

// postInstall lets the integrator's programs see to the slot that was read back.
// Failing, they fail the installation.
func (a *Agent) postInstall(ctx context.Context) (wait *rollout.Hold, err error) {
	err = a.runHook(ctx, hooks.PostInstall)
	var notNow *hooks.NotNow
	switch {
	case err == nil:
		a.rec.Staged = new(manifests.At(a.view.Expiry))
		return nil, a.saveJournal()
	case ctx.Err() != nil:
		return nil, err
	case errors.As(err, &notNow):
		return a.hookHold(err), nil
	}
	a.rec.Reason = string(vote.Other)
	if _, ferr := a.enter(Failed); ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	return nil, fmt.Errorf("install build %d: %w; the next poll tries again", a.rec.Build, err)
}

func (a *Agent) hookHold(err error) *rollout.Hold {
	return &rollout.Hold{Code: HookCode, Build: a.rec.Build, Sentence: fmt.Sprintf("It waits, and asks again at the next poll: %v.", err)}
}
