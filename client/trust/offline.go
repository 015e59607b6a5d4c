package trust

import (
	"context"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Offline walks over the metadata of a bundle and proves one release in it
// (AMENDMENTS M5). Everything that is signed is verified as in Poll: the chain
// of roots, every signature, that all is from one snapshot, and every version
// against its floor.
//
// Of the expiries those of the offline keys count (root, targets,
// releases-PRODUCT), by the same clock as ever; those of the online keys are
// waived, since a timestamp lives for two days.
//
// What it leaves behind is less than what Poll does. Newer roots are kept, as
// each proves itself. The floors of targets and releases-PRODUCT rise, which
// only thresholds of offline keys can make them do. No time is taken from a
// bundle and no floor of an online role rises: else whoever stole an online key
// once, even one that was replaced since, could shut a handset out with a stick
// and a version of 2^31-1. The view of Poll is untouched.
func (c *Client) Offline(ctx context.Context, bundle Fetcher, build manifests.Build) (*View, error) {
	st, err := c.Store.loadState()
	if err != nil {
		return nil, err
	}
	never := func() time.Time { return time.Time{} } // the library is to waive expiry; see unexpired
	w := &walk{store: c.Store, fetch: bundle, base: layout.MetadataDir + "/", state: st, reference: never, offline: true}
	if err := w.roots(ctx); err != nil {
		return nil, err
	}
	if err := w.forget(st.dropByRoot(w.set.Root)); err != nil {
		return nil, err
	}
	w.set.RefTime = never()
	answer, err := bundle.Get(ctx, layout.TimestampFile, maxTimestampBytes, "")
	if err != nil {
		return nil, unreachable(metadata.TIMESTAMP, err)
	}
	if _, err := w.top(ctx, answer.Body); err != nil {
		return nil, err
	}
	if err := w.forget(st.dropByTargets(w.set.Targets[metadata.TARGETS])); err != nil {
		return nil, err
	}
	releases := layout.ReleasesRole(c.Product)
	for _, role := range []string{layout.RolloutsRole, releases} {
		if _, err := w.targets(ctx, role, metadata.TARGETS); err != nil {
			return nil, err
		}
	}
	view, err := c.readOffline(ctx, w, build)
	if err != nil {
		return nil, err
	}
	if err := w.unexpired(view.Expiry, releases); err != nil {
		return nil, err
	}
	w.raiseOffline(releases)
	st.ETag = "" // the next poll walks
	return view, c.Store.saveState(st)
}

// unexpired judges what offline keys signed.
func (w *walk) unexpired(now time.Time, releases string) error {
	expires := map[string]time.Time{metadata.ROOT: w.set.Root.Signed.Expires}
	for _, role := range []string{metadata.TARGETS, releases} {
		expires[role] = w.set.Targets[role].Signed.Expires
	}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, releases} {
		if !now.Before(expires[role]) {
			return refuse(role, ErrExpired, "it expired at %s; this bundle is too old", manifests.At(expires[role]))
		}
	}
	return nil
}

// readOffline reads the release, and the rollouts if there are any, since they
// may say that it is halted.
func (c *Client) readOffline(ctx context.Context, w *walk, build manifests.Build) (*View, error) {
	releases := layout.ReleasesRole(c.Product)
	view := &View{Releases: map[manifests.Build]rollout.Signed{}, Expires: w.earliestExpiry(), Versions: w.versions(), SignedBy: w.signers(releases)}
	view.Expiry, view.Pace = c.times(w.state)
	if ref, ok, err := w.entry(layout.RolloutsRole, layout.RolloutsPath(c.Product)); err != nil {
		return nil, err
	} else if ok {
		data, err := document(ctx, w.fetch, layout.RolloutsRole, ref, rollout.MaxBytes)
		if err != nil {
			return nil, err
		}
		if err := c.addDocument(w, view, ref, data); err != nil {
			return nil, err
		}
	}
	ref, ok, err := w.entry(releases, layout.ReleasePath(c.Product, build))
	if err != nil || !ok {
		return view, err
	}
	data, err := document(ctx, w.fetch, releases, ref, manifests.MaxReleaseBytes)
	if err != nil {
		return nil, err
	}
	return view, c.addRelease(view, build, ref, data)
}

// raiseOffline records the versions of what offline keys signed.
func (w *walk) raiseOffline(releases string) {
	root, targets := w.set.Root.Signed, w.set.Targets[metadata.TARGETS]
	w.state.raise(metadata.TARGETS, targets.Signed.Version, nil, targets.Signatures, root.Roles[metadata.TARGETS].KeyIDs)
	for _, d := range targets.Signed.Delegations.Roles {
		if d.Name == releases {
			m := w.set.Targets[releases]
			w.state.raise(releases, m.Signed.Version, nil, m.Signatures, d.KeyIDs)
		}
	}
}
