package main

import (
	"context"
	"errors"
	"os"

	"github.com/candor-ota/candor/scripts/world"
)

const (
	product   = "xiaomi-optin"
	oldBuild  = 41
	newBuild  = 42
	factoryOS = "5.4.8"
	fixedOS   = "5.4.9"
)

// demo is the whole system while it runs.
type demo struct {
	options
	*world.World
	dir    string
	say    *voice
	cloud  *cloud
	config string // names the engines
	ends   []func() error
	images map[string]string
	size   int64
	fleet  []*phone
	stages []stageResult

	admin   string // the token of an admin, if people are to look
	rollout string // its id
	halt    *haltResult
}

// close ends what runs and removes everything.
func (d *demo) close() error {
	var err error
	if d.World != nil {
		err = d.Close()
	}
	if d.cloud != nil {
		err = errors.Join(err, d.cloud.server.Close())
	}
	for _, end := range d.ends {
		err = errors.Join(err, end())
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

func (d *demo) start(ctx context.Context) error {
	var err error
	if d.cloud, err = startCloud(); err != nil {
		return err
	}
	d.World, err = world.New(ctx, d.dir, "rollouts: {lookEvery: 1s}\n"+d.config)
	return err
}

func (d *demo) makeImages(ctx context.Context) error {
	d.images = map[string]string{}
	hardware := []string{"rev-a", "rev-b", "rev-c"}
	next := osTree{fixedOS, messagingAfter, hardware}
	if d.bad {
		next.hardware = hardware[:2] // somebody dropped the driver of a tenth of the phones
	}
	for _, tree := range []osTree{{factoryOS, messagingBefore, hardware}, next} {
		image, err := makeImage(ctx, d.dir, tree)
		if err != nil {
			return err
		}
		d.images[tree.version] = image
	}
	info, err := os.Stat(d.images[fixedOS])
	if err != nil {
		return err
	}
	d.size = info.Size()
	return nil
}

func (d *demo) ceremony(ctx context.Context) error { return d.Ceremony(ctx, product) }

// release builds and signs the fix as two engineers do: one builds, the other
// computes everything again from a copy of the image of his own.
func (d *demo) release(ctx context.Context) error {
	// A demo cannot wait for the days of the example's pace. It is the engineers
	// who sign another one, as always.
	manifest, err := world.Example(product, newBuild, "pace:\n  - {after: 0s, maxSharePPM: 500000}\n  - {after: 5s, maxSharePPM: 1000000}\n")
	if err != nil {
		return err
	}
	return d.Release(ctx, product, newBuild, manifest, d.images[fixedOS], d.images[factoryOS])
}
