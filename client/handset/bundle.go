package handset

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/bundle"
	"github.com/candor-ota/candor/client/trust"
)

// Look verifies a bundle and says what Install would install, or why not.
func (h *Handset) Look(ctx context.Context, b *bundle.File) (agent.Preview, error) {
	o, err := h.offline(b)
	if err != nil {
		return agent.Preview{}, err
	}
	return h.agent.Look(ctx, o)
}

// Install installs from a bundle that the owner chose, restarts included. On a
// board it ends with the restart (down), and the agent that runs after power-on
// does the rest.
func (h *Handset) Install(ctx context.Context, b *bundle.File) (status agent.Status, down bool, err error) {
	status, err = h.follow(ctx, func() (agent.Status, error) {
		o, err := h.offline(b)
		if err != nil {
			return agent.Status{}, err
		}
		return h.agent.StepOffline(ctx, o)
	})
	return status, h.down, err
}

// offline has the bundle stand in for the network. What its header claims is
// only compared here, for a clear word: the engineers' role proves it.
func (h *Handset) offline(b *bundle.File) (agent.Offline, error) {
	if b.Product != h.Config.Product {
		return agent.Offline{}, fmt.Errorf("the bundle is for %s, this handset is a %s", b.Product, h.Config.Product)
	}
	view := func(ctx context.Context) (*trust.View, error) { return h.trust.Offline(ctx, b, b.Build) }
	return agent.Offline{Build: b.Build, View: view, Blobs: b}, nil
}
