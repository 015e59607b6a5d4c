package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// everywhere calls try on one source of a file after another until one
// succeeds, then again after a wait, while there is hope. It stops at once on
// an error that answers says is an answer.
func (c *Client) everywhere(ctx context.Context, file string, answers func(error) bool, try func(*mirror) error) error {
	for round := 0; ; round++ {
		err, hope := c.round(ctx, file, answers, try)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !hope || round >= c.options.Retries:
			return err
		}
		if wait, ok := c.wait(round, err); !ok {
			return err
		} else if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// round asks every source once and tells whether asking again makes sense.
func (c *Client) round(ctx context.Context, file string, answers func(error) bool, try func(*mirror) error) (failure error, hope bool) {
	sources := c.sources(file)
	for _, m := range sources {
		err := m.rested()
		if err == nil {
			err = try(m)
		}
		if err == nil || answers(err) {
			c.lineOf(m).prefer(m)
			return err, false
		}
		if ctx.Err() != nil {
			return err, false
		}
		c.failed(m)
		hope = hope || judge(err) == transient
		failure = also(failure, err)
	}
	if len(sources) == 0 {
		return ErrNoMirror, false
	}
	return failure, hope
}

func also(failures, err error) error {
	if failures == nil {
		return err
	}
	return fmt.Errorf("%w; %w", failures, err)
}

// rested tells whether a server that asked for rest has had it.
func (m *mirror) rested() error {
	if until := time.Unix(0, m.busyUntil.Load()); time.Now().Before(until) {
		return fmt.Errorf("%s: %w", m.base, &BusyError{until})
	}
	return nil
}

// rest notes what the server asks for in Retry-After (RFC 9110, 10.2.3).
func (m *mirror) rest(header http.Header) error {
	value, now := header.Get("Retry-After"), time.Now()
	if value == "" {
		return nil
	}
	until, err := http.ParseTime(value)
	if seconds, numErr := strconv.ParseUint(value, 10, 31); numErr == nil {
		until, err = now.Add(time.Duration(seconds)*time.Second), nil
	}
	if err != nil || !until.After(now) {
		return nil // not understood, or over: the usual wait will do
	}
	if latest := now.Add(maxRetryAfter); until.After(latest) {
		until = latest
	}
	m.busyUntil.Store(until.UnixNano())
	return &BusyError{until}
}

// wait is how long to wait before the next round: a random part of a bound that
// doubles (full jitter), and as long as the servers ask for. It is not ok if
// that is longer than one call may take.
func (c *Client) wait(round int, failure error) (time.Duration, bool) {
	bound := min(c.options.Backoff<<min(round, 20), c.options.MaxWait)
	wait := rand.N(bound + 1)
	var busy *BusyError
	if errors.As(failure, &busy) {
		// A little later than asked, and not everybody at once.
		wait += time.Until(busy.Until)
	}
	return wait, wait <= c.options.MaxWait
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
