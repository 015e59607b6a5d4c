package keyring

import (
	"context"
	"fmt"
	"time"
)

// clock ends a context when a place does not answer in time. It stands still
// while a person types a secret.
type clock struct {
	timer   *time.Timer
	timeout time.Duration
	outer   context.Context
}

// Asker gives ask without its time being counted.
func (c *clock) asker(ask Asker) Asker { return patient{ask, c} }

type patient struct {
	Asker
	clock *clock
}

func (p patient) Ask(_ context.Context, q Question) (string, error) {
	if p.clock.timer != nil {
		p.clock.timer.Stop()
		defer p.clock.timer.Reset(p.clock.timeout)
	}
	return p.Asker.Ask(p.clock.outer, q)
}

// await runs do and gives its result, or gives up when ctx ends or timeout has
// passed (0: never). Libraries and modules that cannot be interrupted go on in
// the background then; the command ends soon after.
func await[T any](ctx context.Context, timeout time.Duration, do func(context.Context, *clock) (T, error)) (T, error) {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &clock{timeout: timeout, outer: ctx}
	if timeout > 0 {
		c.timer = time.AfterFunc(timeout, func() {
			cancel(fmt.Errorf("%w (waited %s; `key add --timeout` says how long)", ErrTimeout, timeout))
		})
		defer c.timer.Stop()
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do(inner, c)
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		if r.err != nil && inner.Err() != nil {
			r.err = context.Cause(inner)
		}
		return r.value, r.err
	case <-inner.Done():
		var none T
		return none, context.Cause(inner)
	}
}
