package agent

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/manifests"
)

// offered takes the offer up: the target slot and the release are journalled.
// An update that was cut short for the same release goes on where it was.
func (a *Agent) offered(context.Context) (State, error) {
	release := a.offer.Release
	ref := a.view.Releases[release.Build].Reference
	target, err := a.spare()
	if err != nil {
		return Offered, err
	}
	booted, err := a.Slots.Booted()
	if err != nil {
		return Offered, err
	}
	running, err := a.Slots.Metadata(booted)
	if err != nil {
		return Offered, err
	}
	a.say("", release.Build, "%s Installing into slot %s.", a.offer.Why, target)
	if a.rec.Build != release.Build || a.rec.Release != ref.SHA256 || a.rec.Slot != string(target) {
		began := manifests.At(a.view.Expiry)
		a.rec = record{Build: release.Build, Release: ref.SHA256, From: running.Build, Slot: string(target), Epoch: uint32(release.SecurityEpoch), Began: &began}
		a.rec.Tries = a.mem.Failures[release.Build.String()] + 1
	}
	a.rec.Bundle = a.bundle != nil
	return a.enter(Planning)
}

var errNoSpare = errors.New("this handset has no spare slot to install into")

func (a *Agent) spare() (boot.Slot, error) {
	booted, err := a.Slots.Booted()
	if err != nil {
		return "", err
	}
	slots, err := a.Slots.Slots()
	if err != nil {
		return "", err
	}
	for _, s := range slots {
		if s != booted {
			return s, nil
		}
	}
	return "", errNoSpare
}
