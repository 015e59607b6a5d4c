package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/webhook"
	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/store"
)

const (
	leaseWait = 2 * time.Second // before another replica's lease is tried for again
	batch     = 100

	firstWait  = time.Second
	longWait   = 10 * time.Minute
	giveUpTime = 3 * 24 * time.Hour
)

// gaveUp is the verb of entries about deliveries that were given up.
const gaveUp = "hook.gave-up"

// worker serves one hook.
type worker struct {
	Options
	*sender
	holder string
	kick   chan struct{}

	opened bool
	hook   store.Hook  // as last read or written
	lease  store.Lease // under which deliver runs
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := w.step(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("webhook cannot be served for now", "hook", w.Name, "error", err)
			w.opened, wait = false, leaseWait
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.kick:
		}
		timer.Stop()
	}
}

// step delivers what is due and tells how long nothing will be.
func (w *worker) step(ctx context.Context) (time.Duration, error) {
	var err error
	if !w.opened {
		if w.hook, err = w.Ledger.OpenHook(ctx, string(w.Name)); err != nil {
			return 0, err
		}
		w.opened = true
	}
	if wait := w.hook.NextTry.Sub(w.now()); wait > 0 {
		return wait, nil
	}
	list, err := w.due(ctx)
	if err != nil || len(list) == 0 {
		return w.Look, err
	}
	var wait time.Duration
	r := lease.Request{Leases: w.Ledger, Name: LeaseName(w.Name), Holder: w.holder, Now: w.now, Log: w.Log}
	err = lease.Do(ctx, r, func(ctx context.Context, held store.Lease) (err error) {
		w.lease = held
		wait, err = w.serve(ctx)
		return err
	})
	if errors.Is(err, store.ErrConflict) { // another replica serves it
		w.opened = false
		return leaseWait, nil
	}
	return wait, err
}

// serve delivers under the lease. Somebody else may have had it since the hook
// was read.
func (w *worker) serve(ctx context.Context) (time.Duration, error) {
	var err error
	if w.hook, err = w.Ledger.OpenHook(ctx, string(w.Name)); err != nil {
		return 0, err
	}
	if wait := w.hook.NextTry.Sub(w.now()); wait > 0 {
		return wait, nil
	}
	list, err := w.due(ctx)
	if err != nil {
		return 0, err
	}
	return w.deliver(ctx, list)
}

func (w *worker) due(ctx context.Context) ([]store.Entry, error) {
	return w.Ledger.Entries(ctx, store.EntryQuery{After: w.hook.Position, Limit: batch})
}

// LeaseName is the lease under which a hook is served.
func LeaseName(hook manifests.Name) string { return "hook:" + string(hook) }

// deliver hands over entries in order, up to the first that fails. The hook's
// position is written after each: what a crash leaves is told again.
func (w *worker) deliver(ctx context.Context, list []store.Entry) (time.Duration, error) {
	skipped := false
	for _, e := range list {
		product, err := Product(ctx, w.Ledger, e)
		if err != nil {
			return 0, err
		}
		if !w.wants(e.What, e.Subject, product) {
			w.hook.Position, skipped = e.Seq, true
			continue
		}
		failed, err := w.try(ctx, e, product)
		if err != nil {
			return 0, err
		}
		if skipped = false; failed != nil {
			return max(w.hook.NextTry.Sub(w.now()), 1), nil
		}
	}
	if skipped {
		if err := w.save(ctx, store.Entry{}); err != nil {
			return 0, err
		}
	}
	if len(list) == batch {
		return 0, nil
	}
	return w.Look, nil
}

// endTime is how long a try that is under way when the server ends may take.
const endTime = 2 * time.Second

// try hands over one entry and writes down how that went. A server that ends
// lets it finish for a moment: what was delivered need not be told again.
func (w *worker) try(ctx context.Context, e store.Entry, product manifests.Product) (failed, err error) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(endTime, end) })()
	if failed = w.send(late, eventOf(w.Name, e, product)); failed != nil && ctx.Err() != nil {
		return nil, ctx.Err() // cut off, which is not the receiver's fault
	}
	said, err := w.settle(e, failed)
	if err == nil {
		err = w.save(late, said)
	}
	return failed, err
}

func (w *worker) save(ctx context.Context, said store.Entry) error {
	err := w.Ledger.SaveHook(ctx, w.lease, w.hook, said)
	if err != nil {
		w.opened = false // what is recorded counts
	}
	return err
}

func eventOf(hook manifests.Name, e store.Entry, product manifests.Product) webhook.Event {
	return webhook.Event{
		ID: webhook.ID(string(hook), e.Seq), Event: e.What, At: manifests.At(e.At), Product: product,
		Subject: e.Subject, Who: e.Who, Why: e.Why, Detail: e.Detail,
	}
}

// settle writes down how a try went; what it gives is for the audit log.
func (w *worker) settle(e store.Entry, failed error) (said store.Entry, err error) {
	h, now := &w.hook, w.now().UTC().Truncate(time.Second)
	if failed == nil {
		h.Position, h.DeliveredAt = e.Seq, now
		h.Delivered++
		h.Attempts, h.FailingSince, h.NextTry, h.LastError = 0, time.Time{}, time.Time{}, ""
		return said, nil
	}
	h.Failures++
	h.Attempts++
	h.LastError = clip(failed)
	if h.FailingSince.IsZero() {
		h.FailingSince = now
	}
	wait := w.wait(failed)
	h.NextTry = now.Add(wait + time.Second - 1).Truncate(time.Second) // never earlier
	due := e.At
	if h.FailingSince.After(due) {
		due = h.FailingSince
	}
	if now.Sub(due) < giveUpTime {
		w.Log.Warn("webhook not delivered; it is tried again", "hook", w.Name, "entry", e.Seq, "tries", h.Attempts, "wait", wait, "error", h.LastError)
		return said, nil
	}
	w.Log.Error("webhook given up", "hook", w.Name, "entry", e.Seq, "error", h.LastError)
	h.Position = e.Seq
	h.GaveUp++
	said = store.Entry{At: now, Who: "server", What: gaveUp, Subject: string(w.Name), Why: h.LastError}
	said.Detail, err = json.Marshal(map[string]any{"entry": e.Seq, "event": e.What})
	return said, err
}

// clip makes an error fit to be kept: a receiver may have had a hand in it.
func clip(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(err.Error(), "?"))
	return strings.ToValidUTF8(text[:min(len(text), store.MaxHookError)], "")
}

// wait is how long to leave a failing receiver alone: a random part of twice
// as long as the time before, and what it asks for.
func (w *worker) wait(failed error) time.Duration {
	most := longWait
	if doublings := w.hook.Attempts - 1; doublings < 10 {
		most = min(longWait, firstWait<<doublings)
	}
	wait := w.Jitter(most)
	var r *refused
	if errors.As(failed, &r) {
		wait = max(wait, r.after)
	}
	return wait
}
