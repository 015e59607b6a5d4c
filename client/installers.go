package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/candor-ota/candor/client/bundle"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/manifests"
)

// here installs in this process, which holds the lock.
type here struct {
	*handset.Handset
	bundle *bundle.File
	bar    *bar
}

func (h *here) build() manifests.Build { return h.bundle.Build }

func (h *here) look(ctx context.Context) (status.Preview, error) {
	p, err := h.Look(ctx, h.bundle)
	if err != nil {
		return status.Preview{}, err
	}
	return *p, nil
}

func (h *here) install(ctx context.Context) (status.Report, error) {
	unfollow := h.bar.follow(h.Handset)
	_, err := h.Install(ctx, h.bundle)
	unfollow()
	if err != nil {
		return status.Report{}, err
	}
	return h.Report()
}

// there has the agent install that runs: it opens the file itself.
type there struct {
	socket, path string
	of           manifests.Build
	bar          *bar
	log          *slog.Logger
}

func (t *there) build() manifests.Build { return t.of }

func (t *there) look(ctx context.Context) (p status.Preview, err error) {
	err = t.talk(ctx, func(c *status.Conn) error {
		p, err = c.Look(ctx, t.path)
		return err
	})
	return p, err
}

// install waits for the agent on one connection and draws what another tells.
func (t *there) install(ctx context.Context) (r status.Report, err error) {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() {
		watched <- t.talk(watching, func(c *status.Conn) error {
			return c.Watch(watching, func(e status.Event) error { t.bar.show(e); return nil })
		})
	}()
	err = t.talk(ctx, func(c *status.Conn) error {
		r, err = c.Ask(ctx, status.Request{Do: status.Install, Bundle: t.path, Build: t.of})
		return err
	})
	stop()
	t.log.Debug("the progress is no longer shown", "reason", <-watched)
	t.bar.clear()
	if errors.Is(err, status.ErrEnded) {
		err = fmt.Errorf("the agent ended before it said what became of build %d; ask `status`", t.of)
	}
	return r, err
}

func (t *there) talk(ctx context.Context, do func(*status.Conn) error) error {
	c, err := status.Dial(ctx, t.socket)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}
