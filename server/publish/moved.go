package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// Behind tells how many trees others have published that readers here do not
// see yet.
func (p *Publisher) Behind(ctx context.Context) (int64, error) {
	h, err := p.ledger.Head(ctx, treeHead)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("newest tree: %w", err)
	}
	var here int64
	if t := p.Tree(); t != nil {
		here = t.Head
	}
	return max(h.Version-here, 0), nil
}

// show makes a generation the one that readers see, and then has Options.Moved
// told. Every way to a newer tree, our own or another process's, ends here; the
// way to an older one too, and it ends without effect.
func (p *Publisher) show(g *generation) {
	if p.shown != nil && g.number <= p.shown.number {
		return
	}
	t := newTree(g, issuedOf(g.Timestamp), p.tree.Load())
	t.Counters = counters(g, p.log)
	p.shown = g
	p.tree.Store(t)
	if p.moved != nil {
		p.moved(t)
	}
}

// counters gives the counter of each product's rollouts document: it rises
// with each change of its rollouts, and with nothing else.
func counters(g *generation, log *slog.Logger) map[manifests.Product]uint64 {
	out := make(map[manifests.Product]uint64, len(g.Rollouts))
	for product, hash := range g.Rollouts {
		var doc struct {
			Counter uint64 `json:"counter"`
		}
		if err := json.Unmarshal(g.bodies[layout.TargetFile(layout.RolloutsPath(product), hash)], &doc); err != nil {
			log.Error("nobody is woken for a document that cannot be read", "product", product, "error", err)
			continue
		}
		out[product] = doc.Counter
	}
	return out
}
