package handset

import (
	"context"
	"errors"
	"fmt"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/bundle"
	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/client/trust"
)

// Look verifies a bundle and says what Install would install, or why not.
func (h *Handset) Look(ctx context.Context, b *bundle.File) (*status.Preview, error) {
	o, err := h.offline(b)
	if err != nil {
		return nil, err
	}
	p, err := h.agent.Look(ctx, o)
	if err != nil {
		return nil, err
	}
	return &status.Preview{Running: p.Running, Label: p.Label, Release: p.Release, Hold: p.Decision.Hold}, nil
}

// Install installs from a bundle that the owner chose, restarts included. On a
// board it ends with the restart, and the agent that runs after power-on does
// the rest.
func (h *Handset) Install(ctx context.Context, b *bundle.File) (agent.Status, error) {
	return h.follow(ctx, func() (agent.Status, error) { return h.stepOffline(ctx, b) })
}

func (h *Handset) stepOffline(ctx context.Context, b *bundle.File) (agent.Status, error) {
	o, err := h.offline(b)
	if err != nil {
		return agent.Status{}, err
	}
	return h.agent.StepOffline(ctx, o)
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

// chosen is a bundle that the owner asked a running agent to install. It takes
// the place of the network until it is done, fails or is held; then its owner
// is answered, and the agent looks to the network again.
type chosen struct {
	*bundle.File
	by    *request
	tried bool
}

// step is a step by the bundle that was chosen, or by the network.
func (h *Handset) step(ctx context.Context) (agent.Status, error) {
	if h.chosen == nil {
		return h.agent.Step(ctx)
	}
	h.chosen.tried = true
	return h.stepOffline(ctx, h.chosen.File)
}

// choose opens the bundle of a request. Its build must be the one that the
// owner was shown: the file may have been replaced since.
func (h *Handset) choose(q *request) error {
	if h.chosen != nil {
		return fmt.Errorf("build %d is being installed from a bundle; ask again when it is done", h.chosen.Build)
	}
	b, err := bundle.Open(q.Bundle)
	if err != nil {
		return err
	}
	if b.Build != q.Build {
		return errors.Join(fmt.Errorf("%s holds build %d now, not build %d; look at it again", q.Bundle, b.Build, q.Build), b.Close())
	}
	h.chosen = &chosen{File: b, by: q}
	return nil
}

// answer tells the owner what became of the bundle, if there was one.
func (h *Handset) answer(err error) error {
	if h.chosen == nil {
		return nil
	}
	c := h.chosen
	h.chosen = nil
	h.refresh()
	c.by.done <- answer{err: err}
	return c.Close()
}

// lookAt is Look at a file.
func (h *Handset) lookAt(ctx context.Context, path string) (*status.Preview, error) {
	b, err := bundle.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := h.Look(ctx, b)
	return p, errors.Join(err, b.Close())
}
