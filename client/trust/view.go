package trust

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
)

// read fetches the documents that the walk vouches for: the rollouts of the
// product, and each release that one of them names, under the role that must
// answer for it.
func (c *Client) read(ctx context.Context, w *walk) (*View, error) {
	view := &View{Releases: map[manifests.Build]rollout.Signed{}, Expires: w.earliestExpiry(), Versions: w.versions()}
	releases := layout.ReleasesRole(c.Product)
	fields := w.set.Targets[releases].Signed.UnrecognizedFields
	next, err := signedTime(releases, fields, layout.FieldNextBy)
	if err != nil {
		return nil, err
	}
	if view.SpareVotes, err = layout.SpareVotes(fields); err != nil {
		return nil, refuse(releases, ErrMalformed, "%v", err)
	}
	view.NextBy, view.SignedBy = next, w.signers(releases)
	keep := map[manifests.SHA256]bool{}
	path := layout.RolloutsPath(c.Product)
	ref, ok, err := w.entry(layout.RolloutsRole, path)
	if err != nil || !ok {
		return view, err
	}
	data, err := c.document(ctx, layout.RolloutsRole, ref, rollout.MaxBytes)
	if err != nil {
		return nil, err
	}
	keep[ref.SHA256] = true
	if err := c.addDocument(w, view, ref, data); err != nil {
		return nil, err
	}
	for _, r := range view.Document.Rollouts {
		if err := c.release(ctx, w, r.Build, view, keep); err != nil {
			return nil, err
		}
	}
	return view, c.Store.keepDocuments(keep)
}

// addDocument parses the rollouts of the product.
func (c *Client) addDocument(w *walk, view *View, ref rollout.Reference, data []byte) error {
	var err error
	if view.Document, err = rollout.Parse(data); err != nil {
		return refuse(layout.RolloutsRole, ErrMalformed, "%s: %v", ref.Path, err)
	}
	if view.Document.Product != c.Product {
		return refuse(layout.RolloutsRole, ErrMismatch, "%s is for product %s", ref.Path, view.Document.Product)
	}
	view.Head = ref.SHA256
	return checkChain(w.state, view)
}

// release adds what releases-PRODUCT signs for a build. A build that it does
// not list is left out: it was withdrawn.
func (c *Client) release(ctx context.Context, w *walk, build manifests.Build, view *View, keep map[manifests.SHA256]bool) error {
	role, path := layout.ReleasesRole(c.Product), layout.ReleasePath(c.Product, build)
	if _, done := view.Releases[build]; done {
		return nil
	}
	ref, ok, err := w.entry(role, path)
	if err != nil || !ok {
		return err
	}
	data, err := c.document(ctx, role, ref, manifests.MaxReleaseBytes)
	if err != nil {
		return err
	}
	keep[ref.SHA256] = true
	return c.addRelease(view, build, ref, data)
}

// addRelease parses what releases-PRODUCT signs for a build.
func (c *Client) addRelease(view *View, build manifests.Build, ref rollout.Reference, data []byte) error {
	role := layout.ReleasesRole(c.Product)
	release, err := manifests.ParseRelease(data)
	if err != nil {
		return refuse(role, ErrMalformed, "%s: %v", ref.Path, err)
	}
	if release.Product != c.Product || release.Build != build {
		return refuse(role, ErrMismatch, "%s holds build %d of %s", ref.Path, release.Build, release.Product)
	}
	view.Releases[build] = rollout.Signed{Reference: ref, Release: release}
	return nil
}

// entry gives what a role itself, and no other, says about a path.
func (w *walk) entry(role, path string) (rollout.Reference, bool, error) {
	target, ok := w.set.Targets[role].Signed.Targets[path]
	if !ok {
		return rollout.Reference{}, false, nil
	}
	if target == nil || target.Length <= 0 {
		return rollout.Reference{}, false, refuse(role, ErrMalformed, "%s has no length", path)
	}
	hash, err := manifests.ParseSHA256(hex.EncodeToString(target.Hashes["sha256"]))
	if err != nil {
		return rollout.Reference{}, false, refuse(role, ErrMalformed, "%s: sha256: %v", path, err)
	}
	return rollout.Reference{Path: path, Length: target.Length, SHA256: hash}, true, nil
}

func (c *Client) document(ctx context.Context, role string, ref rollout.Reference, limit int64) ([]byte, error) {
	if data := c.Store.document(ref.SHA256, limit); data != nil {
		return data, nil
	}
	data, err := document(ctx, c.Fetch, role, ref, limit)
	if err != nil {
		return nil, err
	}
	return data, c.Store.saveDocument(ref.SHA256, data)
}

// document fetches what a role signs, and compares it with that.
func document(ctx context.Context, from Fetcher, role string, ref rollout.Reference, limit int64) ([]byte, error) {
	if ref.Length > limit {
		return nil, refuse(role, ErrMalformed, "%s has %d bytes; at most %d are read", ref.Path, ref.Length, limit)
	}
	right := func(data []byte) bool {
		return int64(len(data)) == ref.Length && manifests.SumSHA256(data) == ref.SHA256
	}
	data, err := wanted(ctx, from, layout.TargetFile(ref.Path, ref.SHA256), ref.Length, right)
	if err != nil {
		return nil, unreachable(role, err)
	}
	if !right(data) {
		return nil, refuse(role, ErrMismatch, "%s has other bytes than were signed", ref.Path)
	}
	return data, nil
}

// checkChain compares the document with the newest one that was seen. The
// counter never falls while the chain holds; a second document with the same
// counter, or a successor that does not name it, is a fork: somebody shows
// different handsets different rollouts.
func checkChain(st *state, view *View) error {
	d, seen := view.Document, st.Head
	if seen == nil || st.floor(layout.RolloutsRole) == nil {
		return nil
	}
	switch {
	case d.Counter < seen.Counter:
		return refuse(layout.RolloutsRole, ErrRollback, "rollouts document %d is older than %d, which was seen before", d.Counter, seen.Counter)
	case d.Counter == seen.Counter:
		view.Forked = view.Head != seen.SHA256
	case d.Counter == seen.Counter+1:
		view.Forked = d.Prev == nil || *d.Prev != seen.SHA256
	}
	return nil
}

func (w *walk) earliestExpiry() time.Time {
	first := w.set.Root.Signed.Expires
	for _, t := range []time.Time{w.set.Timestamp.Signed.Expires, w.set.Snapshot.Signed.Expires} {
		if t.Before(first) {
			first = t
		}
	}
	for _, m := range w.set.Targets {
		if m.Signed.Expires.Before(first) {
			first = m.Signed.Expires
		}
	}
	return first
}

func (w *walk) versions() map[string]int64 {
	out := map[string]int64{
		metadata.ROOT:      w.set.Root.Signed.Version,
		metadata.TIMESTAMP: w.set.Timestamp.Signed.Version,
		metadata.SNAPSHOT:  w.set.Snapshot.Signed.Version,
	}
	for role, m := range w.set.Targets {
		out[role] = m.Signed.Version
	}
	return out
}

// raiseFloors records every version that the walk accepted.
func (w *walk) raiseFloors() {
	root, targets := w.set.Root.Signed, w.set.Targets[metadata.TARGETS]
	var issued *manifests.Time
	if t, err := signedTime(metadata.TIMESTAMP, w.set.Timestamp.Signed.UnrecognizedFields, layout.FieldIssued); err == nil {
		issued = t
	}
	w.state.raise(metadata.TIMESTAMP, w.set.Timestamp.Signed.Version, issued, w.set.Timestamp.Signatures, root.Roles[metadata.TIMESTAMP].KeyIDs)
	w.state.raise(metadata.SNAPSHOT, w.set.Snapshot.Signed.Version, nil, w.set.Snapshot.Signatures, root.Roles[metadata.SNAPSHOT].KeyIDs)
	w.state.raise(metadata.TARGETS, targets.Signed.Version, nil, targets.Signatures, root.Roles[metadata.TARGETS].KeyIDs)
	if targets.Signed.Delegations == nil {
		return
	}
	for _, d := range targets.Signed.Delegations.Roles {
		if m := w.set.Targets[d.Name]; m != nil {
			w.state.raise(d.Name, m.Signed.Version, nil, m.Signatures, d.KeyIDs)
		}
	}
}
