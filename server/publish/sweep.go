package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/server/store"
)

// OrphanLife is how long an object that nothing names is left alone, counted
// from when it was written. Blobs come before the release that names them, by as
// long as people take to sign it; a file of the tree comes before its head, by
// seconds. Together with Grace it is how long the images of a release stay after
// its engineers took it off the list.
const OrphanLife = 7 * 24 * time.Hour

// Stored is what a sweep goes over.
type Stored interface {
	opener
	List(ctx context.Context, prefix string) iter.Seq2[store.Info, error]
}

// Uploading tells which blobs are on their way here.
type Uploading interface {
	Uploads(ctx context.Context) ([]store.Upload, error)
}

// Sweeping is what a sweep needs beside the ledger's head.
type Sweeping struct {
	Blobs   Stored
	Uploads Uploading
	Now     time.Time
}

// Orphans lists the objects of the tree that nothing names: no release that is
// live or that a handset in mid-refresh may still read, no head, no upload. It
// changes nothing, and may run beside a server. What is younger than OrphanLife
// is not among them, nor is anything outside of the tree's three folders.
func Orphans(ctx context.Context, heads Heads, s Sweeping) ([]store.Info, error) {
	named, err := namedNow(ctx, heads, s)
	if err != nil || named == nil {
		return nil, err
	}
	var out []store.Info
	for _, dir := range []string{layout.MetadataDir, layout.TargetsDir, layout.BlobsDir} {
		for info, err := range s.Blobs.List(ctx, dir+"/") {
			if err != nil {
				return nil, fmt.Errorf("sweep: %w", err)
			}
			if !named[info.Key] && s.Now.Sub(info.Modified) > OrphanLife {
				out = append(out, info)
			}
		}
	}
	return out, nil
}

// namedNow gives every name that must stay; nil while nothing is published, for
// then everything may be on its way.
func namedNow(ctx context.Context, heads Heads, s Sweeping) (map[string]bool, error) {
	h, err := heads.Head(ctx, treeHead)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var tree head
	if err := json.Unmarshal(h.Document, &tree); err != nil {
		return nil, fmt.Errorf("sweep: head %d of the tree: %w", h.Version, err)
	}
	named := map[string]bool{layout.TimestampFile: true}
	for path, f := range tree.Files {
		named[path] = true
		if !strings.HasPrefix(path, layout.TargetsDir+"/releases/") {
			continue
		}
		// Also of a document that has been retired: handsets may be on the way.
		data, err := readFile(ctx, s.Blobs, path, f)
		if err != nil && f.Until != nil && changed(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
		if err := s.nameBlobs(ctx, data, named); err != nil {
			return nil, fmt.Errorf("sweep: %s: %w", path, err)
		}
	}
	uploads, err := s.Uploads.Uploads(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	for _, u := range uploads {
		named[layout.BlobFile(u.SHA256)] = true
	}
	return named, nil
}

// nameBlobs adds all that a release needs. The bodies of patches stand in their
// tables alone; a table that is gone names nothing any more.
func (s Sweeping) nameBlobs(ctx context.Context, document []byte, named map[string]bool) error {
	r, err := manifests.ParseRelease(document)
	if err != nil {
		return err
	}
	for _, b := range r.Named() {
		named[layout.BlobFile(b.SHA256)] = true
	}
	for _, m := range r.Images {
		for _, p := range m.Patches {
			named[layout.BlobFile(p.Table.SHA256)] = true
			file, err := s.table(ctx, p.Table)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			t, err := patch.Parse(file)
			if err != nil {
				return fmt.Errorf("patch table %s: %w", p.Table.SHA256.Short(), err)
			}
			named[layout.BlobFile(t.BodySHA256)] = true
		}
	}
	return nil
}

func (s Sweeping) table(ctx context.Context, b manifests.Blob) ([]byte, error) {
	r, _, err := s.Blobs.Open(ctx, layout.BlobFile(b.SHA256))
	if err != nil {
		return nil, err
	}
	file, err := io.ReadAll(io.LimitReader(r, min(b.Size, patch.MaxTableBytes)))
	return file, errors.Join(err, r.Close())
}

// Swept is what a sweep removed.
type Swept struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Sweep removes what nothing names any more: what a crash left between a file
// and its head, files whose removal failed, images of releases that were retired
// or withdrawn, and blobs whose release never came. It looks without the lease,
// for a store can be large, and again under it right before it removes: nothing
// is published in between, and an upload that began meanwhile keeps its blob.
func (p *Publisher) Sweep(ctx context.Context, s Sweeping) (Swept, error) {
	var out Swept
	found, err := Orphans(ctx, p.ledger, s)
	if err != nil || len(found) == 0 {
		return out, err
	}
	err = p.exclusively(ctx, func(ctx context.Context, _ store.Lease) error {
		named, err := namedNow(ctx, p.ledger, s)
		if err != nil || named == nil {
			return err
		}
		for _, info := range found {
			if named[info.Key] {
				continue
			}
			if err := p.blobs.Delete(ctx, info.Key); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			out.Objects, out.Bytes = out.Objects+1, out.Bytes+info.Size
		}
		return nil
	})
	return out, err
}
