package publish

import (
	"context"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// named is what the engineers of a product sign, read from one file once: each
// look at a rollout asks for its release.
type named struct {
	role     []byte
	releases map[manifests.Build]rollout.Reference
}

// Document gives the release document that the engineers of a product sign for
// a build; false if they sign none. Where there are other processes it is as
// new as State. Its bytes must not be changed.
func (p *Publisher) Document(ctx context.Context, product manifests.Product, build manifests.Build) (rollout.Reference, []byte, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.fresh(ctx)
	if err != nil {
		return rollout.Reference{}, nil, false, err
	}
	role := g.role(layout.ReleasesRole(product))
	if role == nil {
		return rollout.Reference{}, nil, false, nil
	}
	have, ok := p.named[product]
	if !ok || !sameBytes(have.role, role) {
		have = named{role: role}
		if have.releases, err = g.releases(product); err != nil {
			return rollout.Reference{}, nil, false, err
		}
		if p.named == nil {
			p.named = map[manifests.Product]named{}
		}
		p.named[product] = have
	}
	r, ok := have.releases[build]
	if !ok {
		return r, nil, false, nil
	}
	body := g.bodies[layout.TargetFile(r.Path, r.SHA256)]
	return r, body, body != nil, nil
}
