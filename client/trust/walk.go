package trust

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Fetcher gets files of the published tree; *fetch.Client is one.
type Fetcher interface {
	// Get reads a path below the base address, at most max bytes. An etag asks
	// for the file only if it has changed. 404 and 403 are fetch.ErrNotFound.
	Get(ctx context.Context, path string, max int64, etag string) (fetch.Response, error)
}

// Sources is a Fetcher with several sources, as *fetch.Client is.
type Sources interface {
	// Forgive begins a poll: whoever was set aside is asked again.
	Forgive()
	// Shun sets aside whoever sent a file; false: there is nobody else.
	Shun(path, origin string) bool
}

// wanted fetches a file that was named with its hash. Whoever sends other bytes
// is set aside, and others are asked; the last one's are given as they are.
func wanted(ctx context.Context, from Fetcher, path string, most int64, right func([]byte) bool) ([]byte, error) {
	sources, several := from.(Sources)
	for {
		answer, err := from.Get(ctx, path, most, "")
		if err != nil {
			return nil, err
		}
		if right(answer.Body) || !several || !sources.Shun(path, answer.Origin) {
			return answer.Body, nil
		}
	}
}

// walk is one verification of the tree, from the root on.
type walk struct {
	store *Store
	fetch Fetcher
	base  string // path prefix of metadata files
	state *state
	set   *trustedmetadata.TrustedMetadata
	// reference is the time by which expiry is judged.
	reference func() time.Time
	offline   bool // over a bundle: an older timestamp is no late mirror
}

// roots starts from the stored root and follows every newer one. Each is
// stored as soon as it is verified: the chain can then never be lost.
func (w *walk) roots(ctx context.Context) error {
	stored, err := w.store.load(metadata.ROOT, maxRootBytes)
	if err != nil {
		return err
	}
	if stored == nil {
		return refuse(metadata.ROOT, ErrMalformed, "there is no trusted root in this store; initialise it with the root of the maker")
	}
	if err := checkShape(metadata.ROOT, stored); err != nil {
		return err
	}
	if err := guarded(metadata.ROOT, func() (err error) { w.set, err = trustedmetadata.New(stored); return err }); err != nil {
		return err
	}
	for range maxRotations {
		next := w.set.Root.Signed.Version + 1
		answer, err := w.fetch.Get(ctx, w.base+strconv.FormatInt(next, 10)+".root.json", maxRootBytes, "")
		if errors.Is(err, fetch.ErrNotFound) {
			return nil
		}
		if err != nil {
			return unreachable(metadata.ROOT, err)
		}
		if err := checkShape(metadata.ROOT, answer.Body); err != nil {
			return err
		}
		if err := guarded(metadata.ROOT, func() error { _, err := w.set.UpdateRoot(answer.Body); return err }); err != nil {
			return err
		}
		if err := w.store.save(metadata.ROOT, answer.Body); err != nil {
			return err
		}
	}
	return refuse(metadata.ROOT, ErrMalformed, "more than %d new roots in one walk", maxRotations)
}

func unreachable(role string, err error) error {
	return fmt.Errorf("%s: %w: %w", role, ErrUnreachable, err)
}

// forget drops the stored files of roles whose floors fell with their keys.
func (w *walk) forget(roles []string) error {
	for _, role := range roles {
		if err := w.store.drop(role); err != nil {
			return err
		}
	}
	return nil
}

// timestamp verifies the fetched bytes against the stored timestamp and floor.
// It tells whether they are new.
func (w *walk) timestamp(data []byte) (bool, error) {
	const role = metadata.TIMESTAMP
	if err := w.known(role, maxTimestampBytes, func(b []byte) error { _, err := w.set.UpdateTimestamp(b); return err }); err != nil {
		return false, err
	}
	if err := checkShape(role, data); err != nil {
		return false, err
	}
	before := w.set.Timestamp
	var equal bool
	err := guarded(role, func() error {
		_, err := w.set.UpdateTimestamp(data)
		if equal = errors.Is(err, &metadata.ErrEqualVersionNumber{}); equal {
			return nil
		}
		return err
	})
	switch {
	case errors.Is(err, ErrRollback) && before != nil && !w.offline:
		return false, w.older(data, err)
	case err != nil:
		return false, err
	case equal && before.Signed.IsExpired(w.reference()):
		return false, refuse(role, ErrExpired, "it expired at %s", manifests.At(before.Signed.Expires))
	}
	now := w.set.Timestamp
	if err := w.state.check(role, now.Signed.Version); err != nil {
		return false, err
	}
	issued, err := signedTime(role, now.Signed.UnrecognizedFields, layout.FieldIssued)
	if err != nil {
		return false, err
	}
	if issued != nil && issued.After(now.Signed.Expires) {
		return false, refuse(role, ErrMalformed, "it says it was issued at %s, after its own expiry", issued)
	}
	return !equal, nil
}

// older tells a mirror that lags from an attack: an unexpired, validly signed,
// older timestamp is a late mirror for a day.
func (w *walk) older(data []byte, refusal error) error {
	var old *metadata.Metadata[metadata.TimestampType]
	err := guarded(metadata.TIMESTAMP, func() (err error) {
		if old, err = metadata.Timestamp().FromBytes(data); err != nil {
			return err
		}
		return w.set.Root.VerifyDelegate(metadata.TIMESTAMP, old)
	})
	if err != nil || old.Signed.IsExpired(w.reference()) {
		return refusal
	}
	now := w.reference()
	if w.state.StaleFrom == nil {
		w.state.StaleFrom = new(manifests.At(now))
		if err := w.store.saveState(w.state); err != nil {
			return err
		}
	}
	if now.Sub(w.state.StaleFrom.Time) > 24*time.Hour {
		return refusal
	}
	return refuse(metadata.TIMESTAMP, ErrStaleMirror, "it serves version %d, version %d was verified before", old.Signed.Version, w.set.Timestamp.Signed.Version)
}

// known loads a stored file for comparison. Files that no longer hold (their
// keys were replaced, they expired) are ignored; damaged ones are set aside.
func (w *walk) known(role string, limit int64, update func([]byte) error) error {
	stored, err := w.store.load(role, limit)
	if err != nil || stored == nil {
		return err
	}
	if err := checkShape(role, stored); errors.Is(err, ErrMalformed) {
		return w.store.quarantine(role)
	}
	if err := guarded(role, func() error { return update(stored) }); errors.Is(err, ErrMalformed) {
		return w.store.quarantine(role)
	}
	return nil
}

// snapshot takes the stored one where it is the one that the timestamp names,
// else fetches it. Either way it must not go back behind the stored one.
func (w *walk) snapshot(ctx context.Context) ([]byte, error) {
	const role = metadata.SNAPSHOT
	meta := w.set.Timestamp.Signed.Meta[fileName(role)]
	stored, err := w.store.load(role, maxSnapshotBytes)
	if err != nil {
		return nil, err
	}
	current := stored != nil && meta.VerifyLengthHashes(stored) == nil && len(meta.Hashes) > 0
	if err := w.known(role, maxSnapshotBytes, func(b []byte) error { _, err := w.set.UpdateSnapshot(b, true); return err }); err != nil {
		return nil, err
	}
	data := stored
	if !current || w.set.Snapshot == nil {
		if data, err = w.download(ctx, role, meta, maxSnapshotBytes); err != nil {
			return nil, err
		}
		if err := checkShape(role, data); err != nil {
			return nil, err
		}
		if err := guarded(role, func() error { _, err := w.set.UpdateSnapshot(data, false); return err }); err != nil {
			return nil, err
		}
	}
	return data, w.state.check(role, w.set.Snapshot.Signed.Version)
}

// targets loads one targets role, stored or fetched, as the snapshot names it.
func (w *walk) targets(ctx context.Context, role, delegator string) ([]byte, error) {
	meta, ok := w.set.Snapshot.Signed.Meta[fileName(role)]
	if !ok {
		return nil, refuse(role, ErrMismatch, "the snapshot does not list it")
	}
	stored, err := w.store.load(role, maxRoleBytes)
	if err != nil {
		return nil, err
	}
	update := func(b []byte) error {
		return guarded(role, func() error { _, err := w.set.UpdateDelegatedTargets(b, role, delegator); return err })
	}
	if stored != nil && checkShape(role, stored) == nil && update(stored) == nil {
		return stored, w.state.check(role, meta.Version)
	}
	data, err := w.download(ctx, role, meta, maxRoleBytes)
	if err != nil {
		return nil, err
	}
	if err := checkShape(role, data); err != nil {
		return nil, err
	}
	if err := update(data); err != nil {
		return nil, err
	}
	return data, w.state.check(role, meta.Version)
}

func (w *walk) download(ctx context.Context, role string, meta *metadata.MetaFiles, limit int64) ([]byte, error) {
	name := url.PathEscape(role) + ".json"
	if w.set.Root.Signed.ConsistentSnapshot {
		name = strconv.FormatInt(meta.Version, 10) + "." + name
	}
	if meta.Length > limit {
		return nil, refuse(role, ErrMalformed, "%d bytes; at most %d are read", meta.Length, limit)
	}
	if meta.Length > 0 {
		limit = meta.Length
	}
	right := func(data []byte) bool { return meta.VerifyLengthHashes(data) == nil }
	data, err := wanted(ctx, w.fetch, w.base+name, limit, right)
	if err != nil {
		return nil, unreachable(role, err)
	}
	return data, nil
}
