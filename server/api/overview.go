package api

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

// Bounds of an overview, which is read again and again: so many rollouts that
// run or wait are looked at, the newest of all products; so many of one product
// are told; and so many drafts are looked through for those of the caller.
const (
	maxWatched  = 200
	maxPerBrief = 20
	maxDrafts   = 100
)

// looked is a rollout and what the engine makes of it now, by the votes that
// may be shown.
type looked struct {
	*rollout.Rollout
	known rollout.Evidence
	d     rollout.Decision
}

// view is what an overview is made of, for one caller.
type view struct {
	who      auth.Identity
	out      contract.Overview
	rollouts []looked // that run or wait, the newest first
	complete map[manifests.Product]*rollout.Rollout
}

// overview tells what is rolling out, what needs a person, and what expires.
func (a *API) overview(c *gin.Context) {
	v := view{who: identity(c), complete: map[manifests.Product]*rollout.Rollout{}}
	v.out = contract.Overview{At: a.Now(), Products: []contract.ProductBrief{}, Attention: []contract.Attention{}}
	err := a.look(c.Request.Context(), &v)
	if err == nil {
		err = a.products(c.Request.Context(), &v)
	}
	if err == nil {
		v.out.Roles = a.signingRoles(v.who)
		err = a.attend(c.Request.Context(), &v)
	}
	a.reply(c, v.out, err)
}

// look looks at everything that runs or waits for people.
func (a *API) look(ctx context.Context, v *view) error {
	list, err := a.watched(ctx, v.who, append(unstarted[:len(unstarted):len(unstarted)], running...), maxWatched)
	if err != nil {
		return err
	}
	told := map[manifests.Product]int{}
	for i := range list {
		l := looked{Rollout: &list[i]}
		see := a.Rollouts.See
		if told[l.Plan.Product]++; l.State == policy.Halted && told[l.Plan.Product] > maxPerBrief {
			see = a.Rollouts.Glance // old ones, of which only their need for a person is told
		}
		if l.known, l.d, err = see(ctx, l.Rollout); err != nil {
			return err
		}
		v.rollouts = append(v.rollouts, l)
	}
	return nil
}

// products tells of each product that may be read.
func (a *API) products(ctx context.Context, v *view) error {
	list, err := a.Ledger.Products(ctx)
	if err != nil {
		return err
	}
	counts, err := a.Ledger.RolloutCounts(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if v.who.Check(auth.Read, p.Name) != nil {
			continue
		}
		one := contract.ProductBrief{
			Name: string(p.Name), Rollouts: []contract.RolloutBrief{},
			Halted: counts[p.Name][string(policy.Halted)], Drafts: counts[p.Name][string(rollout.Draft)],
		}
		if err := a.product(ctx, v, p.Name, &one); err != nil {
			return err
		}
		v.out.Products = append(v.out.Products, one)
	}
	return nil
}

func (a *API) product(ctx context.Context, v *view, name manifests.Product, one *contract.ProductBrief) error {
	for i := range v.rollouts {
		l := &v.rollouts[i]
		if l.Plan.Product != name || len(one.Rollouts) == maxPerBrief {
			continue
		}
		brief, err := a.briefOf(ctx, l)
		if err != nil {
			return err
		}
		one.Rollouts = append(one.Rollouts, brief)
	}
	done, err := a.Rollouts.Page(ctx, store.RolloutQuery{Products: []manifests.Product{name}, States: texts(policy.Complete), Limit: 1})
	if err != nil {
		return err
	}
	if len(done) > 0 {
		brief, err := a.brief(ctx, &done[0])
		if err != nil {
			return err
		}
		one.Complete, v.complete[name] = &brief, &done[0]
	}
	newest, err := a.Ledger.NewestReleases(ctx, name, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	doc, _, err := a.Intake.Live(ctx, newest[0].Ref())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	release := releaseOf(newest[0], doc)
	one.Newest = &release
	return nil
}
