// Package s3 keeps blobs in a bucket of any S3 service that honours
// conditional writes: If-None-Match: * to create once, If-Match to replace a
// head. New tries both and refuses a bucket that ignores them, because there a
// paused publisher could overwrite what its successor wrote.
//
// Trust: none. Whoever owns the bucket can withhold and replace bytes; readers
// verify. Failure: a write whose answer was lost is repeated by the caller and
// found done. Parts of an interrupted large upload are aborted, and where that
// fails too they are left to the bucket's own lifecycle rule.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/candor-ota/candor/server/store"
)

// Config says which bucket, and how to reach it.
type Config struct {
	Endpoint  string // host or host:port, reached by HTTPS
	Region    string // as the service names it; empty asks the service
	Bucket    string // must exist
	Prefix    string // empty, or ends in "/": put before every name
	AccessKey string
	SecretKey string

	// Transport replaces the HTTP transport, for a private CA; nil is the default.
	Transport http.RoundTripper
	// PartSize is the size above which an object is sent in parts, and of each
	// part: from 5 MiB to 5 GiB, 0 is DefaultPartSize.
	PartSize int64
}

// DefaultPartSize lets an object have up to 640 GB (10,000 parts).
const DefaultPartSize = 64 << 20

// Blobs is a store.Blobs in a bucket.
type Blobs struct {
	core   minio.Core
	bucket string
	prefix string
	part   int64
}

// New connects, and refuses a bucket that is missing or ignores conditions.
func New(ctx context.Context, c Config) (*Blobs, error) {
	if err := store.CheckPrefix(c.Prefix); err != nil {
		return nil, err
	}
	client, err := minio.New(c.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Region: c.Region,
		Secure: true, Transport: c.Transport, TrailingHeaders: true, BucketLookup: minio.BucketLookupAuto,
	})
	if err != nil {
		return nil, fmt.Errorf("s3 at %s: %w", c.Endpoint, err)
	}
	b := &Blobs{core: minio.Core{Client: client}, bucket: c.Bucket, prefix: c.Prefix, part: c.PartSize}
	if b.part == 0 {
		b.part = DefaultPartSize
	}
	found, err := client.BucketExists(ctx, c.Bucket)
	if err != nil {
		return nil, fmt.Errorf("s3 at %s: %w", c.Endpoint, err)
	}
	if !found {
		return nil, fmt.Errorf("s3 at %s: bucket %q: %w; create it first", c.Endpoint, c.Bucket, store.ErrNotFound)
	}
	if err := b.probe(ctx); err != nil {
		return nil, fmt.Errorf("s3 at %s: bucket %q: %w", c.Endpoint, c.Bucket, err)
	}
	return b, nil
}

const probeKey = "candor-probe"

// probe writes an object against conditions that do not hold.
func (b *Blobs) probe(ctx context.Context) error {
	create, replace := minio.PutObjectOptions{}, minio.PutObjectOptions{}
	create.SetMatchETagExcept("*")
	replace.SetMatchETag(strings.Repeat("0", 32))
	if _, err := b.put(ctx, probeKey, []byte("probe"), create); err != nil && !refused(err) {
		return err
	}
	for name, opts := range map[string]minio.PutObjectOptions{"If-None-Match": create, "If-Match": replace} {
		if _, err := b.put(ctx, probeKey, []byte("probe"), opts); err == nil {
			return fmt.Errorf("it ignores %s; use a service with conditional writes", name)
		} else if !refused(err) {
			return err
		}
	}
	return nil
}

// Open gives an object; each seek is a new range request.
func (b *Blobs) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, store.Info{}, err
	}
	o, err := b.core.Client.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, store.Info{}, named(key, err)
	}
	st, err := o.Stat()
	if err != nil {
		return nil, store.Info{}, errors.Join(named(key, err), o.Close())
	}
	return o, b.info(st), nil
}

// Stat tells about an object.
func (b *Blobs) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Info{}, err
	}
	st, err := b.core.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return store.Info{}, named(key, err)
	}
	return b.info(st), nil
}

// Delete removes an object.
func (b *Blobs) Delete(ctx context.Context, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	err := named(key, b.core.RemoveObject(ctx, b.bucket, b.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// List pages through the bucket.
func (b *Blobs) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := store.CheckPrefix(prefix); err != nil {
			yield(store.Info{}, err)
			return
		}
		opts := minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}
		for o := range b.core.ListObjectsIter(ctx, b.bucket, opts) {
			if o.Err != nil {
				yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, o.Err))
				return
			}
			info := b.info(o)
			if info.Key == probeKey || store.CheckKey(info.Key) != nil {
				continue
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Load reads a head; its version is the service's own ETag.
func (b *Blobs) Load(ctx context.Context, key string) ([]byte, store.ETag, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, "", err
	}
	o, st, _, err := b.core.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, "", named(key, err)
	}
	data, err := io.ReadAll(io.LimitReader(o, store.MaxHead+1))
	if err = errors.Join(err, o.Close()); err != nil {
		return nil, "", named(key, err)
	}
	if len(data) > store.MaxHead {
		return nil, "", fmt.Errorf("object %s: %d bytes; a head has at most %d", key, st.Size, store.MaxHead)
	}
	return data, store.ETag(st.ETag), nil
}

// Replace puts data in the place of the version old.
func (b *Blobs) Replace(ctx context.Context, key string, data []byte, old store.ETag) (store.ETag, error) {
	if err := store.CheckKey(key); err != nil {
		return "", err
	}
	if len(data) > store.MaxHead {
		return "", fmt.Errorf("object %s: %d bytes; a head has at most %d", key, len(data), store.MaxHead)
	}
	var opts minio.PutObjectOptions
	if old == "" {
		opts.SetMatchETagExcept("*")
	} else {
		opts.SetMatchETag(string(old))
	}
	tag, err := b.put(ctx, key, data, opts)
	if err == nil {
		return tag, nil
	}
	// A missing object fails If-Match with 404 at some services, 412 at others.
	if !refused(err) && !errors.Is(named(key, err), store.ErrNotFound) {
		return "", named(key, err)
	}
	now, tag, loadErr := b.Load(ctx, key)
	if loadErr == nil && bytes.Equal(now, data) {
		return tag, nil // our own write, whose answer was lost
	}
	if loadErr != nil && !errors.Is(loadErr, store.ErrNotFound) {
		return "", loadErr
	}
	return "", fmt.Errorf("replace %s: %w", key, store.ErrStale)
}

// put sends a small object in one request, which is what conditions need.
func (b *Blobs) put(ctx context.Context, key string, data []byte, opts minio.PutObjectOptions) (store.ETag, error) {
	opts.DisableMultipart = true
	info, err := b.core.Client.PutObject(ctx, b.bucket, b.prefix+key, bytes.NewReader(data), int64(len(data)), opts)
	return store.ETag(info.ETag), err
}

func (b *Blobs) info(o minio.ObjectInfo) store.Info {
	return store.Info{Key: strings.TrimPrefix(o.Key, b.prefix), Size: o.Size, Modified: o.LastModified}
}

// refused tells whether a condition did not hold.
func refused(err error) bool {
	code := minio.ToErrorResponse(err).StatusCode
	return code == http.StatusPreconditionFailed || code == http.StatusConflict
}

// named says which object, and turns the service's words into the store's.
func named(key string, err error) error {
	if err == nil {
		return nil
	}
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		err = store.ErrNotFound
	}
	return fmt.Errorf("object %s: %w", key, err)
}
