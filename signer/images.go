package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/build"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/cli"
)

// slotPath is one SLOT=PATH of the command line.
type slotPath struct {
	slot  manifests.Name
	path  string
	parts []string // that a pattern names: sparse files of one image
}

// slotPaths reads --image. Every file is looked at before hours are spent on
// the first.
func slotPaths(args []string) ([]slotPath, error) {
	var out []slotPath
	for _, arg := range args {
		next, err := slotPathOf("--image", arg)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(s slotPath) bool { return s.slot == next.slot }) {
			return nil, cli.Usagef("--image: slot %s is given twice", next.slot)
		}
		out = append(out, next)
	}
	return out, nil
}

// slotPathOf reads one SLOT=PATH. A path that is no file may be a pattern of
// several, such as super.img_sparsechunk.*.
func slotPathOf(flag, arg string) (slotPath, error) {
	name, path, ok := strings.Cut(arg, "=")
	slot, err := manifests.ParseName(name)
	if !ok || err != nil || path == "" {
		return slotPath{}, cli.Usagef("%s %q: expected SLOT=PATH, such as system=system.img", flag, arg)
	}
	s := slotPath{slot: slot, path: path}
	if _, missing := os.Stat(path); missing != nil {
		s.parts, err = filepath.Glob(path)
		if err != nil || len(s.parts) == 0 {
			return slotPath{}, missing
		}
	}
	return s, nil
}

// bar follows the reading of one image.
func (a *app) bar(what string, path string) (progress func(done, total int64), finish func() error) {
	b := a.progress(what+" "+path, -1)
	return func(done, total int64) {
		b.ChangeMax64(total)
		ignoreBar(b.Set64(done))
	}, b.Exit
}

// buildImages writes index and pack of each image into dir.
func (a *app) buildImages(ctx context.Context, images []slotPath, dir string) ([]manifests.Image, error) {
	var out []manifests.Image
	for _, s := range images {
		progress, finish := a.bar("building", s.path)
		result, err := build.Image(ctx, build.Options{Source: s.path, Dir: dir, Progress: progress})
		if err != nil {
			return nil, err
		}
		if err := finish(); err != nil {
			return nil, err
		}
		out = append(out, result.Image(s.slot))
	}
	return out, nil
}

// lookAtImages does what a signer of a release owes: he recomputes every image
// from a copy of his own, or he built them on this machine, or he says openly
// that he did neither.
func (a *app) lookAtImages(ctx context.Context, p *ceremony.Proposal, f signFlags) (ceremony.Image, error) {
	release := p.Release()
	ways := 0
	for _, chosen := range []bool{len(f.images) > 0 || f.payload.file != "", f.builder, f.withoutImage} {
		if chosen {
			ways++
		}
	}
	switch {
	case len(f.from) > 0 && (release == nil || f.builder || f.withoutImage):
		return "", cli.Usagef("--from goes with --image or --payload: patches are computed again from your own copies")
	case release == nil && ways > 0:
		return "", cli.Usagef("--image, --payload, --builder and --without-image are for releases; this proposal is of kind %s", p.Kind)
	case release == nil:
		return ceremony.ImageNone, nil
	case ways == 0:
		return "", fmt.Errorf("%w (--image SLOT=PATH, --payload FILE or --builder)", ceremony.ErrNoImage)
	case ways > 1:
		return "", cli.Usagef("choose one of --image (or --payload), --builder and --without-image")
	case f.withoutImage:
		return ceremony.ImageWithout, nil
	case f.builder:
		return ceremony.ImageBuilder, a.checkBuilder(p)
	}
	return ceremony.ImageRecomputed, a.recompute(ctx, release, f)
}

func (a *app) checkBuilder(p *ceremony.Proposal) error {
	was, err := a.ring().WasBuilt(p.Hash())
	if err != nil {
		return err
	}
	if !was {
		return fmt.Errorf("this proposal was not built on this machine with the key directory %s; give your own copy of each raw image with --image SLOT=PATH", a.keysDir)
	}
	return nil
}

// recompute compares every image of the release with the signer's own copies.
func (a *app) recompute(ctx context.Context, release *manifests.Release, f signFlags) (err error) {
	own, err := slotPaths(f.images)
	if err != nil {
		return err
	}
	olderOnes, err := olderPaths(f.from)
	if err != nil {
		return err
	}
	raws := a.importing("")
	defer func() { err = errors.Join(err, raws.close()) }()
	for _, slot := range slotsOf(release) {
		if !slices.ContainsFunc(own, func(s slotPath) bool { return s.slot == slot }) {
			f.payload.only = append(f.payload.only, slot)
		}
	}
	if own, err = raws.all(ctx, own, f.payload); err != nil {
		return err
	}
	for _, s := range own {
		if !slices.ContainsFunc(release.Images, func(m manifests.Image) bool { return m.Slot == s.slot }) {
			return cli.Usagef("--image %s=…: the release has no slot %s", s.slot, s.slot)
		}
	}
	from, err := a.older(ctx, raws, olderOnes, slotsOf(release))
	if err != nil {
		return err
	}
	for _, want := range release.Images {
		i := slices.IndexFunc(own, func(s slotPath) bool { return s.slot == want.Slot })
		if i < 0 {
			return fmt.Errorf("slot %s: %w", want.Slot, ceremony.ErrNoImage)
		}
		progress, finish := a.bar("recomputing", own[i].path)
		if err := build.Verify(ctx, build.VerifyOptions{Source: own[i].path, Want: want, Progress: progress}); err != nil {
			if errors.Is(err, build.ErrDiffers) {
				return fmt.Errorf("not signed; find out whose build is not to be trusted: %w", err)
			}
			return err
		}
		if err := finish(); err != nil {
			return err
		}
		if err := a.recomputePatches(ctx, own[i].path, want, from); err != nil {
			return err
		}
	}
	return nil
}
