package carry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// Source is what a backup is made of. A server may be at work on it.
type Source struct {
	Ledger Ledger
	Blobs  interface {
		Open(ctx context.Context, key string) (io.ReadSeekCloser, store.Info, error)
	}
	// Images lists the images to take along; nil: none.
	Images interface {
		List(ctx context.Context, prefix string) iter.Seq2[store.Info, error]
	}
	Now func() time.Time
}

// Saved is what a backup came to.
type Saved struct {
	Header
	End
}

// Backup writes the ledger as it is at one moment, the published files that it
// names, and perhaps images.
func Backup(ctx context.Context, s Source, to io.Writer) (Saved, error) {
	saved := Saved{Header: Header{Made: manifests.At(s.Now().UTC()), Blobs: s.Images != nil}}
	var w *writer
	var tree store.Head
	err := s.Ledger.View(ctx, func(v *relational.View) error {
		head, err := auditHead(ctx, v)
		if err != nil {
			return err
		}
		if head.Seq > 0 {
			saved.Audit = head.String()
		}
		if w, err = newWriter(to, saved.Header); err != nil {
			return err
		}
		for _, t := range relational.Tables() {
			if why[t.Name] != "" {
				continue
			}
			if err := saveTable(ctx, w, v, t, &tree); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return saved, err
	}
	files, err := publish.Published(tree)
	if err != nil {
		return saved, err
	}
	for _, o := range files {
		if err := saveObject(ctx, w, s, o); err != nil {
			return saved, err
		}
	}
	if s.Images != nil {
		if err := saveImages(ctx, w, s); err != nil {
			return saved, err
		}
	}
	saved.End, err = w.close()
	return saved, err
}

func auditHead(ctx context.Context, v *relational.View) (h audit.Head, err error) {
	last, err := v.Last(ctx, table("audit"))
	if err != nil || last == nil {
		return h, err
	}
	seq, ok := last[0].(int64)
	if !ok {
		return h, errors.New("the audit log's numbers are no numbers")
	}
	h.Seq = seq
	return h, v.Rows(ctx, table("audit"), []string{"hash"}, relational.Row{seq - 1}, func(r relational.Row) error {
		hash, ok := r[0].([]byte)
		if !ok || len(hash) != len(h.Hash) {
			return fmt.Errorf("audit entry %d has no hash", seq)
		}
		h.Hash = manifests.SHA256(hash)
		return nil
	})
}

// saveTable writes a table, and takes note of the head of the tree. The secrets
// by which credentials are told apart stay out: a restore makes new ones.
func saveTable(ctx context.Context, w *writer, v *relational.View, t relational.Table, tree *store.Head) error {
	columns, err := v.Columns(ctx, t)
	if err != nil {
		return err
	}
	if err := w.table(t.Name, columns); err != nil {
		return err
	}
	at := indexes(columns)
	return v.Rows(ctx, t, columns, nil, func(r relational.Row) error {
		switch {
		case t.Name == "vote_releases":
			r[at["secret"]] = nil
		case t.Name == "heads" && r[at["name"]] == publish.TreeHead:
			*tree = headOf(r, at)
		}
		return w.row(r)
	})
}

func indexes(columns []string) map[string]int {
	at := map[string]int{}
	for i, c := range columns {
		at[c] = i
	}
	return at
}

func headOf(r relational.Row, at map[string]int) store.Head {
	version, _ := r[at["version"]].(int64)
	etag, _ := r[at["etag"]].(string)
	document, _ := r[at["document"]].([]byte)
	return store.Head{Name: publish.TreeHead, Version: version, ETag: store.ETag(etag), Document: document}
}

func saveObject(ctx context.Context, w *writer, s Source, o store.Object) error {
	r, _, err := s.Blobs.Open(ctx, o.Key)
	if err != nil {
		return fmt.Errorf("published file: %w", err)
	}
	return errors.Join(w.object(o, r), r.Close())
}

// saveImages takes along every image that is stored; one that goes meanwhile
// was not needed any more.
func saveImages(ctx context.Context, w *writer, s Source) error {
	var all []store.Object
	for info, err := range s.Images.List(ctx, layout.BlobsDir+"/") {
		if err != nil {
			return err
		}
		hash, err := manifests.ParseSHA256(strings.TrimPrefix(info.Key, layout.BlobsDir+"/"))
		if err != nil {
			continue // not an image
		}
		all = append(all, store.Object{Key: info.Key, Size: info.Size, SHA256: hash})
	}
	slices.SortFunc(all, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	for _, o := range all {
		err := saveObject(ctx, w, s, o)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
