package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// maxAttention is how many things are told that need a person: whoever has more
// to do begins at the top.
const maxAttention = 200

// severities, the most urgent first.
var severities = []contract.AttentionSeverity{contract.AttentionSeverityNow, contract.AttentionSeveritySoon, contract.AttentionSeverityNotice}

// attend gathers what needs a person: the most urgent first, then what the
// caller may do, then what ends first, then what has waited longest.
func (a *API) attend(ctx context.Context, v *view) error {
	for i := range v.rollouts {
		for _, one := range v.about(&v.rollouts[i]) {
			v.add(one)
		}
	}
	a.trouble(v)
	v.expiring()
	if err := a.drafted(ctx, v); err != nil {
		return err
	}
	if err := a.signing(ctx, v); err != nil {
		return err
	}
	list := v.out.Attention
	slices.SortStableFunc(list, func(a, b contract.Attention) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			cmp.Compare(rank(a.Mine), rank(b.Mine)), compareEnds(a.Until, b.Until), a.Since.Compare(b.Since))
	})
	v.out.Attention = list[:min(len(list), maxAttention)]
	return nil
}

func rank(mine *bool) int {
	if mine != nil && *mine {
		return 0
	}
	return 1
}

// compareEnds puts what ends first first, and what never ends last.
func compareEnds(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

func (v *view) add(one contract.Attention) { v.out.Attention = append(v.out.Attention, one) }

// may tells whether the caller may do something about a product.
func (v *view) may(need auth.Permission, product manifests.Product) *bool {
	yes := v.who.Check(need, product) == nil
	return &yes
}

// trouble is what keeps this server from its work.
func (a *API) trouble(v *view) {
	add := func(since time.Time, sentence string) {
		v.add(contract.Attention{
			Kind: contract.NeedsTrouble, Severity: contract.AttentionSeverityNow, Since: since, Sentence: sentence,
			Mine: v.may(auth.Administer, ""),
		})
	}
	now := v.out.At
	if t := a.Tree.FailingSince(); !t.IsZero() {
		add(t.UTC(), "Nothing can be published since "+manifests.At(t).String()+": a halt that is decided does not reach handsets. `candor-server doctor` says why.")
	}
	if t := a.Tree.Tree(); t != nil && !now.Before(t.Expires) {
		add(t.Expires.UTC(), "The timestamp expired at "+manifests.At(t.Expires).String()+": handsets take nothing new. `candor-server doctor` says why.")
	}
	if a.Peers != nil {
		if why := a.Peers.Trouble(); why != "" {
			add(now, "This server takes no changes: "+why+".")
		}
	}
}

// expiring is what has to be signed again soon.
func (v *view) expiring() {
	for i := range v.out.Roles {
		r := &v.out.Roles[i]
		one := contract.Attention{Kind: contract.NeedsExpiry, Role: &r.Role, Product: r.Product, Until: &r.Expires, Sentence: r.Role + ": " + r.Sentence}
		switch r.State {
		case contract.SigningRoleStateOk:
			continue
		case contract.SigningRoleStateSoon:
			one.Severity = contract.AttentionSeveritySoon
		default:
			one.Severity = contract.AttentionSeverityNow
		}
		one.Since = v.out.At.Truncate(24 * time.Hour) // it comes nearer by the day
		if r.By.Before(one.Since) {
			one.Since = r.By
		}
		v.add(one)
	}
}

// drafted are drafts that wait for the caller, who wrote them.
func (a *API) drafted(ctx context.Context, v *view) error {
	list, err := a.watched(ctx, v.who, []policy.State{rollout.Draft}, maxDrafts)
	for i := range list {
		r := &list[i]
		if r.Author.ID != v.who.Person() {
			continue
		}
		one := v.of(&looked{Rollout: r}, contract.NeedsDraft, contract.AttentionSeverityNotice, auth.Operate)
		one.Sentence = fmt.Sprintf("Your draft for %s is not proposed yet.", named(r))
		v.add(one)
	}
	return err
}

// signing are signing events that are not published yet.
func (a *API) signing(ctx context.Context, v *view) error {
	list, err := a.Events.List(ctx, store.EventQuery{Open: true, Limit: eventPage})
	for i := range list {
		e := &list[i]
		if e.State != events.Open && e.State != events.Complete || v.who.Check(auth.Read, e.Product) != nil {
			continue
		}
		one := contract.Attention{
			Kind: contract.NeedsEvent, Severity: contract.AttentionSeveritySoon, Since: e.Opened, Event: &e.ID,
			Mine: v.may(auth.Submit, e.Product), Sentence: fmt.Sprintf("Signing event %s of %s: %s.", e.Kind, cmp.Or(string(e.Product), "the root of trust"), e.State.Sentence()),
		}
		if e.Product != "" {
			product := string(e.Product)
			one.Product = &product
		}
		if !e.Expires.IsZero() {
			one.Until = &e.Expires
			if e.Expires.Sub(v.out.At) < 24*time.Hour {
				one.Severity = contract.AttentionSeverityNow
			}
		}
		v.add(one)
	}
	return err
}
