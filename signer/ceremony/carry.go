package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/signer/keyring"
)

// ErrNotOffline says that the engineers did not sign the release for bundles.
var ErrNotOffline = errors.New("the release does not say offline: true, so no handset installs it from a bundle; build the next one with it")

// Carried is what a bundle takes out of a published tree: every metadata file
// and document on the way from the first root to one release, verified.
type Carried struct {
	Release *manifests.Release
	Patches []manifests.Patch // from the builds that were asked for
	Files   []File            // metadata first, then documents, each in the order of the walk
}

// File is one small file of a published tree.
type File struct {
	Path string
	Body []byte
}

// Carry walks a published tree from a trusted root to one release, and refuses
// what a handset would refuse: a release that is not signed, is not for
// bundles, was to be offered until before now or is halted; anything that has
// expired. from are builds whose patches are wanted too.
func Carry(ctx context.Context, src Source, anchor keyring.Anchor, ref vote.Ref, from []manifests.Build, now time.Time) (*Carried, error) {
	kept := &keeping{Source: src}
	w := &walk{ctx: ctx, src: kept, now: now, only: &ref}
	if err := w.run(anchor); err != nil {
		return nil, fmt.Errorf("published metadata: %w", err)
	}
	for _, late := range w.expired {
		return nil, fmt.Errorf("published metadata: %s: %w: %s", late.Subject, ErrExpired, late.Words)
	}
	var s Standing
	if err := w.findRelease(ref, &s); err != nil {
		return nil, err
	}
	switch {
	case s.Release == nil:
		return nil, fmt.Errorf("%s build %d: %s does not sign it", ref.Product, ref.Build, layout.ReleasesRole(ref.Product))
	case !s.Release.Offline:
		return nil, fmt.Errorf("%s build %d: %w", ref.Product, ref.Build, ErrNotOffline)
	case now.After(s.Release.OfferUntil.Time):
		return nil, fmt.Errorf("%s build %d: was to be offered until %s; handsets refuse it", ref.Product, ref.Build, s.Release.OfferUntil)
	}
	if err := w.notHalted(ref); err != nil {
		return nil, err
	}
	out := &Carried{Release: s.Release, Files: kept.sorted()}
	for _, build := range from {
		if err := out.addPatches(ctx, src, anchor, vote.Ref{Product: ref.Product, Build: build}, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// notHalted refuses what the service has stopped.
func (w *walk) notHalted(ref vote.Ref) error {
	role, path := w.roles[layout.RolloutsRole], layout.RolloutsPath(ref.Product)
	if role == nil {
		return errors.New("the service has published no list of rollouts yet, without which no handset takes its metadata")
	}
	if role.Signed.Targets[path] == nil {
		return nil
	}
	target := role.Signed.Targets[path]
	doc, err := w.readRollouts(path, target.Length, target.Hashes["sha256"])
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, r := range doc.Rollouts {
		if r.Build == ref.Build && r.State == rollout.Halted {
			return fmt.Errorf("%s build %d: its rollout %s is halted; handsets refuse it", ref.Product, ref.Build, r.ID)
		}
	}
	return nil
}

// addPatches finds the patches that lead from an older release to this one.
func (c *Carried) addPatches(ctx context.Context, src Source, anchor keyring.Anchor, old vote.Ref, now time.Time) error {
	w := &walk{ctx: ctx, src: src, now: now, only: &old}
	if err := w.run(anchor); err != nil {
		return fmt.Errorf("published metadata: %w", err)
	}
	var s Standing
	if err := w.findRelease(old, &s); err != nil {
		return err
	}
	if s.Release == nil {
		return fmt.Errorf("%s build %d: it is not published (any more), so nothing says which patch starts from it", old.Product, old.Build)
	}
	before := len(c.Patches)
	for _, to := range c.Release.Images {
		for _, m := range s.Release.Images {
			for _, p := range to.Patches {
				if m.Slot == to.Slot && p.FromSHA256 == m.SHA256 {
					c.Patches = append(c.Patches, p)
				}
			}
		}
	}
	if len(c.Patches) == before {
		return fmt.Errorf("%s build %d has no patch from build %d", c.Release.Product, c.Release.Build, old.Build)
	}
	return nil
}

// maxKept is more than the walk reads of any file; it refuses what is cut here.
const maxKept = 2 << 20

// keeping is a Source that remembers what was read whole.
type keeping struct {
	Source
	files []File
}

// Open reads the whole file; the walk opens nothing large.
func (k *keeping) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	for _, f := range k.files {
		if f.Path == path {
			return io.NopCloser(bytes.NewReader(f.Body)), nil
		}
	}
	body, err := k.Source.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, maxKept))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	k.files = append(k.files, File{path, data})
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (k *keeping) sorted() []File {
	var metadata, documents []File
	for _, f := range k.files {
		if strings.HasPrefix(f.Path, layout.MetadataDir+"/") {
			metadata = append(metadata, f)
		} else {
			documents = append(documents, f)
		}
	}
	return append(metadata, documents...)
}
