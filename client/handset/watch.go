package handset

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/client/watch"
)

// waker is what wake-ups are judged by.
type waker struct {
	alarm  watch.Alarm         // of the agent's goroutine
	spread atomic.Int64        // of the rollouts known, in nanoseconds; for the stream's
	random func(n int64) int64 // waits of the stream; random
}

// listen keeps a stream to the server open, where the configuration turns that
// on, until stop is called. heard gives the newest number that the server said;
// without a stream it is nil.
func (h *Handset) listen(ctx context.Context) (heard <-chan uint64, stop func(), err error) {
	if !h.Config.Watch.On {
		return nil, func() {}, nil
	}
	h.noteSpread()
	c, err := watch.New(watch.Options{
		Servers: h.Config.Watch.Servers, Product: h.Config.Product, Random: h.waker.random, Log: h.log,
		Spread: func() time.Duration { return time.Duration(h.waker.spread.Load()) },
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	newest := make(chan uint64, 1)
	ended.Go(func() {
		c.Run(ctx, func(version uint64) {
			select {
			case <-newest: // the one before it was not read yet
			default:
			}
			newest <- version
		})
	})
	return newest, func() { cancel(); ended.Wait() }, nil
}

// toldOf tells the alarm what came of a poll.
func (h *Handset) toldOf(succeeded bool) {
	counter, _ := h.agent.Rollouts(0)
	h.waker.alarm.Polled(counter, succeeded, time.Now())
	h.noteSpread()
}

func (h *Handset) noteSpread() {
	_, spread := h.agent.Rollouts(watch.DefaultSpread)
	h.waker.spread.Store(int64(spread))
}

// untilWoken is the wait that is left, or less, if a wake-up is due before. A
// server that asked to be left alone is, whatever else it says.
func (h *Handset) untilWoken(left time.Duration) time.Duration {
	in, woken := h.waker.alarm.In(time.Now())
	if !woken {
		return left
	}
	if next, failed := h.agent.NextTry(); failed {
		in = max(in, next.Busy.Sub(h.wall()))
	}
	return min(left, in)
}
