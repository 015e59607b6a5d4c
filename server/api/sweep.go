package api

import (
	"context"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// sweep removes what nothing names any more from the store. What stays because
// of an error is only space, and is looked at again.
func (a *API) sweep(ctx context.Context) {
	all, ok := a.Blobs.(store.Blobs)
	if !ok {
		return
	}
	swept, err := a.Tree.Sweep(ctx, publish.Sweeping{Blobs: all, Uploads: a.Uploads, Now: a.Now()})
	if err != nil && ctx.Err() == nil {
		a.Log.Warn("what nothing names any more takes space for now", "error", err)
	}
	if swept.Objects > 0 {
		a.Log.Info("removed what nothing names any more", "objects", swept.Objects, "bytes", swept.Bytes)
	}
}
