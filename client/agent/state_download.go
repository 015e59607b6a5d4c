package agent

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// planning says what the update costs before it is begun. Until patches and
// chunks of older images are to be had, the plan is the whole pack.
func (a *Agent) planning(context.Context) (State, error) {
	a.rec.Planned = 0
	for _, m := range a.offer.Release.Images {
		a.rec.Planned += m.Index.Size + m.Pack.Size
	}
	if len(a.offer.Release.Images) != 1 {
		a.say("storage", a.rec.Build, "Build %d has %d images; this handset's boot loader keeps one a slot.", a.rec.Build, len(a.offer.Release.Images))
		return a.rest()
	}
	a.noteStart()
	return a.enter(Downloading)
}

// paused on a condition of the device, in the middle of a download.
type paused struct{ hold *rollout.Hold }

func (p *paused) Error() string { return p.hold.Sentence }

// downloading marks the slot unbootable and fills it. A record of what is on
// the medium is journalled after each segment.
func (a *Agent) downloading(ctx context.Context) (State, error) {
	slot, m := boot.Slot(a.rec.Slot), a.offer.Release.Images[0]
	if err := a.Slots.MarkUnbootable(slot); err != nil {
		return Downloading, err
	}
	f, err := a.Slots.OpenForWrite(slot, m.Size)
	if err != nil {
		return Downloading, fmt.Errorf("install build %d: %w", a.rec.Build, explain(err))
	}
	before := a.rec.Progress.Downloaded
	at, err := install.Install(ctx, install.Options{
		Image: m, Source: a.Blobs, Slot: f, From: a.rec.Progress, Save: a.saveProgress, Gate: a.gate, Again: a.again,
		Report: func(done, total int64) { a.Log.Info("installing", "build", a.rec.Build, "bytes", done, "of", total) },
	})
	err = errors.Join(err, f.Close())
	a.mem.Downloaded += at.Downloaded - before
	var p *paused
	switch {
	case err == nil:
		return a.enter(Verifying)
	case errors.As(err, &p):
		return a.pause(p.hold)
	}
	a.rec.Reason = string(reasonOf(err))
	if serr := a.saveJournal(); serr != nil {
		return Downloading, errors.Join(err, serr)
	}
	return Downloading, fmt.Errorf("install build %d: %w", a.rec.Build, explain(err))
}

func (a *Agent) saveProgress(p progress) error {
	a.rec.Progress = p
	return a.saveJournal()
}

type progress = install.Progress

// gate looks at the device's conditions before each segment. Once it runs, an
// update goes on down to the lower floor of the battery.
func (a *Agent) gate() error {
	h, err := a.handset()
	if err != nil {
		return err
	}
	h.Conditions.MinBattery = a.Config.AbortBattery
	if hold := rollout.CheckConditions(h, a.offer.Release); hold != nil {
		return &paused{hold}
	}
	return nil
}

// again lets bytes that are here already be fetched once more, where a server
// cannot send the rest alone and the network costs nothing. What the owner
// agreed to pay for was the smaller plan.
func (a *Agent) again(bytes int64) error {
	c, err := a.Device.Conditions()
	if err != nil || !c.Metered {
		return err
	}
	return &paused{&rollout.Hold{
		Code: rollout.Metered, Build: a.rec.Build,
		Sentence: fmt.Sprintf("The server cannot go on where build %d stopped; fetching %d bytes once more waits for a network that is not metered.", a.rec.Build, bytes),
	}}
}

func reasonOf(err error) vote.Reason {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return vote.Space
	case errors.Is(err, install.ErrSlot), errors.Is(err, install.ErrSource):
		return vote.Verify
	default:
		return vote.Download
	}
}

func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w; free some storage, the next poll goes on from here", err)
	case errors.Is(err, fetch.ErrRangeIgnored):
		return fmt.Errorf("%w; the server does not serve parts of files, tell the maker", err)
	default:
		return fmt.Errorf("%w; the next poll goes on from here", err)
	}
}

// verifying reads the whole slot back from the medium before anything may boot
// from it.
func (a *Agent) verifying(ctx context.Context) (State, error) {
	m := a.offer.Release.Images[0]
	f, err := a.Disk.Open(a.Slots.Image(boot.Slot(a.rec.Slot)), disk.Medium)
	if err != nil {
		return Verifying, err
	}
	err = errors.Join(install.Verify(ctx, f, m), f.Close())
	if err == nil {
		a.rec.Reason = ""
		if a.rec.StagedAt == 0 {
			a.rec.StagedAt = a.mem.Uptime
		}
		return a.enter(Staged)
	}
	if !errors.Is(err, install.ErrSlot) {
		return Verifying, err
	}
	a.rec.Progress = progress{Downloaded: a.rec.Progress.Downloaded} // all of it again
	a.rec.Reason = string(vote.Verify)
	if _, ferr := a.enter(Failed); ferr != nil {
		return Verifying, errors.Join(err, ferr)
	}
	return Verifying, fmt.Errorf("install build %d: %w; the next poll writes the slot again", a.rec.Build, err)
}
