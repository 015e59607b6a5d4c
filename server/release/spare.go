package release

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
)

// lintSpare holds the builds whose votes are under their spare keys against the
// releases that are signed, and against the version before (nil: none).
func lintSpare(name string, next, before *targetsMeta) error {
	builds, err := layout.SpareVotes(next.Signed.UnrecognizedFields)
	if err != nil {
		return refuse(name, "%v", err)
	}
	var listed []manifests.Build
	if before != nil {
		if listed, err = layout.SpareVotes(before.Signed.UnrecognizedFields); err != nil {
			return fmt.Errorf("published %s: %w", name, err)
		}
	}
	signed := map[manifests.Build]bool{}
	for path := range next.Signed.Targets {
		if _, b, err := layout.ParseReleasePath(path); err == nil {
			signed[b] = true
		}
	}
	if err := layout.CheckSpareVotes(builds, listed, func(b manifests.Build) bool { return signed[b] }); err != nil {
		return refuse(name, "%v", err)
	}
	return nil
}

// spare moves votes to the keys that the engineers say.
func (in *Intake) spare(ctx context.Context, by string, p manifests.Product, m *targetsMeta) error {
	builds, err := layout.SpareVotes(m.Signed.UnrecognizedFields)
	if err != nil {
		return err
	}
	for _, b := range builds {
		ref := vote.Ref{Product: p, Build: b}
		if err := in.UseSpare(ctx, ref, in.entry(by, "votes.switch", ref.String())); err != nil {
			return fmt.Errorf("votes of %s: %w", ref, err)
		}
	}
	return nil
}
