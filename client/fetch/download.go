package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Download reads a part of a file of known size to its end. A connection that is cut or
// stalls is replaced by a Range request for the rest, on the same mirror or the
// next. It gives up after some failures in a row that gained less than 64 KiB
// each. It is for one goroutine.
type Download struct {
	client   *Client
	ctx      context.Context
	rest     Range
	body     *Body // nil while there is no connection
	failures int
	gained   int64 // bytes since the last failure
}

// Download starts to read a file of size bytes at offset. The first request is
// made by the first Read.
func (c *Client) Download(ctx context.Context, path string, offset, size int64) *Download {
	return &Download{client: c, ctx: ctx, rest: Range{Path: path, From: offset, Size: size}}
}

// Open starts to read a file of size bytes at offset. Reading continues by
// itself after a cut connection; see Download.
func (c *Client) Open(ctx context.Context, path string, offset, size int64) (io.ReadCloser, error) {
	return c.OpenRange(ctx, Range{Path: path, From: offset, Size: size})
}

// OpenRange starts to read a part of a file, as Open does.
func (c *Client) OpenRange(ctx context.Context, r Range) (io.ReadCloser, error) {
	d := &Download{client: c, ctx: ctx, rest: r}
	if err := d.connect(); err != nil {
		return nil, err
	}
	return d, nil
}

// Origin names the mirror of the bytes last read, for Blame.
func (d *Download) Origin() string {
	if d.rest.Same == nil {
		return ""
	}
	return d.rest.Same.origin
}

// Read gives the next bytes. ErrRangeIgnored, after a cut connection, says that
// the rest is to be had only together with the beginning.
func (d *Download) Read(p []byte) (int, error) {
	for {
		if err := d.connect(); err != nil {
			return 0, err
		}
		n, err := d.body.Read(p)
		d.rest.From += int64(n)
		if d.gained += int64(n); d.gained >= progressPerLink {
			d.failures = 0
		}
		if n > 0 || errors.Is(err, io.EOF) {
			return n, eofOnly(err)
		}
		if err != nil {
			if err := d.retry(err); err != nil {
				return 0, err
			}
		}
	}
}

// eofOnly leaves other errors to the next Read, which gets them again.
func eofOnly(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (d *Download) connect() error {
	if d.body != nil {
		return nil
	}
	body, err := d.client.Stream(d.ctx, d.rest)
	if err != nil {
		return fmt.Errorf("byte %d of %d: %w", d.rest.From, d.rest.Size, err)
	}
	d.body = body
	if body.answer != nil {
		d.rest.Same = body
	}
	return nil
}

func (d *Download) retry(failure error) error {
	failure = fmt.Errorf("%s: byte %d of %d: %w", d.rest.Path, d.rest.From, d.rest.Size, failure)
	if err := d.body.Close(); err != nil {
		failure = errors.Join(failure, err)
	}
	d.body = nil
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if judge(failure) != transient || d.failures >= d.client.options.Retries {
		return failure
	}
	wait, _ := d.client.wait(d.failures, nil)
	d.failures, d.gained = d.failures+1, 0
	return sleep(d.ctx, wait)
}

// Close ends the transfer.
func (d *Download) Close() error {
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}
