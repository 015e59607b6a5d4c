package events

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// Open keeps a proposal for others to sign, with what is said in it already. One
// that lies here is not opened again, but takes what is new. permit may refuse
// what the proposal is about.
func (s *Service) Open(ctx context.Context, by Person, data []byte, permit func(*release.Proposal) error) (v Event, opened bool, err error) {
	p, err := release.ReadProposal(data)
	if err != nil {
		return v, false, err
	}
	if err := permit(p); err != nil {
		return v, false, err
	}
	_, err = s.Ledger.Event(ctx, p.Hash)
	if errors.Is(err, store.ErrNotFound) {
		err = s.open(ctx, by, p)
		opened = err == nil
	}
	if err == nil && !opened || errors.Is(err, store.ErrExists) {
		v, err = s.Add(ctx, by, p.Hash, p.Said())
		return v, false, err
	}
	if err != nil {
		return v, false, err
	}
	v, err = s.Get(ctx, p.Hash)
	return v, opened, err
}

func (s *Service) open(ctx context.Context, by Person, p *release.Proposal) error {
	if err := p.CheckTimes(s.Now()); err != nil {
		return &release.Refusal{Field: "proposal", Reason: err.Error()}
	}
	if err := s.judge(ctx, p); err != nil {
		return err
	}
	expires, err := p.Expires()
	if err != nil {
		return err
	}
	known, err := json.Marshal(facts{p.Tables, p.Base, p.After})
	if err != nil {
		return err
	}
	v := store.Event{
		ID: p.Hash, Kind: string(p.Kind), Product: p.Product, Build: p.Build, State: store.EventOpen, Facts: known,
		Expires: expires, Opened: s.Now(), OpenedBy: by.Name, Owner: by.ID, Changed: s.Now(),
	}
	if v.Body, err = p.Bare().Marshal(); err != nil {
		return err
	}
	said := p.Said()
	if v.Words, err = s.words(by, said); err != nil {
		return err
	}
	e := s.entry(by.Name, "event.open", &v, holders(said))
	_, err = s.Ledger.AddEvent(ctx, v, e)
	if errors.Is(err, store.ErrFull) {
		// Some of the open ones may have come to their end since.
		if err = s.Settle(ctx); err == nil {
			_, err = s.Ledger.AddEvent(ctx, v, e)
		}
	}
	if errors.Is(err, store.ErrFull) {
		return refuse(api.CodeBusy, "%d events are open; have some of them published or rejected", store.MaxOpenEvents)
	}
	return err
}

// judge holds a proposal against what is published.
func (s *Service) judge(ctx context.Context, p *release.Proposal) error {
	published, err := s.Intake.Published(ctx)
	if err != nil {
		return err
	}
	if holds, err := published.Holds(p.After); err != nil || holds {
		if holds {
			err = refuse(api.CodeEventClosed, "%s", Published.Sentence())
		}
		return err
	}
	if !published.SameRoot(p) {
		return &release.Refusal{Field: "proposal", Reason: "belongs to another root than the one that this server publishes; it is another system's"}
	}
	fits, err := published.Fits(p.Base)
	if err == nil && !fits {
		err = refuse(api.CodeEventSuperseded, "%s", Superseded.Sentence())
	}
	return err
}

// words is what is said, as the ledger keeps it.
func (s *Service) words(by Person, all []event.Said) ([]store.EventWord, error) {
	var out []store.EventWord
	for _, said := range all {
		for _, one := range []event.Said{
			{KeyID: said.KeyID, Statement: said.Statement, Signatures: said.Signatures}, {KeyID: said.KeyID, Rejection: said.Rejection},
		} {
			if one.Statement == nil && one.Signatures == nil && one.Rejection == nil {
				continue
			}
			data, err := json.Marshal(one)
			if err != nil {
				return nil, err
			}
			out = append(out, store.EventWord{KeyID: one.KeyID, Reject: one.Rejection != nil, Said: data, At: s.Now(), By: by.Name})
		}
	}
	return out, nil
}

// holders names the people behind what is said.
func holders(all []event.Said) []string {
	var out []string
	for _, s := range all {
		switch {
		case s.Statement != nil:
			out = append(out, s.Statement.Holder)
		case s.Rejection != nil:
			out = append(out, s.Rejection.Holder)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
