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
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// downloading marks the slot unbootable and fills it, image by image. A record
// of what is on the medium is journalled after each segment.
func (a *Agent) downloading(ctx context.Context) (State, error) {
	if err := a.Slots.MarkUnbootable(boot.Slot(a.rec.Slot)); err != nil {
		return Downloading, err
	}
	images := a.offer.Release.Images
	for a.rec.Written < len(images) {
		if err := a.download(ctx, images[a.rec.Written]); err != nil {
			return a.cutShort(err)
		}
		a.rec.Written++
	}
	return a.enter(Verifying)
}

// download fills one image of the slot.
func (a *Agent) download(ctx context.Context, m manifests.Image) error {
	f, err := a.Slots.OpenForWrite(boot.Slot(a.rec.Slot), m.Slot, m.Size)
	if err != nil {
		return err
	}
	o, closeOld := a.options(ctx, m)
	o.Slot, o.Plan = a.watch(f, Writing, m.Slot), a.plans[m.Slot]
	at, err := install.Install(ctx, o)
	a.mem.Downloaded += at.Downloaded - o.From.Downloaded
	return errors.Join(err, f.Close(), closeOld())
}

// cutShort ends a download that is not at its end: paused by a condition, or
// with the reason that is reported if it never gets there.
func (a *Agent) cutShort(err error) (State, error) {
	var p *paused
	if errors.As(err, &p) {
		return a.pausedBy(p)
	}
	a.rec.Reason = string(reasonOf(err))
	if serr := a.saveJournal(); serr != nil {
		return Downloading, errors.Join(err, serr)
	}
	return Downloading, fmt.Errorf("install build %d: %w", a.rec.Build, explain(err))
}

func (a *Agent) saveProgress(image manifests.Name, p progress) error {
	a.rec.setProgress(image, p)
	return a.saveJournal()
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
// from it: each image, for they boot together.
func (a *Agent) verifying(ctx context.Context) (State, error) {
	if at, err := a.readBack(ctx); err != nil {
		return a.unverified(at, err)
	}
	a.rec.Reason = ""
	return a.enter(Staged)
}

// readBack proves all images of the slot. With an error it tells which one does
// not hold.
func (a *Agent) readBack(ctx context.Context) (at int, err error) {
	for at, m := range a.offer.Release.Images {
		if err := a.verify(ctx, m); err != nil {
			return at, err
		}
	}
	a.proved = true
	return 0, nil
}

func (a *Agent) verify(ctx context.Context, m manifests.Image) error {
	f, err := a.Disk.Open(a.Slots.Image(boot.Slot(a.rec.Slot), m.Slot), disk.Medium)
	if err != nil {
		return err
	}
	return errors.Join(install.Verify(ctx, a.watch(f, Reading, m.Slot), m), f.Close())
}

// unverified has the image at a place in the release written again, all of it.
func (a *Agent) unverified(at int, err error) (State, error) {
	if !errors.Is(err, install.ErrSlot) {
		return Verifying, err
	}
	name := a.offer.Release.Images[at].Slot
	a.rec.Written = at
	a.rec.setProgress(name, progress{Downloaded: a.rec.Progress[name].Downloaded})
	a.rec.Reason = string(vote.Verify)
	if _, ferr := a.enter(Failed); ferr != nil {
		return Verifying, errors.Join(err, ferr)
	}
	return Verifying, fmt.Errorf("install build %d: %w; the next poll writes image %s again", a.rec.Build, err, name)
}
