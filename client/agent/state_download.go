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
	err := a.Slots.Fits(boot.Slot(a.rec.Slot), boot.Images(a.offer.Release.Images))
	switch {
	case errors.Is(err, boot.ErrMisfit):
		a.say(rollout.StorageCode, a.rec.Build, "Build %d cannot be installed on this handset: %v.", a.rec.Build, err)
		return a.rest()
	case err != nil:
		return Planning, err
	}
	a.noteStart()
	return a.enter(Downloading)
}

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
	before := a.rec.Progress[m.Slot]
	at, err := install.Install(ctx, install.Options{
		Image: m, Source: a.Blobs, Slot: a.watch(f, Writing, m.Slot), From: before, Again: a.again, Segment: a.Segment,
		Gate: func() error { return a.gate(ctx) },
		Save: func(p progress) error { return a.saveProgress(m.Slot, p) },
		Report: func(done, total int64) {
			a.Log.Info("installing", "build", a.rec.Build, "image", m.Slot, "bytes", done, "of", total)
		},
	})
	a.mem.Downloaded += at.Downloaded - before.Downloaded
	return errors.Join(err, f.Close())
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

// again lets bytes that are here already be fetched once more, where a server
// cannot send the rest alone and the network costs nothing. What the owner
// agreed to pay for was the smaller plan.
func (a *Agent) again(bytes int64) error {
	c, err := a.Device.Conditions()
	if err != nil || !c.Metered {
		return err
	}
	return &paused{hold: &rollout.Hold{
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
// from it: each image, for they boot together.
func (a *Agent) verifying(ctx context.Context) (State, error) {
	for i, m := range a.offer.Release.Images {
		if err := a.verify(ctx, m); err != nil {
			return a.unverified(i, err)
		}
	}
	return a.postInstall(ctx)
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
