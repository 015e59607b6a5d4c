package trust

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/fetch"
)

// Repository is a plain TUF client over any repository, with the walk and the
// store of Client and without Candor's documents. It is there to look at a
// tree, and to be held against other implementations.
type Repository struct {
	Store    *Store
	Metadata Fetcher // rooted at the metadata address
	At       time.Time

	walk *walk
}

// Refresh verifies root, timestamp, snapshot and targets, and stores each as
// received as soon as it holds.
func (r *Repository) Refresh(ctx context.Context) error {
	st, err := r.Store.loadState()
	if err != nil {
		return err
	}
	reference := func() time.Time { return r.At }
	w := &walk{store: r.Store, fetch: r.Metadata, state: st, reference: reference}
	if err := w.roots(ctx); err != nil {
		return err
	}
	if err := w.forget(st.dropByRoot(w.set.Root)); err != nil {
		return err
	}
	w.set.RefTime = r.At
	if w.set.Root.Signed.IsExpired(r.At) {
		return refuse(metadata.ROOT, ErrExpired, "it expired at %s", w.set.Root.Signed.Expires.UTC().Format(time.RFC3339))
	}
	answer, err := r.Metadata.Get(ctx, "timestamp.json", maxTimestampBytes, "")
	if err != nil {
		return unreachable(metadata.TIMESTAMP, err)
	}
	fresh, err := w.timestamp(answer.Body)
	if err != nil {
		return err
	}
	if fresh {
		if err := r.Store.save(metadata.TIMESTAMP, answer.Body); err != nil {
			return err
		}
	}
	snapshot, err := w.snapshot(ctx)
	if err != nil {
		return err
	}
	if err := r.Store.save(metadata.SNAPSHOT, snapshot); err != nil {
		return err
	}
	targets, err := w.targets(ctx, metadata.TARGETS, metadata.ROOT)
	if err != nil {
		return err
	}
	if err := r.Store.save(metadata.TARGETS, targets); err != nil {
		return err
	}
	w.raiseFloors()
	r.walk = w
	return r.Store.saveState(st)
}

// Find searches the delegations for a target, depth first in their order, as
// the TUF specification, section 5.6.7, has it.
func (r *Repository) Find(ctx context.Context, name string) (*metadata.TargetFiles, error) {
	type step struct{ role, parent string }
	pending, seen := []step{{metadata.TARGETS, metadata.ROOT}}, map[string]bool{}
	for len(pending) > 0 && len(seen) < maxDelegations {
		next := pending[0]
		pending = pending[1:]
		if seen[next.role] {
			continue
		}
		seen[next.role] = true
		role, err := r.role(ctx, next.role, next.parent)
		if err != nil {
			return nil, err
		}
		if target := role.Signed.Targets[name]; target != nil {
			return target, nil
		}
		if role.Signed.Delegations == nil {
			continue
		}
		var children []step
		for _, d := range role.Signed.Delegations.GetRolesForTarget(name) {
			children = append(children, step{d.Name, next.role})
			if d.Terminating {
				pending = nil
				break
			}
		}
		pending = append(children, pending...)
	}
	return nil, fmt.Errorf("target %q: no role signs it", name)
}

func (r *Repository) role(ctx context.Context, role, parent string) (*metadata.Metadata[metadata.TargetsType], error) {
	if m := r.walk.set.Targets[role]; m != nil {
		return m, nil
	}
	data, err := r.walk.targets(ctx, role, parent)
	if err != nil {
		return nil, err
	}
	return r.walk.set.Targets[role], r.Store.save(role, data)
}

// BlobSource streams a file of known size from an offset.
type BlobSource interface {
	Open(ctx context.Context, path string, offset, size int64) (io.ReadCloser, error)
}

var _ BlobSource = (*fetch.Client)(nil)

// Download streams a target into dir, under its path-escaped name, and moves
// it there once length and hashes hold.
func (r *Repository) Download(ctx context.Context, files BlobSource, name, dir string) (string, error) {
	target, err := r.Find(ctx, name)
	if err != nil {
		return "", err
	}
	sums, err := hashers(target.Hashes)
	if err != nil {
		return "", fmt.Errorf("target %q: %w", name, err)
	}
	remote := name
	if r.walk.set.Root.Signed.ConsistentSnapshot {
		remote = path.Join(path.Dir(name), hex.EncodeToString(target.Hashes[sums[0].name])+"."+path.Base(name))
	}
	body, err := files.Open(ctx, remote, 0, target.Length)
	if err != nil {
		return "", fmt.Errorf("target %q: %w", name, err)
	}
	out := filepath.Join(dir, strings.ReplaceAll(name, "/", "%2F"))
	err = store(body, out, target, sums)
	if err != nil {
		return "", fmt.Errorf("target %q: %w", name, err)
	}
	return out, nil
}

type hasher struct {
	name string
	hash.Hash
}

func hashers(want metadata.Hashes) ([]hasher, error) {
	var out []hasher
	for name, newHash := range map[string]func() hash.Hash{"sha256": sha256.New, "sha512": sha512.New} {
		if _, ok := want[name]; ok {
			out = append(out, hasher{name, newHash()})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it is signed with no hash that this program knows (sha256, sha512)")
	}
	return out, nil
}

func store(body io.ReadCloser, out string, target *metadata.TargetFiles, sums []hasher) error {
	tmp, err := os.CreateTemp(filepath.Dir(out), ".new-*")
	if err != nil {
		return errors.Join(err, body.Close())
	}
	writers := []io.Writer{tmp}
	for _, s := range sums {
		writers = append(writers, s)
	}
	n, err := io.Copy(io.MultiWriter(writers...), io.LimitReader(body, target.Length+1))
	err = errors.Join(err, body.Close(), tmp.Sync(), tmp.Close())
	if err == nil && n != target.Length {
		err = fmt.Errorf("%d bytes; %d were signed", n, target.Length)
	}
	for _, s := range sums {
		if err == nil && hex.EncodeToString(s.Sum(nil)) != hex.EncodeToString(target.Hashes[s.name]) {
			err = fmt.Errorf("%s differs from what was signed", s.name)
		}
	}
	if err == nil {
		err = os.Rename(tmp.Name(), out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return disk.OS{}.SyncDir(filepath.Dir(out))
}
