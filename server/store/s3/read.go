package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/candor-ota/candor/server/store"
)

// Object is an object being read. It is a plain reader over as few requests as
// can be: one from where it is sought to, and another only where a body ended
// early or stalled. It is for one goroutine.
type Object struct {
	b      *Blobs
	ctx    context.Context
	info   store.Info
	etag   string
	at     int64         // the next byte to be given
	body   io.ReadCloser // from at; nil: to be asked for
	end    int64         // of body
	ranges [][2]int64
	failed int // requests in a row that brought nothing
}

// Open gives an object, which is an *Object.
func (b *Blobs) Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	st, err := b.stat(ctx, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	info := b.info(st)
	return &Object{b: b, ctx: ctx, info: info, etag: st.ETag}, info, nil
}

// Expect says which ranges will be read, each from its first byte to before
// its end: a request that begins at one asks the service for no more than that.
// What is read otherwise is read all the same.
func (o *Object) Expect(ranges [][2]int64) { o.ranges = ranges }

// Seek moves to an offset; it asks the service for nothing.
func (o *Object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.info.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("object %s: offset %d is before its beginning", o.info.Key, offset)
	}
	if offset == o.at {
		return offset, nil
	}
	o.drop()
	o.at = offset
	return offset, nil
}

// Close ends the request under way.
func (o *Object) Close() error {
	o.drop()
	return nil
}

// drop lets go of a body. What it says to that changes nothing about the bytes
// that it gave.
func (o *Object) drop() {
	if body := o.body; body != nil {
		o.body = nil
		if err := body.Close(); err != nil {
			return
		}
	}
}

// Read gives the next bytes, resuming a body that ended early.
func (o *Object) Read(p []byte) (int, error) {
	if o.at >= o.info.Size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if o.body == nil {
			if err := o.request(); err != nil {
				return 0, err
			}
		}
		n, err := o.body.Read(p[:min(int64(len(p)), o.end-o.at)])
		o.at += int64(n)
		if n > 0 {
			o.failed = 0
			if err != nil || o.at == o.end {
				o.drop() // an error will come again if it lasts
			}
			return n, nil
		}
		if err == nil {
			continue
		}
		o.drop()
		if o.failed++; o.failed == attempts || o.ctx.Err() != nil {
			return 0, o.b.named(o.info.Key, short(err))
		}
	}
}

// short says of a body that ended early that it did.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// request asks for the object from where the reader stands, as long as it is
// still the one that was opened.
func (o *Object) request() error {
	o.end = o.info.Size
	for _, r := range o.ranges {
		if r[0] == o.at && r[1] > o.at {
			o.end = min(o.end, r[1])
		}
	}
	var opts minio.GetObjectOptions
	if err := opts.SetMatchETag(o.etag); err != nil {
		return o.b.named(o.info.Key, err)
	}
	if o.at > 0 || o.end < o.info.Size {
		if err := opts.SetRange(o.at, o.end-1); err != nil {
			return o.b.named(o.info.Key, err)
		}
	}
	// The body outlives the attempt, so the attempt's context must too: only
	// its wait for the answer is bounded here, by a timer of its own.
	err := o.b.try(o.ctx, 2*o.b.answerTime, func(context.Context) error {
		ctx, cancel := context.WithCancelCause(o.ctx)
		timer := o.b.afterFunc(o.b.answerTime, func() { cancel(errNoAnswer) })
		body, _, header, err := o.b.core.GetObject(ctx, o.b.bucket, o.b.prefix+o.info.Key, opts)
		switch stopped := timer.Stop(); {
		case err != nil && !stopped:
			err = errors.Join(errNoAnswer, err)
		case err != nil && refused(err):
			err = errChanged
		}
		if err != nil {
			cancel(nil)
			return err
		}
		o.body = o.b.watch(body, cancel)
		if o.at > 0 && !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", o.at)) {
			o.drop()
			return errNoRanges
		}
		return nil
	})
	return o.b.named(o.info.Key, err)
}

// errNoRanges: the bytes would be others than those that were asked for.
var errNoRanges = errors.New("the service answered a range with something else; use one that honours ranges")

// watched is a body that is given up when it brings nothing for a while. Only the time inside Read
// counts: a reader may be as slow as it likes.
type watched struct {
	body   io.ReadCloser
	stall  time.Duration
	cancel context.CancelCauseFunc
	timer  Timer
}

func (b *Blobs) watch(body io.ReadCloser, cancel context.CancelCauseFunc) *watched {
	w := &watched{body: body, stall: b.answerTime, cancel: cancel}
	w.timer = b.afterFunc(b.answerTime, func() { cancel(errNoAnswer) })
	w.timer.Stop()
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.body.Read(p)
	if !w.timer.Stop() && err != nil {
		err = errors.Join(errNoAnswer, err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}

// Stat tells about an object.
func (b *Blobs) Stat(ctx context.Context, key string) (store.Info, error) {
	st, err := b.stat(ctx, key)
	if err != nil {
		return store.Info{}, err
	}
	return b.info(st), nil
}

func (b *Blobs) stat(ctx context.Context, key string) (st minio.ObjectInfo, err error) {
	if err := store.CheckKey(key); err != nil {
		return st, err
	}
	err = b.try(ctx, b.answerTime, func(ctx context.Context) (err error) {
		st, err = b.core.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{})
		return err
	})
	return st, b.named(key, err)
}

// Load reads a head; its version is the service's own ETag.
func (b *Blobs) Load(ctx context.Context, key string) (data []byte, tag store.ETag, err error) {
	if err := store.CheckKey(key); err != nil {
		return nil, "", err
	}
	err = b.try(ctx, 2*b.answerTime, func(ctx context.Context) error {
		body, st, _, err := b.core.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		data, err = io.ReadAll(io.LimitReader(body, store.MaxHead+1))
		if err == nil && st.Size >= 0 && int64(len(data)) < min(st.Size, store.MaxHead+1) {
			err = io.ErrUnexpectedEOF
		}
		tag = store.ETag(st.ETag)
		return errors.Join(err, body.Close())
	})
	if err != nil {
		return nil, "", b.named(key, err)
	}
	if len(data) > store.MaxHead {
		return nil, "", fmt.Errorf("object %s in bucket %s: a head has at most %d bytes, this one more", key, b.bucket, store.MaxHead)
	}
	return data, tag, nil
}
