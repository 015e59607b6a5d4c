package observe

import (
	"context"
	"io"
	"iter"

	"github.com/candor-ota/candor/server/store"
)

// Blobs is a store.Blobs whose operations are measured, and traced below a
// span. An object that was opened is read past it.
type Blobs struct {
	store.Blobs
	operations map[string]*operation
}

var blobsOperations = []string{"Put", "Open", "Stat", "Delete", "List", "Load", "Replace"}

// Blobs wraps a store of blobs.
func (o *Observer) Blobs(b store.Blobs) *Blobs {
	return &Blobs{Blobs: b, operations: o.all(b, blobsOperations)}
}

// Put is measured.
func (b *Blobs) Put(ctx context.Context, o store.Object, body io.Reader) (err error) {
	ctx, op := b.operations["Put"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Put(ctx, o, body)
}

// Open is measured.
func (b *Blobs) Open(ctx context.Context, key string) (body io.ReadSeekCloser, info store.Info, err error) {
	ctx, op := b.operations["Open"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Open(ctx, key)
}

// Stat is measured.
func (b *Blobs) Stat(ctx context.Context, key string) (info store.Info, err error) {
	ctx, op := b.operations["Stat"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Stat(ctx, key)
}

// Delete is measured.
func (b *Blobs) Delete(ctx context.Context, key string) (err error) {
	ctx, op := b.operations["Delete"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Delete(ctx, key)
}

// List is measured from its first object to its last.
func (b *Blobs) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var err error
		ctx, op := b.operations["List"].begin(ctx)
		defer op.end(&err)
		for info, failed := range b.Blobs.List(ctx, prefix) {
			if failed != nil {
				err = failed
			}
			if !yield(info, failed) {
				return
			}
		}
	}
}

// Load is measured.
func (b *Blobs) Load(ctx context.Context, key string) (data []byte, tag store.ETag, err error) {
	ctx, op := b.operations["Load"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Load(ctx, key)
}

// Replace is measured.
func (b *Blobs) Replace(ctx context.Context, key string, data []byte, old store.ETag) (tag store.ETag, err error) {
	ctx, op := b.operations["Replace"].begin(ctx)
	defer op.end(&err)
	return b.Blobs.Replace(ctx, key, data, old)
}
