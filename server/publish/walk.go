package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// maxSmall bounds a file of the tree that is not an image.
const maxSmall = 8 << 20

// Grace is how long a file that nothing names any more stays: until every
// timestamp that named it has expired, and a day for those in mid-refresh.
const Grace = TimestampLife + 24*time.Hour

var firstRoot = layout.MetadataFile(metadata.ROOT, 1)

// ErrOtherTree means that a tree is another installation's.
var ErrOtherTree = errors.New("is another installation's tree")

// From is where a tree is read: a store, or a server.
type From interface {
	Load(ctx context.Context, key string) ([]byte, store.ETag, error)
	Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
}

// Walked is a tree as its own timestamp names it, verified as a handset would.
type Walked struct {
	Timestamp []byte
	Version   int64            // of the timestamp
	First     manifests.SHA256 // of the first root
	Files     map[string][]byte
	Releases  []*manifests.Release // that are signed
}

// Walk reads a tree from its first root to its release documents; nil if
// nothing is published. first is the hash of the first root that is expected;
// zero takes any. Expiry is not judged: that is for who installs.
func Walk(ctx context.Context, from From, first manifests.SHA256) (*Walked, error) {
	g, err := walker{from}.walk(ctx, first)
	if err != nil || g == nil {
		return nil, err
	}
	w := &Walked{Timestamp: g.Timestamp, Version: g.Versions[metadata.TIMESTAMP], First: g.Files[firstRoot].SHA256, Files: g.bodies}
	for _, p := range g.products() {
		refs, err := g.releases(p)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			release, err := manifests.ParseRelease(g.bodies[layout.TargetFile(r.Path, r.SHA256)])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Path, err)
			}
			w.Releases = append(w.Releases, release)
		}
	}
	return w, nil
}

// TimestampVersion reads the version of a timestamp, unverified.
func TimestampVersion(data []byte) (int64, error) {
	t, err := metadata.Timestamp().FromBytes(data)
	if err != nil {
		return 0, fmt.Errorf("timestamp: %w", err)
	}
	return t.Signed.Version, nil
}

type walker struct{ from From }

// walk reads the tree that the store's own timestamp names, nil if there is
// none, and verifies it as a handset would, expiry apart. first is the hash of
// the first root; zero takes any.
func (w walker) walk(ctx context.Context, first manifests.SHA256) (*generation, error) {
	stamp, _, err := w.from.Load(ctx, layout.TimestampFile)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := empty()
	g.Timestamp = stamp
	if err := w.small(ctx, g, firstRoot); err != nil {
		return nil, err
	}
	if !first.IsZero() && g.Files[firstRoot].SHA256 != first {
		return nil, fmt.Errorf("%s: %w", firstRoot, ErrOtherTree)
	}
	for g.Roots = 1; ; g.Roots++ {
		err := w.small(ctx, g, layout.MetadataFile(metadata.ROOT, g.Roots+1))
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.roles(ctx, g); err != nil {
		return nil, err
	}
	if err := g.verify(); err != nil {
		return nil, fmt.Errorf("does not verify: %w", err)
	}
	return g, nil
}

// roles reads what timestamp and snapshot name.
func (w walker) roles(ctx context.Context, g *generation) error {
	t, err := metadata.Timestamp().FromBytes(g.Timestamp)
	if err != nil {
		return fmt.Errorf("%s: %w", layout.TimestampFile, err)
	}
	if t.Signed.Meta["snapshot.json"] == nil {
		return fmt.Errorf("%s names no snapshot", layout.TimestampFile)
	}
	g.Versions[metadata.TIMESTAMP] = t.Signed.Version
	g.Versions[metadata.SNAPSHOT] = t.Signed.Meta["snapshot.json"].Version
	if err := w.small(ctx, g, layout.MetadataFile(metadata.SNAPSHOT, g.Versions[metadata.SNAPSHOT])); err != nil {
		return err
	}
	s, err := metadata.Snapshot().FromBytes(g.role(metadata.SNAPSHOT))
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	for name, m := range s.Signed.Meta {
		role := strings.TrimSuffix(name, ".json")
		g.Versions[role] = m.Version
		if err := w.small(ctx, g, layout.MetadataFile(role, m.Version)); err != nil {
			return err
		}
		if role == metadata.TARGETS {
			continue
		}
		targets, err := metadata.Targets().FromBytes(g.role(role))
		if err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
		for path, f := range targets.Signed.Targets {
			if len(f.Hashes["sha256"]) != len(manifests.SHA256{}) {
				return fmt.Errorf("%s: %s has no sha256", role, path)
			}
			hash := manifests.SHA256(f.Hashes["sha256"])
			if err := w.small(ctx, g, layout.TargetFile(path, hash)); err != nil {
				return err
			}
			if product, ok := strings.CutPrefix(path, "rollouts/"); role == layout.RolloutsRole && ok {
				g.Rollouts[manifests.Product(strings.TrimSuffix(product, ".json"))] = hash
			}
		}
	}
	return nil
}

// small reads a file of the tree into a generation. What it says is checked
// when all are there.
func (w walker) small(ctx context.Context, g *generation, path string) error {
	r, info, err := w.from.Open(ctx, path)
	if err != nil {
		return err
	}
	if info.Size > maxSmall {
		return errors.Join(fmt.Errorf("%s: has %d bytes; at most %d are metadata", path, info.Size, maxSmall), r.Close())
	}
	data, err := io.ReadAll(io.LimitReader(r, maxSmall))
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	g.add(path, data)
	return nil
}
