package publish

import (
	"context"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Proof gives the published files, by path, that show what the tree says about
// one build now: every root, the roles on the way, the rollouts document, and
// the release document unless the build is withdrawn.
func (p *Publisher) Proof(ctx context.Context, product manifests.Product, build manifests.Build) (map[string][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if g.number == 0 {
		return nil, ErrNotConfigured
	}
	return g.proof(product, build)
}

// proof gives the same of one generation.
func (g *generation) proof(product manifests.Product, build manifests.Build) (map[string][]byte, error) {
	paths := []string{}
	for v := int64(1); v <= g.Roots; v++ {
		paths = append(paths, layout.MetadataFile("root", v))
	}
	for _, role := range []string{"targets", "snapshot", layout.RolloutsRole, layout.ReleasesRole(product)} {
		paths = append(paths, layout.MetadataFile(role, g.Versions[role]))
	}
	if hash, ok := g.Rollouts[product]; ok {
		paths = append(paths, layout.TargetFile(layout.RolloutsPath(product), hash))
	}
	refs, err := g.releases(product)
	if err != nil {
		return nil, err
	}
	if r, ok := refs[build]; ok {
		paths = append(paths, layout.TargetFile(r.Path, r.SHA256))
	}
	out := map[string][]byte{layout.TimestampFile: g.Timestamp}
	for _, path := range paths {
		if body, ok := g.bodies[path]; ok {
			out[path] = body
		}
	}
	return out, nil
}
