package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/candor-ota/candor/server/store"
)

// sweepAfter is how long a piece that belongs to no upload is left alone: it may
// be one that is just beginning.
const sweepAfter = 24 * time.Hour

// Uploads gives every upload that is under way: what they bring is not swept.
func (u *Uploads) Uploads(ctx context.Context) ([]store.Upload, error) { return u.ledger.Uploads(ctx) }

// Sweep drops uploads that nobody went on with for a week, and pieces that dead
// servers left of uploads that are over.
func (u *Uploads) Sweep(ctx context.Context) error {
	all, err := u.ledger.Uploads(ctx)
	if err != nil {
		return fmt.Errorf("sweep uploads: %w", err)
	}
	live := map[string]bool{}
	for _, s := range all {
		if !u.abandoned(ctx, s) {
			live[s.ID] = true
		}
	}
	if err := u.pieces.sweep(ctx, live, u.now()); err != nil {
		return fmt.Errorf("sweep uploads: %w", err)
	}
	return nil
}

func (u *Uploads) abandoned(ctx context.Context, s store.Upload) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.evict(ctx, s)
}

// sweep removes what belongs to no upload.
func (b *bucket) sweep(ctx context.Context, live map[string]bool, now time.Time) error {
	gone := map[string]bool{}
	for info, err := range b.blobs.List(ctx, uploadsDir) {
		if err != nil {
			return err
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Key, uploadsDir), "/")
		if !live[id] && now.Sub(info.Modified) > sweepAfter {
			gone[id] = true
		}
	}
	for id := range gone {
		if err := b.drop(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the files of uploads that are over: a server died before it
// removed them, or before it noted that they began.
func (f *folder) sweep(ctx context.Context, live map[string]bool, now time.Time) error {
	d, err := f.dir.Open(".")
	if err != nil {
		return err
	}
	for {
		list, err := d.ReadDir(256)
		for _, e := range list {
			info, infoErr := e.Info()
			if infoErr != nil || !info.Mode().IsRegular() || live[e.Name()] || now.Sub(info.ModTime()) <= sweepAfter {
				continue // gone meanwhile, none of ours, in use, or just beginning
			}
			if err := f.drop(ctx, e.Name()); err != nil {
				return errors.Join(err, d.Close())
			}
		}
		if errors.Is(err, io.EOF) {
			return d.Close()
		}
		if err != nil {
			return errors.Join(err, d.Close())
		}
	}
}
