package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How often something is tried.
const (
	Attempts   = 6
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second // however long the server asks for
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

// ErrAgain marks failures that may pass.
var ErrAgain = errors.New("the server could not be reached")

// Call makes one request of the contract's client.
type Call func(context.Context) (*http.Response, error)

// Exchange makes one request and decodes the answer into out; nil where none is
// expected. Failures that may pass are ErrAgain, refusals are a *Refusal.
func Exchange(ctx context.Context, do Call, out any) error {
	body, err := exchange(ctx, do, maxAnswer)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer is not that of a Candor server: %w", err)
	}
	return nil
}

func exchange(ctx context.Context, do Call, limit int64) ([]byte, error) {
	resp, err := do(ctx)
	if err != nil {
		return nil, broken(ctx, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, broken(ctx, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return body, nil
	}
	r := refusalOf(resp.StatusCode, resp.Header, body)
	if r.passing() {
		return nil, fmt.Errorf("%w: %w", ErrAgain, r)
	}
	return nil, r
}

// broken tells a broken connection from a caller that has given up.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrAgain, err)
}

// Again repeats f while it fails with ErrAgain. f reports whether it got
// anything done, which starts the count anew.
func (c *Client) Again(ctx context.Context, f func() (progress bool, err error)) error {
	wait := firstPause
	for n := 1; ; n++ {
		progress, err := f()
		if err == nil || !errors.Is(err, ErrAgain) {
			return err
		}
		if progress {
			n, wait = 1, firstPause
		}
		if n == Attempts {
			return fmt.Errorf("gave up after %d attempts: %w", n, err)
		}
		var r *Refusal
		if errors.As(err, &r) {
			wait = max(wait, min(r.After, maxPause))
		}
		if err := c.Pause(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

// oneExchange bounds one request for a rollout and its answer.
const oneExchange = time.Minute

// once is Exchange with a bound of its own.
func once(ctx context.Context, do Call, out any) error {
	short, done := context.WithTimeout(ctx, oneExchange)
	defer done()
	err := Exchange(short, do, out)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: no answer within %s", ErrAgain, oneExchange)
	}
	return err
}

// ask makes a request until it is answered, and decodes the answer.
func ask[T any](ctx context.Context, c *Client, what string, do Call) (T, error) {
	var out T
	err := c.Again(ctx, func() (bool, error) { return false, once(ctx, do, &out) })
	if err != nil {
		return out, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// change is ask for a request that changes something: if it is given up, the
// change may have been made all the same.
func change[T any](ctx context.Context, c *Client, what string, do Call) (T, error) {
	out, err := ask[T](ctx, c, what, do)
	if err != nil && errors.Is(err, ErrAgain) {
		return out, fmt.Errorf("%w; whether it was done is not known: look before you try again", err)
	}
	return out, err
}
