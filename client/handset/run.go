package handset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/client/watch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// leastGap is the least time between two polls, however often the owner asks.
const leastGap = time.Second

// Serve answers the owner's requests on the socket of the configuration, as long
// as Run or Once runs; stop ends it. A handset whose socket cannot be made is
// updated all the same: it is logged.
func (h *Handset) Serve() (stop func() error) {
	path := h.Config.SocketPath()
	s, err := status.Listen(path, h.desk, h.log)
	if err != nil {
		h.log.Warn("nobody can talk to this agent while it runs", "reason", err)
		return func() error { return nil }
	}
	h.desk.serve(true)
	return func() error {
		h.desk.serve(false)
		h.carryOut(context.Background()) // what was asked for until now
		return errors.Join(h.answer(errEnding), s.Close())
	}
}

// Events gives what happens from now on, until end is called, which must be.
func (h *Handset) Events() (events <-chan status.Event, end func()) { return h.desk.Events() }

// Once polls and does all that follows, restarts included. On a board it ends
// with the restart; what follows is done after power-on. What the owner asks for
// meanwhile is carried out between two steps, and the last one is repeated with
// it.
func (h *Handset) Once(ctx context.Context) (agent.Status, error) {
	for {
		began := time.Now()
		s, err := h.follow(ctx, func() (agent.Status, error) { return h.step(ctx) })
		switch {
		case h.chosen == nil:
			return s, err
		case h.chosen.tried: // it has had its turn; what it broke off goes on
			err = errors.Join(err, h.answer(err))
		}
		if ctx.Err() != nil || h.down {
			return s, err
		}
		h.log.Info("the agent looks again, for the owner's bundle or after it", "reason", err)
		if err := sleep(ctx, leastGap-time.Since(began)); err != nil {
			return s, err
		}
	}
}

// follow does a step, and all that follows from it.
func (h *Handset) follow(ctx context.Context, step func() (agent.Status, error)) (agent.Status, error) {
	for restarts := 0; restarts < maxRestarts; {
		began := time.Now()
		s, err := step()
		asked := h.carryOut(ctx)
		switch {
		case errors.Is(err, agent.ErrInterrupted) || err == nil && asked && !h.agent.RestartWanted():
			if err := sleep(ctx, leastGap-time.Since(began)); err != nil {
				return s, err
			}
			continue
		case err != nil || !h.agent.RestartWanted():
			return s, err
		}
		restarts++
		back, err := h.slots.restart(ctx, h.log)
		if err != nil && ctx.Err() == nil {
			s, err = h.agent.RestartFailed(err)
			h.refresh()
		}
		if err != nil || !back {
			h.down = err == nil
			return s, err
		}
		if err := h.start(); err != nil {
			return s, err
		}
	}
	return agent.Status{}, fmt.Errorf("the handset restarted %d times after one poll", maxRestarts)
}

// carryOut does what the owner has asked for, and tells whether decisions may
// come out differently for it.
func (h *Handset) carryOut(ctx context.Context) (decides bool) {
	for _, q := range h.desk.take() {
		var a answer
		switch q.Do {
		case status.Look:
			a.preview, a.err = h.lookAt(ctx, q.Bundle)
		case status.Install:
			if a.err = h.choose(q); a.err == nil {
				decides = true
				continue // the answer comes when it is done
			}
		default:
			a.err = h.Do(ctx, q.Request)
			decides = decides || q.Do != status.Consent
		}
		h.refresh()
		q.done <- a
	}
	return decides
}

// Do carries out what the owner asks for. It is durable when Do returns nil.
func (h *Handset) Do(ctx context.Context, r status.Request) error {
	switch r.Do {
	case status.ShowStatus, status.Watch:
		return nil
	case status.Accept:
		return h.Answer(r.Build, rollout.Accepted)
	case status.Decline:
		return h.Answer(r.Build, rollout.Declined)
	case status.Later:
		return h.Postpone(r.For.Duration)
	case status.Now:
		return h.GetItNow(r.PastPace, r.PayForData)
	case status.Retry:
		return h.Retry(r.Build)
	case status.Consent:
		if *r.On {
			return h.OptIn(ctx)
		}
		return h.OptOut(ctx)
	default:
		return fmt.Errorf("%w: %q is for an agent that runs", status.ErrRequest, r.Do)
	}
}

// Run polls for ever, and tells said the outcome of each poll. Errors are told
// too: they are tried again. A process that is started again keeps to the waits
// that the one before it was told of. It ends, with nil, when the system goes
// down to restart.
func (h *Handset) Run(ctx context.Context, said func(agent.Status, error)) error {
	heard, stop, err := h.listen(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if next, failed := h.agent.NextTry(); failed {
		if err := h.rest(ctx, max(next.At.Sub(h.wall()), next.Busy.Sub(h.wall())), heard); err != nil {
			return err
		}
	}
	for {
		began := time.Now()
		s, err := h.Once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h.toldOf(err == nil)
		said(s, err)
		if h.down {
			return nil
		}
		if err := h.rest(ctx, h.wait(), heard); err != nil {
			return err
		}
		if err := sleep(ctx, leastGap-time.Since(began)); err != nil {
			return err
		}
	}
}

// rest waits for a time, until the owner has said something by which decisions
// may come out differently, or until a wake-up is due: heard says where the
// server stands, nil says nothing.
func (h *Handset) rest(ctx context.Context, d time.Duration, heard <-chan uint64) error {
	end := time.Now().Add(d)
	for {
		left := h.untilWoken(time.Until(end))
		if left <= 0 {
			return nil
		}
		again, err := h.nap(ctx, left, heard)
		if !again || err != nil {
			return err
		}
	}
}

// nap is one wait of rest; again if it was cut short for nothing.
func (h *Handset) nap(ctx context.Context, d time.Duration, heard <-chan uint64) (again bool, err error) {
	h.next = h.wall().Add(d)
	defer func() { h.next = time.Time{} }()
	h.refresh()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-timer.C:
		return false, nil
	case <-h.desk.wake:
		return !h.carryOut(ctx), nil
	case version := <-heard:
		counter, spread := h.agent.Rollouts(watch.DefaultSpread)
		h.waker.alarm.Hear(version, counter, spread, time.Now())
		return true, nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// wait is the time to the next poll, to the next report that is due, to the next
// try of what failed, or into the window for which a restart waits: into its
// first half, at random, so that not all handsets restart at its first minute. A
// server that asked to be left alone is.
func (h *Handset) wait() time.Duration {
	d := h.Config.Poll.Next(rand.Int64N)
	if in, length := h.agent.WindowOpens(); length > 0 {
		d = min(d, in+rand.N(length/2+1))
	}
	if in, waits := h.agent.AttemptWaitEnds(); waits {
		d = min(d, max(in, time.Second))
	}
	if next := h.outbox.Next(); !next.IsZero() {
		d = min(d, max(next.Sub(h.now()), time.Second))
	}
	if next, failed := h.agent.NextTry(); failed {
		d = max(min(d, next.At.Sub(h.wall())), next.Busy.Sub(h.wall()), time.Second)
	}
	return d
}

// wall is the handset's clock, or the machine's where that was never set.
func (h *Handset) wall() time.Time {
	if now, set := h.device.Now(); set {
		return now
	}
	return time.Now()
}

// Report tells what runs and why nothing else happens.
func (h *Handset) Report() (status.Report, error) {
	slot, err := h.slots.Booted()
	if err != nil {
		return status.Report{}, err
	}
	m, err := h.slots.Metadata(slot)
	if err != nil {
		return status.Report{}, err
	}
	return status.Report{
		Product: h.Config.Product, Build: m.Build, Version: m.Version, Slot: slot, Status: h.agent.Status(), Next: h.nextLook(),
		Running: h.desk.isServed(), Head: h.agent.Head(), Warnings: slices.Clone(h.agent.Warnings()),
		Reporting: h.outbox.Enabled(), Lab: h.inLab(), Waiting: !h.outbox.Next().IsZero(), Downloaded: h.agent.Downloaded(),
	}, nil
}

// nextLook tells when the agent looks again, and why; nil: nothing is known.
func (h *Handset) nextLook() *status.Next {
	var out status.Next
	next, failed := h.agent.NextTry()
	if failed {
		out.Why, out.At = next.Why, new(manifests.At(next.At))
	}
	if !h.next.IsZero() {
		out.At = new(manifests.At(h.next))
		if _, woken := h.waker.alarm.In(time.Now()); woken && !failed {
			out.Why = "The server said that there is news; handsets do not come all at once."
		}
	}
	if out == (status.Next{}) {
		return nil
	}
	return &out
}
