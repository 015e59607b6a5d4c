package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
)

// folder reads tree/ beside the server that has it locked.
type folder struct{ root *os.Root }

func (f folder) Open(_ context.Context, key string) (io.ReadSeekCloser, store.Info, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, store.Info{}, err
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", key, store.ErrNotFound)
	}
	if err != nil {
		return nil, store.Info{}, err
	}
	st, err := file.Stat()
	if err != nil {
		return nil, store.Info{}, errors.Join(err, file.Close())
	}
	return file, store.Info{Key: key, Size: st.Size(), Modified: st.ModTime()}, nil
}

func (f folder) Load(ctx context.Context, key string) ([]byte, store.ETag, error) {
	r, _, err := f.Open(ctx, key)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(r, store.MaxHead))
	return data, "", errors.Join(err, r.Close())
}

// removing is a store that knows of rules that remove objects.
type removing interface {
	Removes(ctx context.Context) (rules []string, known bool, err error)
}

// stores examines ledger, blobs, and that they say the same.
func (v *visit) stores(ctx context.Context) {
	blobs, end := v.blobs(ctx)
	if blobs != nil {
		defer end()
	}
	has, knows, err := v.Dir.LedgerSchema(ctx, v.file)
	switch {
	case err != nil:
		v.say("ledger", Fail, err.Error(), "without its ledger the server does not start; mend what the error names, or restore a backup")
		return
	case has > knows:
		v.say("ledger", Fail, fmt.Sprintf("its tables have version %d, this program knows up to %d", has, knows), "run the newer program that brought them there")
		return
	case has < knows:
		v.say("ledger", Warn, fmt.Sprintf("its tables have version %d, this program brings them to %d when it starts; what is published is examined then", has, knows), "take a backup, then start the server")
		return
	}
	ledger, err := v.Dir.OpenLedger(ctx, v.file)
	if err != nil {
		v.say("ledger", Fail, err.Error(), "mend what the error names, or restore a backup")
		return
	}
	defer func() {
		if err := ledger.Close(); err != nil {
			v.say("ledger", Warn, "it was read, but not closed: "+err.Error(), "look at its disk or network")
		}
	}()
	if err := carry.Ready(ctx, ledger); err != nil {
		v.say("ledger", Fail, err.Error(), "run the command again that was interrupted; nothing is served from it until then")
		return
	}
	v.say("ledger", OK, fmt.Sprintf("it can be read, keeps what it acknowledges, and its tables have version %d", has), "")
	if blobs == nil {
		return
	}
	v.published(ctx, ledger, blobs)
	v.votes(ctx, ledger)
	v.leftovers(ctx, ledger, blobs)
}

// blobs opens the bucket or reads the folder; nil if neither can be.
func (v *visit) blobs(ctx context.Context) (publish.Readable, func()) {
	if v.file.S3 == nil {
		root, err := os.OpenRoot(v.Dir.Tree())
		if err != nil {
			v.say("blobs", Fail, err.Error(), "restore tree/ from a backup; handsets can read nothing")
			return nil, nil
		}
		return folder{root}, func() {
			if err := root.Close(); err != nil {
				v.say("blobs", Warn, err.Error(), "look at the disk")
			}
		}
	}
	bucket, err := v.Dir.OpenBlobs(ctx, v.file)
	if err != nil {
		v.say("blobs", Fail, err.Error(), "nothing can be published, and nothing read that is not in memory; mend what the error names")
		return nil, nil
	}
	v.say("blobs", OK, "the bucket can be reached and honours conditional writes", "")
	v.lifecycle(ctx, bucket)
	return bucket, func() {
		if err := bucket.Close(); err != nil {
			v.say("blobs", Warn, err.Error(), "look at the network")
		}
	}
}

func (v *visit) lifecycle(ctx context.Context, bucket any) {
	r, ok := bucket.(removing)
	if !ok {
		v.say("lifecycle", Warn, "whether rules of the bucket remove objects could not be asked", "look at its lifecycle by hand: no rule may remove what is published")
		return
	}
	switch rules, known, err := r.Removes(ctx); {
	case err != nil:
		v.say("lifecycle", Warn, err.Error(), "look at the bucket's lifecycle by hand: no rule may remove what is published")
	case !known:
		v.say("lifecycle", Warn, "the service does not tell the bucket's lifecycle", "look at it by hand: no rule may remove what is published")
	case len(rules) > 0:
		v.say("lifecycle", Fail, "rules of the bucket remove published files after a time: "+strings.Join(rules, ", "), "remove these rules; the server removes what nothing names any more")
	default:
		v.say("lifecycle", OK, "no rule of the bucket removes objects", "")
	}
}

type heads interface {
	Head(ctx context.Context, name string) (store.Head, error)
}

// published holds the tree against the ledger.
func (v *visit) published(ctx context.Context, ledger heads, blobs publish.Readable) {
	c, err := publish.Check(ctx, ledger, blobs)
	if err != nil {
		v.say("published", Fail, err.Error(), "mend what the error names, or restore a backup")
		return
	}
	v.tree = &c
	switch {
	case c.Number == 0:
		v.say("published", Warn, "nothing is published: there is no root of trust yet", "have the engineers sign and publish the one that `candor-signer init` makes")
	case len(c.Bad) > 0:
		for _, bad := range c.Bad {
			v.say("published", Fail, bad.Error(), "restore this file from a backup or a mirror; a timestamp alone is put right when the server starts")
		}
	default:
		v.say("published", OK, fmt.Sprintf("the ledger's head %d is what stands published; all %d files have the right hash", c.Number, c.Files), "")
	}
}
