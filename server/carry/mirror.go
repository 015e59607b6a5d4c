package carry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// Mirrored is what one refresh of a mirror came to.
type Mirrored struct {
	Version int64 `json:"version"` // of the timestamp that is shown now
	Files   int   `json:"files"`   // that it names
	Fetched int   `json:"fetched"`
	Bytes   int64 `json:"bytes"` // that were fetched
	Removed int   `json:"removed"`
	// Behind: the origin showed something older than the mirror, which stays.
	Behind bool `json:"behind,omitempty"`
}

// ErrNothing means that the origin has published nothing yet.
var ErrNothing = errors.New("the origin has published nothing yet")

// Mirror brings a folder up to date with an origin: images first, then
// documents and metadata, the timestamp last of all, so that a reader sees what
// was or what is. Every byte is checked against what is signed before it has
// its name. What nothing names any more goes publish.Grace later. check reads
// images that are there already and hashes them anew.
func Mirror(ctx context.Context, from Origin, to *Folder, now time.Time, check bool) (Mirrored, error) {
	var out Mirrored
	first, err := to.firstRoot()
	if err != nil {
		return out, err
	}
	tree, err := publish.Walk(ctx, from, first)
	if err != nil {
		return out, fmt.Errorf("mirror: the origin's tree: %w", err)
	}
	if tree == nil {
		return out, fmt.Errorf("mirror: %w", ErrNothing)
	}
	if out.Version, err = to.version(); err != nil {
		return out, err
	}
	if out.Version > tree.Version {
		out.Behind = true
		return out, nil
	}
	m := &mirroring{from: from, to: to, check: check, report: out, keep: map[string]bool{layout.TimestampFile: true}}
	if err := m.all(ctx, tree); err != nil {
		return m.report, fmt.Errorf("mirror: %w", err)
	}
	m.report.Removed, err = to.collect(m.keep, now)
	if err != nil {
		err = fmt.Errorf("mirror: %w", err)
	}
	return m.report, err
}

type mirroring struct {
	from   Origin
	to     *Folder
	check  bool
	report Mirrored
	keep   map[string]bool
}

func (m *mirroring) all(ctx context.Context, tree *publish.Walked) error {
	for _, r := range tree.Releases {
		for _, b := range r.Named() {
			if err := m.image(ctx, b); err != nil {
				return err
			}
		}
		for _, image := range r.Images {
			for _, p := range image.Patches {
				if err := m.patch(ctx, p); err != nil {
					return err
				}
			}
		}
	}
	// Roots and targets before the roles that need them is no matter: nothing
	// is read before the timestamp names it. The order is for people.
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(tree.Files))) {
		m.keep[key] = true
		data := tree.Files[key]
		fresh, err := m.to.put(key, data)
		if err != nil {
			return err
		}
		m.count(fresh, int64(len(data)))
	}
	fresh, err := m.to.replace(layout.TimestampFile, tree.Timestamp)
	if err != nil {
		return err
	}
	m.count(fresh, int64(len(tree.Timestamp)))
	m.report.Version, m.report.Files = tree.Version, len(m.keep)
	return nil
}

func (m *mirroring) count(fresh bool, size int64) {
	if fresh {
		m.report.Fetched, m.report.Bytes = m.report.Fetched+1, m.report.Bytes+size
	}
}

// patch brings a patch's table, and the body that only the table names.
func (m *mirroring) patch(ctx context.Context, p manifests.Patch) error {
	if p.Table.Size > patch.MaxTableBytes {
		return fmt.Errorf("patch table %s has %d bytes; at most %d are read", p.Table.SHA256.Short(), p.Table.Size, patch.MaxTableBytes)
	}
	if err := m.image(ctx, p.Table); err != nil {
		return err
	}
	data, err := m.to.read(layout.BlobFile(p.Table.SHA256))
	if err != nil {
		return err
	}
	table, err := patch.Parse(data)
	if err != nil {
		return fmt.Errorf("patch table %s: %w", p.Table.SHA256.Short(), err)
	}
	return m.image(ctx, manifests.Blob{SHA256: table.BodySHA256, Size: table.BodySize})
}

// image brings one image, from where an earlier try ended.
func (m *mirroring) image(ctx context.Context, b manifests.Blob) error {
	key := layout.BlobFile(b.SHA256)
	if m.keep[key] {
		return nil
	}
	m.keep[key] = true
	o := store.Object{Key: key, Size: b.Size, SHA256: b.SHA256}
	there, err := m.to.has(o, m.check)
	if there || err != nil {
		return err
	}
	got, err := m.to.resume(o, func(offset int64) (io.ReadCloser, error) {
		if offset == o.Size {
			return io.NopCloser(bytes.NewReader(nil)), nil
		}
		return m.from.Image(ctx, key, offset)
	})
	m.report.Bytes += got
	if err != nil {
		return err
	}
	m.report.Fetched++
	return nil
}

// ours tells whether a file of the folder is one of a tree; others are left
// alone.
func ours(key string) bool {
	dir, _, ok := strings.Cut(key, "/")
	return ok && slices.Contains([]string{layout.MetadataDir, layout.TargetsDir, layout.BlobsDir}, dir)
}
