package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// shutdownTime is how long requests under way may take to end.
const shutdownTime = 20 * time.Second

// finish waits for requests under way, at most shutdownTime for all of them.
// What takes longer, such as an image on a thin line, is cut off by whoever
// calls next: handsets go on where it ended, here or at another server, so an
// end that cuts them off is as good as any.
func (a *app) finish(ctx context.Context, log *slog.Logger, waits ...func(context.Context) error) error {
	patience := a.patience
	if patience == 0 {
		patience = shutdownTime
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer done()
	var errs []error
	late := false
	for _, wait := range waits {
		err := wait(last)
		if errors.Is(err, context.DeadlineExceeded) {
			late = true
			continue
		}
		errs = append(errs, err)
	}
	if late {
		log.Info("requests that were still under way are cut off; handsets go on where they ended", "after", patience)
	}
	return errors.Join(errs...)
}
