package load

import (
	"context"
	"math/rand/v2"
	"time"
)

// arrivals calls begin for each arrival of a Poisson process of rate a second,
// with the moment at which it was due, until the end. It waits for nobody: begin
// must not either. What is due when it wakes up late is begun at once.
func arrivals(ctx context.Context, rate float64, start time.Time, length time.Duration, r *rand.Rand, begin func(due time.Time)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for at := time.Duration(0); ; {
		at += time.Duration(r.ExpFloat64() / rate * float64(time.Second))
		if at >= length {
			return nil
		}
		due := start.Add(at)
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		begin(due)
	}
}
