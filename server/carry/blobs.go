package carry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// Objects is what a copy of objects came to.
type Objects struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Sent    int64 `json:"sent"` // objects that were not there yet
}

// MoveBlobs copies every object of a store that nobody writes to into one that
// is empty, reads each back and compares it. The head comes last, so a target
// with a timestamp is whole. Killed, it goes on when it is run again.
func MoveBlobs(ctx context.Context, from, to store.Blobs, say func(key string)) (Objects, error) {
	var done Objects
	if err := foreign(ctx, from, to); err != nil {
		return done, err
	}
	for info, err := range from.List(ctx, "") {
		if err != nil {
			return done, fmt.Errorf("move objects: %w", err)
		}
		if info.Key == layout.TimestampFile {
			continue
		}
		sent, err := moveBlob(ctx, from, to, info)
		if err != nil {
			return done, fmt.Errorf("move objects: %w", err)
		}
		say(info.Key)
		done.Objects, done.Bytes = done.Objects+1, done.Bytes+info.Size
		if sent {
			done.Sent++
		}
	}
	n, err := moveHead(ctx, from, to)
	if n > 0 {
		done.Objects, done.Bytes = done.Objects+1, done.Bytes+n
	}
	return done, err
}

// foreign refuses a target that holds what the source does not.
func foreign(ctx context.Context, from, to store.Blobs) error {
	for info, err := range to.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("look at the target: %w", err)
		}
		if _, err := from.Stat(ctx, info.Key); errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the target has an object %s, which the source has not: it %w", info.Key, ErrTaken)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func moveBlob(ctx context.Context, from, to store.Blobs, info store.Info) (sent bool, err error) {
	o, err := announce(ctx, from, info)
	if err != nil {
		return false, err
	}
	there, err := to.Stat(ctx, o.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := send(ctx, from, to, o); err != nil {
			return false, err
		}
		sent = true
	case err != nil:
		return false, err
	case there.Size != o.Size:
		return false, fmt.Errorf("object %s has %d bytes in the target, and %d in the source: it %w", o.Key, there.Size, o.Size, ErrTaken)
	}
	r, _, err := to.Open(ctx, o.Key)
	if err != nil {
		return sent, err
	}
	same, err := store.Same(o, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return sent, err
	}
	if !same {
		return sent, fmt.Errorf("object %s has other bytes in the target than in the source: it %w", o.Key, ErrTaken)
	}
	return sent, nil
}

// announce says what an object is. A blob's name is its hash; others are read.
func announce(ctx context.Context, from store.Blobs, info store.Info) (store.Object, error) {
	o := store.Object{Key: info.Key, Size: info.Size}
	if name, ok := strings.CutPrefix(info.Key, layout.BlobsDir+"/"); ok {
		hash, err := manifests.ParseSHA256(name)
		if err != nil {
			return o, fmt.Errorf("object %s is not named after its hash", info.Key)
		}
		o.SHA256 = hash
		return o, nil
	}
	r, _, err := from.Open(ctx, info.Key)
	if err != nil {
		return o, err
	}
	h := sha256.New()
	o.Size, err = io.Copy(h, r)
	o.SHA256 = manifests.SHA256(h.Sum(nil))
	return o, errors.Join(err, r.Close())
}

func send(ctx context.Context, from, to store.Blobs, o store.Object) error {
	r, _, err := from.Open(ctx, o.Key)
	if err != nil {
		return err
	}
	return errors.Join(to.Put(ctx, o, r), r.Close())
}

func moveHead(ctx context.Context, from, to store.Blobs) (int64, error) {
	data, _, err := from.Load(ctx, layout.TimestampFile)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := to.Replace(ctx, layout.TimestampFile, data, ""); err != nil {
		if errors.Is(err, store.ErrStale) {
			return 0, fmt.Errorf("%s is another one in the target: it %w", layout.TimestampFile, ErrTaken)
		}
		return 0, err
	}
	return int64(len(data)), nil
}
