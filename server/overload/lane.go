package overload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Width is how much one kind of work may be done at once.
type Width struct {
	AtOnce  int // requests under way; at least 1
	Waiting int // requests that wait for one of them to end
}

// patience is how long a request waits for its turn: whoever asks is better
// told soon.
const patience = 2 * time.Second

// BusyError sends a request away. Retry is when to come back.
type BusyError struct {
	Lane  string
	Retry time.Duration
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("this server has more %s than it can take; again in %s", e.Lane, e.Retry)
}

// Lane is a bulkhead. It is safe for concurrent use; its name is for people
// and figures.
type Lane struct {
	Name    string
	turns   chan struct{}
	most    int64 // waiting
	waiting atomic.Int64
	full    atomic.Int64
	slow    atomic.Int64
}

// NewLane makes a lane.
func NewLane(name string, w Width) *Lane {
	return &Lane{Name: name, turns: make(chan struct{}, max(w.AtOnce, 1)), most: int64(w.Waiting)}
}

// Enter waits for a turn, a little. The error is a BusyError, or that of ctx;
// without one, leave ends the turn and must be called once.
func (l *Lane) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case l.turns <- struct{}{}:
		return l.leave, nil
	default:
	}
	if l.waiting.Add(1) > l.most {
		l.waiting.Add(-1)
		l.full.Add(1)
		return nil, l.busy()
	}
	defer l.waiting.Add(-1)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case l.turns <- struct{}{}:
		return l.leave, nil
	case <-timer.C:
		l.slow.Add(1)
		return nil, l.busy()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *Lane) leave() { <-l.turns }

// busy gives everybody another time, so that they do not come back together.
func (l *Lane) busy() *BusyError {
	return &BusyError{Lane: l.Name, Retry: 2*time.Second + time.Duration(rand.IntN(13))*time.Second}
}

// LaneStats are counted since the lane was made, but for the first two.
type LaneStats struct{ Running, Waiting, Full, Slow, Width int64 }

// Stats gives the counts of now. Full were sent away at once, Slow after they
// had waited.
func (l *Lane) Stats() LaneStats {
	return LaneStats{Running: int64(len(l.turns)), Waiting: l.waiting.Load(), Full: l.full.Load(), Slow: l.slow.Load(), Width: int64(cap(l.turns))}
}
