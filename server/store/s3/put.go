package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Put creates an object once, in one request, or in parts above the part size.
// It holds one part in memory, so that a request that failed can be repeated.
func (b *Blobs) Put(ctx context.Context, o store.Object, body io.Reader) error {
	if err := store.CheckKey(o.Key); err != nil {
		return err
	}
	// Asking first saves sending a body that is there already. It decides
	// nothing: the condition on the write does.
	if _, err := b.Stat(ctx, o.Key); err == nil {
		return b.present(ctx, o)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return b.create(ctx, o, store.Verify(o, body))
}

// create writes an object that must not be there yet.
func (b *Blobs) create(ctx context.Context, o store.Object, checked io.Reader) error {
	size := b.partSize(o.Size)
	part := make([]byte, min(size, o.Size))
	if err := fill(checked, part); err != nil {
		return fmt.Errorf("put %w", err)
	}
	var err error
	if o.Size <= size {
		err = b.single(ctx, o.Key, part)
	} else {
		err = b.multipart(ctx, o, part, checked)
	}
	if refused(err) {
		return b.settle(ctx, o)
	}
	return err
}

// fill reads the whole of p. An empty p still asks, so that the announced hash
// of nothing is checked too.
func fill(r io.Reader, p []byte) error {
	if len(p) > 0 {
		_, err := io.ReadFull(r, p)
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

// maxParts is how many parts S3 puts together.
const maxParts = 10_000

// partSize grows the part for objects that would have too many.
func (b *Blobs) partSize(size int64) int64 {
	return max(b.part, (size+maxParts-1)/maxParts)
}

// A create is refused also while another one is under way, whose object may
// not be there to compare with yet.
const (
	settleTries = 6
	settleFirst = 20 * time.Millisecond // doubled each time: 1.3 s in all
)

// settle waits for the object that a refused create ran into.
func (b *Blobs) settle(ctx context.Context, o store.Object) error {
	wait := settleFirst
	for range settleTries {
		err := b.present(ctx, o)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("put %s: %w", o.Key, ctx.Err())
		case <-time.After(wait):
		}
		wait *= 2
	}
	return fmt.Errorf("put %s: another create of it was under way and came to nothing; put it again", o.Key)
}

// present is nil if these very bytes are there, ErrExists if others are.
func (b *Blobs) present(ctx context.Context, o store.Object) error {
	r, _, err := b.Open(ctx, o.Key)
	if err != nil {
		return err
	}
	same, err := store.Same(o, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("object %s: %w", o.Key, store.ErrExists)
	}
	return nil
}

func (b *Blobs) single(ctx context.Context, key string, data []byte) error {
	opts := minio.PutObjectOptions{}
	opts.SetMatchETagExcept("*")
	_, err := b.put(ctx, key, data, opts)
	return b.named(key, err)
}

// put sends an object in one request. The hash of its bytes is signed with it:
// a service that would take what came of a sender that died for the whole sees
// that it is not.
func (b *Blobs) put(ctx context.Context, key string, data []byte, opts minio.PutObjectOptions) (tag store.ETag, err error) {
	sum := manifests.SumSHA256(data).String()
	err = b.send(ctx, data, func(ctx context.Context, body io.Reader) error {
		info, err := b.core.PutObject(ctx, b.bucket, b.prefix+key, body, int64(len(data)), "", sum, opts)
		tag = store.ETag(info.ETag)
		return err
	})
	return tag, err
}

// multipart sends part after part, the first of which is read already; the
// condition is on their completion.
func (b *Blobs) multipart(ctx context.Context, o store.Object, part []byte, rest io.Reader) error {
	key := b.prefix + o.Key
	var id string
	err := b.try(ctx, b.answerTime, func(ctx context.Context) (err error) {
		id, err = b.core.NewMultipartUpload(ctx, b.bucket, key, minio.PutObjectOptions{})
		return err
	})
	if err != nil {
		return b.named(o.Key, err)
	}
	var parts []minio.CompletePart
	for left := o.Size - int64(len(part)); ; {
		p, err := b.sendPart(ctx, key, id, len(parts)+1, part)
		if err != nil {
			return b.abort(ctx, o.Key, id, b.named(o.Key, err))
		}
		parts = append(parts, p)
		if left == 0 {
			break
		}
		part = part[:min(int64(len(part)), left)]
		if err := fill(rest, part); err != nil {
			return b.abort(ctx, o.Key, id, fmt.Errorf("put %w", err))
		}
		left -= int64(len(part))
	}
	if err := b.complete(ctx, key, id, parts, o.Size); err != nil {
		return b.abort(ctx, o.Key, id, b.named(o.Key, err))
	}
	return nil
}

func (b *Blobs) sendPart(ctx context.Context, key, id string, number int, data []byte) (minio.CompletePart, error) {
	out := minio.CompletePart{PartNumber: number}
	signed := minio.PutObjectPartOptions{Sha256Hex: manifests.SumSHA256(data).String()} // as in put
	err := b.send(ctx, data, func(ctx context.Context, body io.Reader) error {
		p, err := b.core.PutObjectPart(ctx, b.bucket, key, id, number, body, int64(len(data)), signed)
		out.ETag, out.ChecksumCRC32C, out.ChecksumCRC64NVME = p.ETag, p.ChecksumCRC32C, p.ChecksumCRC64NVME
		return err
	})
	return out, err
}

// complete puts the parts together unless the name is taken. A second try may
// find that the first one did it: then the upload is gone, which counts as
// taken, and the caller looks at what is there. Some services copy the parts
// into one file before they answer.
func (b *Blobs) complete(ctx context.Context, key, id string, parts []minio.CompletePart, size int64) error {
	var opts minio.PutObjectOptions
	opts.SetMatchETagExcept("*")
	tried := false
	return b.try(ctx, finishTime+time.Duration(size/storeRate)*time.Second, func(ctx context.Context) error {
		_, err := b.core.CompleteMultipartUpload(ctx, b.bucket, key, id, parts, opts)
		if r := answer(err); tried && r.Code == "NoSuchUpload" {
			r.StatusCode = http.StatusConflict
			return r
		}
		tried = true
		return err
	})
}

const abortTime = 10 * time.Second

// abort drops the parts, also after ctx was cancelled. The first error stays
// the one to branch on.
func (b *Blobs) abort(ctx context.Context, key, id string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	err := b.core.AbortMultipartUpload(ctx, b.bucket, b.prefix+key, id)
	if err == nil || answer(err).StatusCode == http.StatusNotFound || refused(cause) {
		return cause
	}
	return fmt.Errorf("%w (and its parts were left in the bucket until the next start: %w)", cause, err)
}

// StaleUpload is the age after which an upload in parts is taken for one whose
// process died. It is well above what the largest image takes.
const StaleUpload = 24 * time.Hour

// AbortStale drops uploads in parts that began before a moment, and tells how
// many. What cannot be dropped is in the error and stays.
func (b *Blobs) AbortStale(ctx context.Context, before time.Time) (int, error) {
	var errs []error
	dropped := 0
	all, err := b.unfinished(ctx)
	if err != nil {
		return 0, fmt.Errorf("list uploads in bucket %s: %w", b.bucket, worded(err))
	}
	for _, u := range all {
		if !u.Initiated.Before(before) {
			continue
		}
		err := b.try(ctx, b.answerTime, func(ctx context.Context) error {
			return b.core.AbortMultipartUpload(ctx, b.bucket, u.Key, u.UploadID)
		})
		if err != nil && answer(err).StatusCode != http.StatusNotFound {
			errs = append(errs, fmt.Errorf("abort upload of %s in bucket %s: %w", u.Key, b.bucket, worded(err)))
			continue
		}
		dropped++
	}
	return dropped, errors.Join(errs...)
}
