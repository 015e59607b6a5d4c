package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// List walks the folder, so that leftovers are found beside the server that has
// it locked. What goes meanwhile is passed over.
func (f folder) List(_ context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		err := fs.WalkDir(f.root.FS(), prefix[:len(prefix)-1], func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return missing(err)
			}
			info, err := d.Info()
			if err != nil {
				return missing(err)
			}
			if !yield(store.Info{Key: path, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(store.Info{}, err)
		}
	}
}

// missing passes over what is not there (any more).
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// leftovers looks for what nothing names. A server that runs removes it within
// the hour, so what has been there for a day longer is worth a word.
func (v *visit) leftovers(ctx context.Context, ledger publish.Heads, blobs publish.Readable) {
	uploads, known := ledger.(publish.Uploading)
	all, lists := blobs.(publish.Stored)
	if !known || !lists {
		return
	}
	found, err := publish.Orphans(ctx, ledger, publish.Sweeping{Blobs: all, Uploads: uploads, Now: v.Now().Add(-24 * time.Hour)})
	if err != nil {
		v.say("leftovers", Warn, err.Error(), "mend what the error names; until then nothing is removed")
		return
	}
	var bytes int64
	for _, info := range found {
		bytes += info.Size
	}
	if len(found) > 0 {
		v.say("leftovers", Warn, fmt.Sprintf("%d objects of %d bytes are named by nothing any more, the first is %s", len(found), bytes, found[0].Key),
			"start the server, which removes them within the hour; if it runs, its log says why it does not")
		return
	}
	v.say("leftovers", OK, "everything in the store is named by a release, a head or an upload, or is too young to tell", "")
}
