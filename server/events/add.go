package events

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// tries is how often words are checked anew because somebody else's arrived in
// between: more than there are people in an event.
const tries = 2 * event.MaxSignatures

// Add keeps what was said, after verifying it together with what is here. Words
// that are here already change nothing, so it can be repeated.
func (s *Service) Add(ctx context.Context, by Person, id string, said []event.Said) (Event, error) {
	var v Event
	var err error
	for range tries {
		if v, err = s.Get(ctx, id); err != nil {
			return v, err
		}
		if err = s.addOnce(ctx, by, &v, unheard(v.Said, said)); !errors.Is(err, store.ErrStale) {
			break
		}
	}
	if err != nil {
		return v, err
	}
	v, err = s.Get(ctx, id)
	if err != nil || v.State != Rejected || v.Event.State != store.EventOpen {
		return v, err
	}
	if err := s.end(ctx, by, &v, store.EventRejected, ""); err != nil {
		return v, err
	}
	return s.Get(ctx, id)
}

func (s *Service) addOnce(ctx context.Context, by Person, v *Event, fresh []event.Said) error {
	if len(fresh) == 0 {
		return nil
	}
	if v.State != Open && v.State != Complete {
		return closed(v)
	}
	p, err := proposalOf(*v)
	if err != nil {
		return err
	}
	if err := p.CheckTimes(s.Now()); err != nil {
		return &release.Refusal{Field: "proposal", Reason: err.Error()}
	}
	if _, err := p.With(fresh...); err != nil {
		return err
	}
	words, err := s.words(by, fresh)
	if err != nil {
		return err
	}
	what := "event.sign"
	if !slices.ContainsFunc(fresh, func(w event.Said) bool { return w.Statement != nil }) {
		what = "event.reject"
	}
	e := s.entry(by.Name, what, &v.Event, holders(fresh))
	e.Why = reasons(fresh)
	_, err = s.Ledger.AddWords(ctx, v.ID, v.Version, words, e)
	if errors.Is(err, store.ErrFull) {
		return refuse(api.CodeTooLarge, "more is said about this proposal than is kept")
	}
	return err
}

// unheard is what of said is not in have. The first word of a key counts.
func unheard(have, said []event.Said) []event.Said {
	var out []event.Said
	for _, s := range said {
		for _, h := range have {
			if h.KeyID != s.KeyID {
				continue
			}
			if h.Statement != nil || h.Signatures != nil {
				s.Statement, s.Signatures = nil, nil
			}
			if h.Rejection != nil {
				s.Rejection = nil
			}
		}
		if s.Statement != nil || s.Signatures != nil || s.Rejection != nil {
			out = append(out, s)
		}
	}
	return out
}

func reasons(said []event.Said) string {
	var out []string
	for _, s := range said {
		if s.Rejection != nil {
			out = append(out, s.Rejection.Reason)
		}
	}
	return strings.Join(out, "; ")
}

// Remark keeps what a person of the server says, without a key. One that
// rejects ends the event if the person opened it, or is an admin.
func (s *Service) Remark(ctx context.Context, by Person, id, text string, reject bool) (Event, error) {
	v, err := s.Get(ctx, id)
	if err != nil {
		return v, err
	}
	if err := event.CheckReason(text); err != nil {
		return v, refuse(api.CodeReasonNeeded, "%v", err)
	}
	ends := reject && (by.ID == v.Owner || by.Admin)
	if ends && v.State != Open && v.State != Complete && v.State != Rejected {
		return v, closed(&v)
	}
	e := s.entry(by.Name, "event.remark", &v.Event, nil)
	e.Why = text
	err = s.Ledger.AddRemark(ctx, id, store.EventRemark{At: s.Now(), By: by.Name, Person: by.ID, Reject: reject, Text: text}, e)
	if errors.Is(err, store.ErrFull) {
		return v, refuse(api.CodeTooLarge, "more is said about this proposal than is kept")
	}
	if err == nil && ends {
		err = s.end(ctx, by, &v, store.EventRejected, text)
	}
	if err != nil {
		return v, err
	}
	return s.Get(ctx, id)
}

// end records that an event has come to its end.
func (s *Service) end(ctx context.Context, by Person, v *Event, to store.EventState, why string) error {
	e := s.entry(by.Name, "event."+string(to), &v.Event, nil)
	e.Why = why
	err := s.Ledger.MoveEvent(ctx, v.ID, 0, to, e)
	if errors.Is(err, store.ErrStale) {
		return nil // it ended otherwise in this moment, and says how
	}
	return err
}

// Publish hands a complete event to the intake. Again is fine: one that is
// published stays so. version is that of the event that was looked at; 0 is any.
func (s *Service) Publish(ctx context.Context, by Person, id string, version int64, permit func(manifests.Product) error) (Event, release.Result, error) {
	v, err := s.Get(ctx, id)
	if err != nil {
		return v, release.Result{}, err
	}
	if version != 0 && version != v.Version {
		return v, release.Result{}, refuse(api.CodeStale, "somebody signed or said something since you looked; it is version %d now", v.Version)
	}
	switch v.State {
	case Open:
		return v, release.Result{}, refuse(api.CodeEventIncomplete, "%s", missing(&v))
	case Complete, Published:
	default:
		return v, release.Result{}, closed(&v)
	}
	done, err := s.publish(ctx, by, &v, permit)
	if err != nil {
		return v, done, err
	}
	if err := s.Settle(ctx); err != nil { // the others, which this one superseded, say so anyway
		s.Log.Warn("events that this one superseded are not recorded as such yet", "error", err)
	}
	v, err = s.Get(ctx, id)
	return v, done, err
}

// publish takes the steps that are left: none of them is taken twice.
func (s *Service) publish(ctx context.Context, by Person, v *Event, permit func(manifests.Product) error) (release.Result, error) {
	p, err := proposalOf(*v)
	if err != nil {
		return release.Result{}, err
	}
	files, err := p.Files()
	if err != nil {
		return release.Result{}, err
	}
	done := release.Result{Accepted: append(slices.Sorted(maps.Keys(files.Metadata)), slices.Sorted(maps.Keys(files.Targets))...)}
	if v.State == Complete {
		given := publish.Submission{Metadata: files.Metadata, Targets: files.Targets}
		done, err = s.Intake.Submit(ctx, by.Name, given, permit)
	} else {
		// Whoever published it may have died before it was recorded.
		err = s.Intake.Reconcile(context.WithoutCancel(ctx), by.Name)
	}
	if err != nil {
		return done, err
	}
	if v.Event.State == store.EventOpen {
		err = s.end(ctx, by, v, store.EventPublished, "")
	}
	return done, err
}

// missing says whose signatures are waited for.
func missing(v *Event) string {
	var parts []string
	for _, t := range v.Tables.Progress(v.Said) {
		if t.Met() {
			continue
		}
		var names []string
		for _, who := range t.Waiting {
			names = append(names, nameOf(who))
		}
		parts = append(parts, t.Role+" waits for more signatures, of "+strings.Join(names, " or "))
	}
	return strings.Join(slices.Compact(parts), "; ")
}

// nameOf is the person, or the key where nobody is named.
func nameOf(p release.Person) string {
	if p.Holder == "" {
		return "key " + p.KeyID[:min(12, len(p.KeyID))]
	}
	return p.Holder
}
