package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// planned is the journalled plan of one image.
type planned struct {
	Kind  install.Kind     `json:"kind"`
	Bytes int64            `json:"bytes"`          // in all, with what was downloaded before
	Patch manifests.SHA256 `json:"patch,omitzero"` // of the table
}

// planning says what the update costs before it is begun, and again whenever it
// goes on: for each image a patch, chunks beside what is here, or all of it,
// whichever is cheapest.
func (a *Agent) planning(ctx context.Context) (State, error) {
	err := a.Slots.Fits(boot.Slot(a.rec.Slot), boot.Images(a.offer.Release.Images))
	switch {
	case errors.Is(err, boot.ErrMisfit):
		a.say(rollout.StorageCode, a.rec.Build, "Build %d cannot be installed on this handset: %v.", a.rec.Build, err)
		return a.rest()
	case err != nil:
		return Planning, err
	}
	a.plans = map[manifests.Name]*install.Plan{}
	images, why := a.offer.Release.Images, ""
	for _, m := range images[min(a.rec.Written, len(images)):] {
		p, err := a.plan(ctx, m)
		if err != nil {
			return a.cutShort(err)
		}
		a.plans[m.Slot] = p
		a.keepPlan(m.Slot, p.Quote)
		if p.Why != "" {
			why = p.Why
		}
	}
	if err := a.affords(why); err != nil {
		return a.cutShort(err)
	}
	a.say("", a.rec.Build, "%s Installing into slot %s: %s.", a.offer.Why, a.rec.Slot, a.price())
	a.noteStart()
	a.Log.Info("planned", "build", a.rec.Build, "bytes", a.rec.Planned, "full", fullBytes(a.offer.Release))
	return a.enter(Downloading)
}

// plan makes the plan of one image from what the slots hold.
func (a *Agent) plan(ctx context.Context, m manifests.Image) (*install.Plan, error) {
	o, closeOld := a.options(ctx, m)
	o.Slot = a.remains(m)
	p, err := install.Prepare(ctx, o)
	err = errors.Join(err, closeOld())
	if o.Slot != nil {
		err = errors.Join(err, o.Slot.Close())
	}
	a.mem.Downloaded += a.rec.Progress[m.Slot].Downloaded - o.From.Downloaded
	return p, err
}

// options are those of an installation, but for its slot and its plan. The
// image that runs is open until the function that is returned is called.
func (a *Agent) options(ctx context.Context, m manifests.Image) (install.Options, func() error) {
	o := install.Options{
		Image: m, Source: a.Blobs, Target: a.rec.Slot, Shelf: a.shelf(), From: a.rec.Progress[m.Slot], Segment: a.Segment,
		Gate: func() error { return a.gate(ctx) }, Agree: func(q install.Quote) error { return a.agree(m.Slot, q) },
		Save: func(p progress) error { return a.saveProgress(m.Slot, p) },
		Report: func(done, total int64) {
			a.Log.Info("installing", "build", a.rec.Build, "image", m.Slot, "bytes", done, "of", total)
		},
	}
	old, err := a.running(m.Slot)
	if err != nil {
		a.Log.Warn("the image that runs cannot be built upon", "image", m.Slot, "reason", err)
	}
	if old == nil {
		return o, func() error { return nil }
	}
	o.Old = old
	return o, old.File.Close
}

// running is the image of that name in the slot that runs; nil if it has none.
func (a *Agent) running(name manifests.Name) (*install.Old, error) {
	slot, err := a.Slots.Booted()
	if err != nil {
		return nil, err
	}
	m, err := a.Slots.Metadata(slot)
	if err != nil {
		return nil, err
	}
	for _, image := range m.Images {
		if image.Name != name {
			continue
		}
		f, err := a.Disk.Open(a.Slots.Image(slot, name), disk.Read)
		if err != nil {
			return nil, err
		}
		return &install.Old{Slot: string(slot), File: f, Size: image.Size, SHA256: image.SHA256}, nil
	}
	return nil, nil
}

// remains is what the target slot still holds of an image; nil if that is
// nothing, or will not be there any more once the slot is open for writing.
func (a *Agent) remains(m manifests.Image) disk.File {
	path := a.Slots.Image(boot.Slot(a.rec.Slot), m.Slot)
	if shared, err := a.Disk.Shared(path); err != nil || shared {
		return nil
	}
	f, err := a.Disk.Open(path, disk.Read)
	if err != nil {
		return nil
	}
	if size, err := f.Size(); err == nil && size >= m.Size {
		return f
	}
	if err := f.Close(); err != nil {
		a.Log.Warn("close slot", "reason", err)
	}
	return nil
}

func (a *Agent) shelf() *install.Shelf {
	return &install.Shelf{Disk: a.Disk, Dir: filepath.Join(a.Config.State, "index")}
}

func (a *Agent) keepPlan(name manifests.Name, q install.Quote) {
	if a.rec.Plans == nil {
		a.rec.Plans = plans{}
	}
	a.rec.Plans[name] = planned{q.Kind, a.rec.Progress[name].Downloaded + q.Bytes, q.Patch}
	a.rec.Planned = 0
	for _, p := range a.rec.Plans {
		a.rec.Planned += p.Bytes
	}
}

// price says in words what the update costs.
func (a *Agent) price() string {
	return fmt.Sprintf("%s; the full image is %s", megabytes(a.rec.Planned), megabytes(fullBytes(a.offer.Release)))
}

func fullBytes(r *manifests.Release) (bytes int64) {
	for _, m := range r.Images {
		bytes += m.Index.Size + m.Pack.Size
	}
	return bytes
}

// megabytes says a number of bytes as owners read it on their bills.
func megabytes(bytes int64) string {
	switch n := float64(bytes) / 1e6; {
	case n < 0.1:
		return fmt.Sprintf("%.0f kB", max(n*1e3, 1))
	case n < 10:
		return fmt.Sprintf("%.1f MB", n)
	default:
		return fmt.Sprintf("%.0f MB", n)
	}
}
