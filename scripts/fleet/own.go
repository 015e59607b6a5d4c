package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
)

// What the server of a run offers, and to whom; handsets of the world are of
// this model and region.
const (
	ownProduct manifests.Product = "phone"
	ownBuild   manifests.Build   = 42
)

// ownServer brings up a server with the real programs, a product and a release
// that is open to the whole fleet, and has the options point to it. End takes
// everything away.
func (o *loadOptions) ownServer(ctx context.Context) (end func() error, err error) {
	dir, err := os.MkdirTemp("", "candor-load-world-")
	if err != nil {
		return nil, err
	}
	w, err := world.New(ctx, dir)
	end = func() error {
		var err error
		if w != nil {
			err = w.Close()
		}
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err == nil {
		err = o.furnish(ctx, w)
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// furnish makes what handsets need in an empty world.
func (o *loadOptions) furnish(ctx context.Context, w *world.World) error {
	if err := w.Ceremony(ctx, ownProduct); err != nil {
		return err
	}
	image := w.Path("system.img")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	if err := w.ReleaseForAll(ctx, ownProduct, ownBuild, image); err != nil {
		return err
	}
	made, err := w.Exec(ctx, "server", "batch", "new", "load", "--daily-cap", "10000000", "--data", w.Path("data"), "--json")
	if err != nil {
		return err
	}
	var batch struct{ CA string }
	if err := json.Unmarshal(made, &batch); err != nil {
		return err
	}
	if o.Batch, err = readBatch(batch.CA); err != nil {
		return err
	}
	o.Servers, o.Token, o.Product, o.Running = []string{w.Server}, w.Token, ownProduct, ownBuild-1
	o.Model, o.Region, o.Channel = "redmi-1s", "cn", "stable"
	o.CPU = func() (float64, error) { return figure.CPUSeconds(w.ServerID()) }
	o.Root, err = os.ReadFile(w.Path("1.root.json"))
	return err
}
