package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/candor-ota/candor/server/store"
)

const (
	listPage   = 1000 // the most that services give at once
	listAnswer = 4    // times the answer time: some services walk through all there is for each page
)

// errOrder is a service on which no list could be relied: it would begin anew
// for ever, or leave something out.
var errOrder = errors.New("the service does not give names in the order of their bytes, each once (directory buckets of S3 Express do not; use an ordinary one)")

// List pages through the bucket. Each page is asked for by itself, from the last
// name on, so that one that failed is repeated, and whoever takes hours from one
// page to the next needs nothing that the service keeps for him.
func (b *Blobs) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := store.CheckPrefix(prefix); err != nil {
			yield(store.Info{}, err)
			return
		}
		for after := ""; ; {
			page, err := b.page(ctx, b.prefix+prefix, after)
			if err != nil {
				yield(store.Info{}, fmt.Errorf("list %q in bucket %s: %w", prefix, b.bucket, worded(err)))
				return
			}
			for _, o := range page {
				if o.Key <= after {
					yield(store.Info{}, fmt.Errorf("list %q in bucket %s: %w: %q after %q", prefix, b.bucket, errOrder, o.Key, after))
					return
				}
				after = o.Key
				info := b.info(o)
				if info.Key == probeKey || store.CheckKey(info.Key) != nil {
					continue
				}
				if !yield(info, nil) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
		}
	}
}

func (b *Blobs) page(ctx context.Context, prefix, after string) (page []minio.ObjectInfo, err error) {
	opts := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: listPage}
	err = b.tryAlive(ctx, listAnswer*b.answerTime, func(ctx context.Context, alive func()) error {
		page = make([]minio.ObjectInfo, 0, listPage)
		for o := range b.core.ListObjectsIter(ctx, b.bucket, opts) {
			if o.Err != nil {
				return o.Err
			}
			alive()
			if page = append(page, o); len(page) == listPage {
				break
			}
		}
		return ctx.Err()
	})
	return page, err
}

// unfinished gives the uploads in parts that are neither complete nor aborted.
func (b *Blobs) unfinished(ctx context.Context) (list []minio.ObjectMultipartInfo, err error) {
	err = b.tryAlive(ctx, listAnswer*b.answerTime, func(ctx context.Context, alive func()) error {
		list = nil
		for u := range b.core.ListIncompleteUploads(ctx, b.bucket, b.prefix, true) {
			if u.Err != nil {
				return u.Err
			}
			alive()
			list = append(list, u)
		}
		return ctx.Err()
	})
	return list, err
}
