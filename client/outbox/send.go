package outbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/vote"
)

// Send sends what is due: withdrawals, the enrolment, requests for tokens and
// votes, or in lab mode reports by name. With reporting off and no withdrawal waiting it makes no request.
// What fails waits for its next time; the errors say what did, and none of them
// keeps an update from going on.
func (o *Outbox) Send(ctx context.Context) error {
	err := o.withdraw(ctx)
	c := o.identity.Consent
	if c == nil || c.Refused != "" {
		return err
	}
	if !c.Enrolled && o.due(c.Wait.Until) {
		err = errors.Join(err, o.Enrol(ctx))
	}
	if c.Enrolled && o.identity.ByName {
		return errors.Join(err, o.sendNamed(ctx))
	}
	if !c.Enrolled || !o.due(o.queue.Pause.Until) {
		return err
	}
	return errors.Join(err, o.flush(ctx))
}

// flush asks for the tokens and casts the votes that are due. A failure that is
// about the service ends it.
func (o *Outbox) flush(ctx context.Context) error {
	var failures error
	for i := range o.queue.Entries {
		e := &o.queue.Entries[i]
		if !o.identity.Consent.Enrolled || e.State != waiting || e.Token != nil || !o.due(e.AskAt) {
			continue
		}
		if err := o.ask(ctx, e); err != nil {
			failures = errors.Join(failures, err)
			if ctx.Err() != nil || aboutService(err) && !errors.Is(err, errAnswer) {
				return errors.Join(failures, o.pause(err))
			}
		}
	}
	for e := o.nextCast(); e != nil; e = o.nextCast() {
		if err := o.cast(ctx, e); err != nil {
			failures = errors.Join(failures, err)
			if ctx.Err() != nil || aboutService(err) {
				return errors.Join(failures, o.pause(err))
			}
		}
	}
	return failures
}

// pause leaves the service alone for a while, and votes that would be due at
// its end set off at random moments after it.
func (o *Outbox) pause(err error) error {
	o.queue.Pause = o.backoff(o.queue.Pause, err)
	for i := range o.queue.Entries {
		if e := &o.queue.Entries[i]; e.pending() && e.CastAt < o.queue.Pause.Until {
			e.CastAt = o.queue.Pause.Until + o.after(e.within()) - o.now().UnixMilli()
		}
	}
	return o.saveQueue()
}

// errAnswer marks an answer that proves nothing: of a server that does not hold
// the key, or of somebody else. The request stays, and is made again later.
var errAnswer = errors.New("the answer to the request for a token is not to be used")

// ask gets the token of an entry.
func (o *Outbox) ask(ctx context.Context, e *entry) error {
	if e.Pending == nil {
		p, err := vote.NewPending(o.options.Random)
		if err != nil {
			return fmt.Errorf("token for %s: %w", e, err)
		}
		if err := o.note(receipts.Entry{Kind: receipts.TokenAsked, Build: e.Build, Why: "Class: " + string(e.Class) + ", " + string(e.set()) + " keys."}); err != nil {
			return fmt.Errorf("token for %s: %w", e, err)
		}
		e.Pending = &p
		// Before the first request: without it a power cut would leave the
		// service with an element whose nonce nobody knows.
		if err := o.saveQueue(); err != nil {
			e.Pending = nil
			return err
		}
	}
	token, err := o.issue(ctx, e)
	switch reason, isFinal := e.verdict(err); {
	case err == nil:
		e.Token, e.Pending, e.Failures = &token, nil, 0
		o.queue.Pause = wait{}
		if e.Vote != nil && o.due(e.CastAt) {
			e.CastAt = o.after(e.within()) // not at the moment of asking
		}
	case isFinal:
		o.giveUp(e, reason)
	case aboutService(err) && !errors.Is(err, errAnswer): // pause does the waiting
	default:
		if hasCode(err, codeNotEnrolled) {
			o.identity.Consent.Enrolled = false
			err = errors.Join(err, o.saveIdentity())
		}
		w := o.backoff(wait{Failures: e.Failures}, err)
		e.Failures, e.AskAt = w.Failures, w.Until
	}
	if err != nil {
		err = fmt.Errorf("token for %s: %w", e, err)
	}
	return errors.Join(err, o.saveQueue())
}

func (o *Outbox) issue(ctx context.Context, e *entry) (vote.Token, error) {
	blinded, err := e.Pending.Blinded()
	if err != nil {
		return vote.Token{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	c := o.identity.Consent
	r := vote.IssueRequest{
		Product: e.Product, Build: e.Build, Class: e.Class, Set: e.set(), Blinded: blinded,
		DeviceKey: c.deviceKey(), Credential: c.Credential,
	}
	r.Sign(c.device(), c.credential())
	body, err := o.known.send(ctx, "v1/tokens", &r, http.StatusOK)
	if err != nil {
		return vote.Token{}, err
	}
	answer, err := vote.ParseIssued(body)
	if err != nil {
		return vote.Token{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	token, err := e.Pending.Finish(e.Key, *answer)
	if err != nil {
		return vote.Token{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return token, nil
}

// nextCast picks the vote that has been due for longest and may leave.
func (o *Outbox) nextCast() *entry {
	var next *entry
	for i := range o.queue.Entries {
		e := &o.queue.Entries[i]
		if !e.pending() || e.Token == nil || !o.due(e.CastAt) || !o.allowed(e) {
			continue
		}
		if next == nil || e.CastAt < next.CastAt {
			next = e
		}
	}
	return next
}

// allowed keeps a trial back until its attempt was counted (AMENDMENTS H6).
func (o *Outbox) allowed(e *entry) bool {
	if e.Class != vote.Trial {
		return true
	}
	attempt := o.queue.find(e.ref(), vote.Attempt)
	return attempt == nil || attempt.Vote == nil || attempt.State == counted
}

// cast sends one vote. Afterwards every other vote that is due is set apart
// from it by a random delay.
func (o *Outbox) cast(ctx context.Context, e *entry) error {
	r, err := e.Token.Cast(e.ref(), e.Class, e.set(), *e.Vote)
	if err != nil {
		o.giveUp(e, err.Error())
		return errors.Join(fmt.Errorf("vote %s: %w", e, err), o.saveQueue())
	}
	if err := o.noteVote(&r); err != nil {
		return fmt.Errorf("vote %s: %w", e, err)
	}
	sent := Sent{Product: e.Product, Build: e.Build, Class: e.Class, Vote: *e.Vote}
	if err := o.record(sent); err != nil {
		return err
	}
	_, err = o.unknown.send(ctx, "v1/votes", &r, http.StatusNoContent)
	switch reason, isFinal := e.verdict(err); {
	case err == nil:
		o.queue.Pause = wait{}
		sent.Counted = true
		if err := o.record(sent); err != nil {
			return err
		}
		e.settle(counted, "")
	case isFinal:
		o.giveUp(e, reason)
	case aboutService(err): // pause does the waiting
	default:
		w := o.backoff(wait{Failures: e.Failures}, err)
		e.Failures, e.CastAt = w.Failures, w.Until
	}
	o.setApart()
	if err != nil {
		err = fmt.Errorf("vote %s: %w", e, err)
	}
	return errors.Join(err, o.saveQueue())
}

// attemptRefused begins the reason of a trial that its attempt took along.
const attemptRefused = "its attempt was refused: "

// giveUp ends an entry that will never be counted, be it for want of a token;
// with an attempt also its trial, which would hide one handset's silence.
func (o *Outbox) giveUp(e *entry, reason string) {
	e.settle(refused, reason)
	if e.Class != vote.Attempt {
		return
	}
	if trial := o.queue.find(e.ref(), vote.Trial); trial != nil && trial.State == waiting {
		trial.settle(refused, attemptRefused+reason)
	}
}

// setApart gives every vote that is due a new random moment. Those without a
// delay stay due.
func (o *Outbox) setApart() {
	for i := range o.queue.Entries {
		if e := &o.queue.Entries[i]; e.pending() && e.Within > 0 && o.due(e.CastAt) {
			e.CastAt = o.after(e.within())
		}
	}
}

// Next is when Send has something to do; the zero time when nothing waits.
func (o *Outbox) Next() time.Time {
	var times []time.Time
	for _, w := range o.identity.Withdrawals {
		times = append(times, o.moment(w.Wait.Until))
	}
	if c := o.identity.Consent; c != nil && c.Refused == "" {
		switch {
		case !c.Enrolled:
			times = append(times, o.moment(c.Wait.Until))
		case o.identity.ByName:
			times = append(times, o.namedTimes()...)
		default:
			times = append(times, o.queueTimes()...)
		}
	}
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

func (o *Outbox) queueTimes() []time.Time {
	var times []time.Time
	pause := o.moment(o.queue.Pause.Until)
	for i := range o.queue.Entries {
		e := &o.queue.Entries[i]
		var t time.Time
		switch {
		case e.State != waiting:
			continue
		case e.Token == nil:
			t = o.moment(e.AskAt)
		case e.Vote != nil && o.allowed(e):
			t = o.moment(e.CastAt)
		default:
			continue
		}
		if t.Before(pause) {
			t = pause
		}
		times = append(times, t)
	}
	return times
}
