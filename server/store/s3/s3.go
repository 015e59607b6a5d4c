// Package s3 keeps blobs in a bucket of any S3 service that honours
// conditional writes: If-None-Match: * to create once, If-Match to replace a
// head. New tries both and refuses a bucket that ignores them, because there a
// paused publisher could overwrite what its successor wrote.
//
// Trust: none. Whoever owns the bucket can withhold and replace bytes; readers
// verify. Failure: each request has its deadline (call.go) and is repeated a
// few times if that may help; a write whose answer was lost is found done, by
// us or by a caller who repeats it. An error names bucket, object, cause and
// what to do. Parts of an interrupted large upload are aborted, and where that
// fails too, by AbortStale at the next start.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

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
	// ReadKeys, if set, gives both keys instead, and is asked again every
	// KeysAge, so that they can be changed while the server runs.
	ReadKeys func() (access, secret string, err error)

	// PublicEndpoint is where handsets reach the same bucket, for Presign; empty
	// is Endpoint.
	PublicEndpoint string

	// Transport replaces Transport(nil), for a private CA.
	Transport http.RoundTripper
	// PartSize is the size above which an object is sent in parts, and of each
	// part: from 5 MiB to 5 GiB, 0 is DefaultPartSize. One part of each upload
	// is held in memory.
	PartSize int64
	// AnswerTime bounds how long a request waits for its answer before it is
	// given up and repeated; 0 is DefaultAnswerTime.
	AnswerTime time.Duration
	// AfterFunc is the clock by which answers are waited for; nil is
	// time.AfterFunc.
	AfterFunc func(time.Duration, func()) Timer
}

// Timer is a time.Timer of a function, or one by another clock.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

// DefaultPartSize is 16 MiB. Objects above 10,000 of them have larger parts.
const DefaultPartSize = 16 << 20

// Blobs is a store.Blobs in a bucket.
type Blobs struct {
	core   minio.Core
	public *minio.Client // presigns; never connects
	bucket string
	prefix string
	part   int64

	answerTime time.Duration
	afterFunc  func(time.Duration, func()) Timer
}

// New connects, and refuses a bucket that is missing or ignores conditions.
func New(ctx context.Context, c Config) (*Blobs, error) {
	if err := store.CheckPrefix(c.Prefix); err != nil {
		return nil, err
	}
	b := &Blobs{bucket: c.Bucket, prefix: c.Prefix, part: c.PartSize, answerTime: c.AnswerTime, afterFunc: c.AfterFunc}
	if b.answerTime == 0 {
		b.answerTime = DefaultAnswerTime
	}
	if b.afterFunc == nil {
		b.afterFunc = func(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
	}
	if b.part == 0 {
		b.part = DefaultPartSize
	}
	if c.Transport == nil {
		c.Transport = Transport(nil)
	}
	if c.PublicEndpoint == "" {
		c.PublicEndpoint = c.Endpoint
	}
	if err := b.connect(ctx, c); err != nil {
		return nil, fmt.Errorf("s3 at %s: bucket %q: %w", c.Endpoint, c.Bucket, err)
	}
	return b, nil
}

func (b *Blobs) connect(ctx context.Context, c Config) error {
	client, err := c.client(c.Endpoint)
	if err != nil {
		return err
	}
	b.core = minio.Core{Client: client}
	found := false
	err = b.try(ctx, b.answerTime, func(ctx context.Context) (err error) {
		found, err = client.BucketExists(ctx, c.Bucket)
		return err
	})
	if err != nil {
		return worded(err)
	}
	if !found {
		return fmt.Errorf("%w; create it first", store.ErrNotFound)
	}
	if c.Region == "" { // presigning must not have to ask for it each time
		err = b.try(ctx, b.answerTime, func(ctx context.Context) (err error) {
			c.Region, err = client.GetBucketLocation(ctx, c.Bucket)
			return err
		})
		if err != nil {
			return fmt.Errorf("ask for its region (or set s3.region): %w", worded(err))
		}
	}
	if b.public, err = c.client(c.PublicEndpoint); err != nil {
		return err
	}
	return b.probe(ctx)
}

// client makes a client without retries of its own: they take minutes and
// cannot tell what is worth repeating.
func (c Config) client(endpoint string) (*minio.Client, error) {
	return minio.New(endpoint, &minio.Options{
		Creds: c.credentials(), Region: c.Region,
		Secure: true, Transport: c.Transport, BucketLookup: minio.BucketLookupAuto,
		MaxRetries: 1,
	})
}

// MaxPresign is the longest life of a presigned URL.
const MaxPresign = 7 * 24 * time.Hour

// Presign gives a URL at the public endpoint by which anybody can read one
// object, whole or in ranges, until its life is over. It asks nobody.
func (b *Blobs) Presign(ctx context.Context, key string, life time.Duration) (string, error) {
	if err := store.CheckKey(key); err != nil {
		return "", err
	}
	u, err := b.public.PresignedGetObject(ctx, b.bucket, b.prefix+key, life, nil)
	if err != nil {
		return "", b.named(key, err)
	}
	return u.String(), nil
}

const probeKey = "candor-probe"

// probe writes an object against conditions that do not hold.
func (b *Blobs) probe(ctx context.Context) error {
	create, replace := minio.PutObjectOptions{}, minio.PutObjectOptions{}
	create.SetMatchETagExcept("*")
	replace.SetMatchETag(strings.Repeat("0", 32))
	if _, err := b.put(ctx, probeKey, []byte("probe"), create); err != nil && !refused(err) {
		return worded(err)
	}
	for _, c := range []struct {
		condition string
		write     func() error
	}{
		{"If-None-Match", func() error { _, err := b.put(ctx, probeKey, []byte("probe"), create); return err }},
		{"If-Match", func() error { _, err := b.put(ctx, probeKey, []byte("probe"), replace); return err }},
		{"If-None-Match of an upload in parts", func() error {
			return b.multipart(ctx, store.Object{Key: probeKey, Size: int64(len("other"))}, []byte("other"), nil)
		}},
	} {
		if err := c.write(); err == nil {
			return fmt.Errorf("it ignores %s; use a service with conditional writes", c.condition)
		} else if !refused(err) {
			return worded(err)
		}
	}
	return nil
}

// Delete removes an object.
func (b *Blobs) Delete(ctx context.Context, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	err := b.try(ctx, b.answerTime, func(ctx context.Context) error {
		return b.core.RemoveObject(ctx, b.bucket, b.prefix+key, minio.RemoveObjectOptions{})
	})
	if err = b.named(key, err); errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
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
	if !refused(err) && !missing(err) {
		return "", b.named(key, err)
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

func (b *Blobs) info(o minio.ObjectInfo) store.Info {
	return store.Info{Key: strings.TrimPrefix(o.Key, b.prefix), Size: o.Size, Modified: o.LastModified}
}
