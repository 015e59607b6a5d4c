package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/candor-ota/candor/server/store"
)

// Put creates an object once, in one request, or in parts above the part size.
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
	checked := &failing{r: store.Verify(o, body)}
	send := b.single
	switch {
	case o.Size > b.part:
		send = b.multipart
	case o.Size == 0: // a request without a body never reads to the check
		if _, err := io.Copy(io.Discard, checked); err != nil {
			return fmt.Errorf("put %w", err)
		}
	}
	err := send(ctx, o, checked)
	switch {
	case err == nil:
		return nil
	case checked.err != nil: // the client wraps it in words of its own
		return fmt.Errorf("put %w", checked.err)
	case refused(err):
		return b.settle(ctx, o)
	}
	return named(o.Key, err)
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

func (b *Blobs) single(ctx context.Context, o store.Object, body io.Reader) error {
	opts := minio.PutObjectOptions{DisableMultipart: true}
	opts.SetMatchETagExcept("*")
	_, err := b.core.Client.PutObject(ctx, b.bucket, b.prefix+o.Key, body, o.Size, opts)
	return err
}

// multipart streams part after part; the condition is on their completion.
func (b *Blobs) multipart(ctx context.Context, o store.Object, body io.Reader) error {
	key := b.prefix + o.Key
	id, err := b.core.NewMultipartUpload(ctx, b.bucket, key, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	var parts []minio.CompletePart
	for left := o.Size; left > 0 && err == nil; {
		size := min(left, b.part)
		var p minio.ObjectPart
		p, err = b.core.PutObjectPart(ctx, b.bucket, key, id, len(parts)+1, io.LimitReader(body, size), size, minio.PutObjectPartOptions{})
		parts = append(parts, minio.CompletePart{
			PartNumber: p.PartNumber, ETag: p.ETag,
			ChecksumCRC32C: p.ChecksumCRC32C, ChecksumCRC64NVME: p.ChecksumCRC64NVME,
		})
		left -= size
	}
	if err == nil {
		var opts minio.PutObjectOptions
		opts.SetMatchETagExcept("*")
		_, err = b.core.CompleteMultipartUpload(ctx, b.bucket, key, id, parts, opts)
	}
	if err == nil {
		return nil
	}
	return b.abort(ctx, o.Key, id, err)
}

const abortTime = 10 * time.Second

// abort drops the parts, also after ctx was cancelled. The first error stays
// the one to branch on.
func (b *Blobs) abort(ctx context.Context, key, id string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	err := b.core.AbortMultipartUpload(ctx, b.bucket, b.prefix+key, id)
	if err == nil || minio.ToErrorResponse(err).StatusCode == http.StatusNotFound || refused(cause) {
		return cause
	}
	return fmt.Errorf("%w (and its parts were left in the bucket: %w)", cause, err)
}

// failing remembers why the body could not be read to its end.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
