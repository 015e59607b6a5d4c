package main

import (
	"context"
	"log/slog"

	"github.com/candor-ota/candor/server/config"
)

// openBlobs opens the store of blobs and clears away what dead processes left
// in it. What cannot be cleared is only space.
func (a *app) openBlobs(ctx context.Context, d config.Dir, f config.File, log *slog.Logger) (config.Blobs, error) {
	blobs, err := d.OpenBlobs(ctx, f)
	if err != nil {
		return nil, err
	}
	dropped, err := config.Sweep(ctx, blobs, a.now)
	if err != nil {
		log.Warn("parts of uploads that nobody finishes stay in the bucket until the next start", "error", err)
	}
	if dropped > 0 {
		log.Info("dropped the parts of uploads that nobody finishes", "uploads", dropped)
	}
	return blobs, nil
}
