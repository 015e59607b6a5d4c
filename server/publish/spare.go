package publish

import (
	"context"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
)

// Spare gives the releases whose votes the engineers have moved to spare keys,
// as published now; none before there is a tree.
func (p *Publisher) Spare(ctx context.Context) (map[vote.Ref]bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.fresh(ctx)
	if err != nil {
		return nil, err
	}
	return g.spare()
}

// spare gives the releases whose votes the engineers have moved to spare keys.
func (g *generation) spare() (map[vote.Ref]bool, error) {
	out := map[vote.Ref]bool{}
	for _, p := range g.products() {
		role := layout.ReleasesRole(p)
		m, err := metadata.Targets().FromBytes(g.role(role))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
		builds, err := layout.SpareVotes(m.Signed.UnrecognizedFields)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
		for _, b := range builds {
			out[vote.Ref{Product: p, Build: b}] = true
		}
	}
	return out, nil
}
