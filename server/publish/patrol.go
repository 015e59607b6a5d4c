package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// PatrolEvery is how often Watch looks over the store. Whoever owns the store
// can change it at any time; handsets notice at once and take nothing, and this
// is how long it can last until somebody is told.
const PatrolEvery = 5 * time.Minute

// Watch patrols until ctx ends.
func (p *Publisher) Watch(ctx context.Context) {
	tick := time.NewTicker(PatrolEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := p.Patrol(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("the store does not hold what is published", "error", err)
		}
	}
}

// Patrol compares every file that is published with what the store holds, and
// puts right what was deleted or replaced behind our back: its bytes are in
// memory, verified when they were published or loaded. It gives what it put
// right. Images are looked for and not read; one that is missing, or has
// another size, is in the error.
func (p *Publisher) Patrol(ctx context.Context) (mended []string, err error) {
	g, mended, err := p.patrolHead(ctx)
	if err != nil || g == nil {
		return mended, err
	}
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(g.Files)) {
		f := g.Files[path]
		if f.Until != nil { // it goes soon, and may have gone
			continue
		}
		_, err := p.read(ctx, path, f)
		if err == nil {
			continue
		}
		if !changed(err) {
			return mended, fmt.Errorf("patrol: %w", err)
		}
		if putErr := p.mend(ctx, path, g.bodies[path], err); putErr != nil {
			errs = append(errs, putErr)
			continue
		}
		mended = append(mended, path)
	}
	return mended, errors.Join(append(errs, p.patrolImages(ctx, g))...)
}

// patrolHead puts the timestamp right, and gives what is published; nil if
// nothing is.
func (p *Publisher) patrolHead(ctx context.Context) (*generation, []string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.follow(ctx); err != nil {
		return nil, nil, fmt.Errorf("patrol: %w", err)
	}
	g := p.current
	if g.number == 0 {
		return nil, nil, nil
	}
	now, _, err := p.blobs.Load(ctx, layout.TimestampFile)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, nil, fmt.Errorf("patrol: %w", err)
	}
	if err == nil && bytes.Equal(now, g.Timestamp) {
		return g, nil, nil
	}
	err = p.serve(ctx, g)
	if errors.Is(err, store.ErrStale) { // another process publishes: its own word
		return g, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p.log.Error("a published file was changed behind our back, and was put right", "file", layout.TimestampFile)
	return g, []string{layout.TimestampFile}, nil
}

// errDiffers means that a file has other bytes than were published.
var errDiffers = errors.New("its bytes are not those that were published; restore it from a backup")

// changed tells a file that was changed from a store that cannot be read.
func changed(err error) bool {
	return errors.Is(err, errDiffers) || errors.Is(err, store.ErrNotFound)
}

// mend puts a file back. Other bytes under its name are deleted first, for
// names are created once.
func (p *Publisher) mend(ctx context.Context, path string, body []byte, cause error) error {
	err := error(nil)
	if errors.Is(cause, errDiffers) {
		err = p.blobs.Delete(ctx, path)
	}
	if err == nil {
		o := store.Object{Key: path, Size: int64(len(body)), SHA256: manifests.SumSHA256(body)}
		err = p.blobs.Put(ctx, o, bytes.NewReader(body))
	}
	if err != nil {
		return fmt.Errorf("%w; putting it right failed: %w", cause, err)
	}
	p.log.Error("a published file was changed behind our back, and was put right", "file", path, "was", cause)
	return nil
}

// patrolImages looks for the images of every signed release.
func (p *Publisher) patrolImages(ctx context.Context, g *generation) error {
	var errs []error
	seen := map[manifests.SHA256]bool{}
	for _, product := range g.products() {
		refs, err := g.releases(product)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			release, err := manifests.ParseRelease(g.bodies[layout.TargetFile(ref.Path, ref.SHA256)])
			if err != nil {
				return fmt.Errorf("%s: %w", ref.Path, err)
			}
			for _, b := range release.Named() {
				if !seen[b.SHA256] {
					seen[b.SHA256] = true
					errs = append(errs, p.patrolImage(ctx, ref.Path, b))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func (p *Publisher) patrolImage(ctx context.Context, path string, b manifests.Blob) error {
	r, info, err := p.blobs.Open(ctx, layout.BlobFile(b.SHA256))
	if err == nil {
		err = r.Close()
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("image %s of %s is gone; copy it back from a mirror or a backup", layout.BlobFile(b.SHA256), path)
	case err != nil:
		return fmt.Errorf("patrol: %w", err)
	case info.Size != b.Size:
		return fmt.Errorf("image %s of %s has %d bytes, signed are %d; delete it and copy it back from a mirror or a backup", layout.BlobFile(b.SHA256), path, info.Size, b.Size)
	}
	return nil
}

// recollect finds a file that the store has lost in the last submission, which
// the ledger holds.
func (p *Publisher) recollect(ctx context.Context, path string, f file) ([]byte, bool) {
	h, err := p.ledger.Head(ctx, submissionHead)
	if err != nil {
		return nil, false
	}
	var s Submission
	if json.Unmarshal(h.Document, &s) != nil {
		return nil, false
	}
	for _, list := range []map[string][]byte{s.Metadata, s.Targets} {
		for _, data := range list {
			if int64(len(data)) == f.Size && manifests.SumSHA256(data) == f.SHA256 {
				return data, true
			}
		}
	}
	return nil, false
}
