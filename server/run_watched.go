package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/observe"
)

// watched opens the log and tracing, which is nil when it is off.
func (a *app) watched(f config.File) (*slog.Logger, *observe.Tracing, error) {
	log := f.Log.Logger(a.err)
	tracing, err := f.Tracing.Open(log)
	return log, tracing, err
}

// lastSpans is how long the spans that wait may take at the end.
const lastSpans = 5 * time.Second

func closeTracing(ctx context.Context, t *observe.Tracing) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
	defer done()
	return t.Close(ctx)
}
