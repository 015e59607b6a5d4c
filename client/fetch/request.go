package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// answer is a response whose body is watched.
type answer struct {
	*http.Response
	body *watched
}

// send makes one request. The answer's body must be closed; it ends by itself
// with ErrStalled when it comes too slowly. Statuses that mean failure are
// errors.
func (c *Client) send(ctx context.Context, m *mirror, path string, header http.Header) (*answer, error) {
	address, err := m.address(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	header.Set("User-Agent", userAgent)
	request.Header = header
	response, err := c.http.Do(request)
	if err != nil {
		cancel(nil)
		var inner *url.Error // it repeats method and address
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("GET %s: %w", address, err)
	}
	a := &answer{response, watch(ctx, cancel, response.Body, c.options.MinRate, c.options.RateWindow)}
	if err := a.check(m); err != nil {
		return nil, fmt.Errorf("GET %s: %w", address, errors.Join(err, a.finish()))
	}
	return a, nil
}

func (a *answer) check(m *mirror) error {
	switch a.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified:
		return nil
	case http.StatusNotFound, http.StatusForbidden:
		return fmt.Errorf("%w (%d)", ErrNotFound, a.StatusCode)
	case http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: it is shorter than the part that is already here", ErrWrongLength)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if busy := m.rest(a.Header); busy != nil {
			return busy
		}
	}
	return &StatusError{a.StatusCode}
}

// finish reads a short rest, so that the connection can be used again, and
// closes the body. What it reads does not matter, nor does an error in it.
func (a *answer) finish() error {
	if a.ContentLength >= 0 && a.ContentLength <= smallAnswer {
		if _, err := io.Copy(io.Discard, a.body); err != nil {
			return a.body.Close()
		}
	}
	return a.body.Close()
}

// watched is a body that has to keep up a least rate. A stall ends it after the
// window; a body that drips just below the rate ends later. Only the time spent
// in Read counts, so a slow disk is not taken for a slow network.
type watched struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	rate   int64
	window time.Duration
	left   time.Duration // until patience ends; each byte earns 1/rate, up to window
	timer  *time.Timer
}

func watch(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser, rate int64, window time.Duration) *watched {
	timer := time.AfterFunc(window, func() { cancel(ErrStalled) })
	timer.Stop()
	return &watched{ctx, cancel, body, rate, window, window, timer}
}

func (w *watched) Read(b []byte) (int, error) {
	w.timer.Reset(w.left)
	start := time.Now()
	n, err := w.body.Read(b)
	w.timer.Stop()
	w.left = min(w.left-time.Since(start)+time.Duration(n)*time.Second/time.Duration(w.rate), w.window)
	switch {
	case err != nil && !errors.Is(err, io.EOF) && w.ctx.Err() != nil:
		return n, w.cause()
	case err == nil && w.left <= 0:
		w.cancel(ErrStalled)
		return n, w.cause()
	}
	return n, err
}

func (w *watched) cause() error {
	if err := context.Cause(w.ctx); !errors.Is(err, ErrStalled) {
		return err
	}
	return fmt.Errorf("%w: under %d bytes a second for %v", ErrStalled, w.rate, w.window)
}

func (w *watched) Close() error {
	w.timer.Stop()
	defer w.cancel(nil)
	return w.body.Close()
}
