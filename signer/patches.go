package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/signer/build"
	"github.com/candor-ota/candor/signer/cli"
)

// patchInfo is one patch of a build as --json prints it.
type patchInfo struct {
	Slot   manifests.Name   `json:"slot"`
	From   string           `json:"from"` // file of the older image
	Sum    manifests.SHA256 `json:"fromSha256"`
	Size   int64            `json:"size"`   // bytes that a handset downloads
	Chunks int64            `json:"chunks"` // without the patch
	Full   int64            `json:"full"`   // from any state
	Kept   bool             `json:"kept"`   // in the release; otherwise it saves less than a fifth of chunks
}

func (p patchInfo) line() string {
	if !p.Kept {
		return fmt.Sprintf("patch:       %s from %s: dropped, since its %d bytes save less than a fifth of the %d that chunks cost", p.Slot, p.From, p.Size, p.Chunks)
	}
	return fmt.Sprintf("patch:       %s from %s: %d bytes; by chunks %d, full %d", p.Slot, p.From, p.Size, p.Chunks, p.Full)
}

// olderImage is one --from: an image of an older build.
type olderImage struct {
	slotPath
	given string // as it was typed
	sum   manifests.SHA256
}

// olderPaths reads --from, which may come several times for a slot.
func olderPaths(args []string) ([]slotPath, error) {
	var out []slotPath
	for _, arg := range args {
		s, err := slotPathOf("--from", arg)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// older makes raw images of those of older builds and hashes each. Slots that
// the release has no image for, and images given twice, are refused.
func (a *app) older(ctx context.Context, raws *importing, from []slotPath, slots []manifests.Name) ([]olderImage, error) {
	var out []olderImage
	for _, s := range from {
		if !slices.Contains(slots, s.slot) {
			return nil, cli.Usagef("--from %s=%s: the release has no slot %s", s.slot, s.path, s.slot)
		}
	}
	for _, s := range from {
		o := olderImage{slotPath: s, given: s.path}
		var err error
		if o.path, err = raws.raw(ctx, s); err != nil {
			return nil, err
		}
		if o.sum, err = build.Hash(ctx, o.path); err != nil {
			return nil, fmt.Errorf("--from %s: %w", s.path, err)
		}
		if i := slices.IndexFunc(out, func(b olderImage) bool { return b.slot == o.slot && b.sum == o.sum }); i >= 0 {
			return nil, cli.Usagef("--from: %s and %s are the same image of slot %s", out[i].given, o.given, o.slot)
		}
		out = append(out, o)
	}
	return out, nil
}

// buildPatches makes a patch from each older image and enters into images those
// that are worth it.
func (a *app) buildPatches(ctx context.Context, from []olderImage, sources []slotPath, images []manifests.Image, dir string) ([]patchInfo, error) {
	out := []patchInfo{}
	for _, o := range from {
		i := slices.IndexFunc(images, func(m manifests.Image) bool { return m.Slot == o.slot })
		source := slices.IndexFunc(sources, func(s slotPath) bool { return s.slot == o.slot })
		if o.sum == images[i].SHA256 {
			return nil, cli.Usagef("--from %s=%s: that is the image of this release itself", o.slot, o.given)
		}
		progress, finish := a.bar("patching from", o.given)
		made, err := build.Patch(ctx, build.PatchOptions{From: o.path, Source: sources[source].path, Image: images[i], Dir: dir, Progress: progress})
		if err != nil {
			return nil, err
		}
		if err := finish(); err != nil {
			return nil, err
		}
		if made.Kept {
			images[i].Patches = append(images[i].Patches, made.Patch)
		}
		out = append(out, patchInfo{o.slot, o.given, o.sum, made.Size, made.Chunks, made.Full, made.Kept})
	}
	return out, nil
}

// recomputePatches builds the patches of one image again from the older images
// that the signer has, and tells him which he did not see.
func (a *app) recomputePatches(ctx context.Context, source string, want manifests.Image, from []olderImage) error {
	unseen := 0
	for _, p := range want.Patches {
		i := slices.IndexFunc(from, func(o olderImage) bool { return o.slot == want.Slot && o.sum == p.FromSHA256 })
		if i < 0 {
			unseen++
			continue
		}
		progress, finish := a.bar("recomputing the patch from", from[i].given)
		if err := build.VerifyPatch(ctx, build.VerifyPatchOptions{From: from[i].path, Source: source, Want: p, Progress: progress}); err != nil {
			if errors.Is(err, build.ErrDiffers) {
				return fmt.Errorf("not signed; find out whose build is not to be trusted: slot %s: %w", want.Slot, err)
			}
			return err
		}
		if err := finish(); err != nil {
			return err
		}
	}
	for _, o := range from {
		if o.slot == want.Slot && !slices.ContainsFunc(want.Patches, func(p manifests.Patch) bool { return p.FromSHA256 == o.sum }) {
			if err := a.tell(fmt.Sprintf("The release has no patch of slot %s from %s.", o.slot, o.given)); err != nil {
				return err
			}
		}
	}
	if unseen == 0 {
		return nil
	}
	return a.tell(fmt.Sprintf("Slot %s: %d of %d patches were NOT recomputed, since their older images were not given (--from %s=PATH). "+
		"A patch is only a way to the image that you recomputed: a wrong one installs nothing else, it makes handsets download more.",
		want.Slot, unseen, len(want.Patches), want.Slot))
}
