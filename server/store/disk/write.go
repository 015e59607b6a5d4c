package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// Put creates an object once.
func (b *Blobs) Put(ctx context.Context, o store.Object, body io.Reader) error {
	if err := store.CheckKey(o.Key); err != nil {
		return err
	}
	if done, err := b.present(o); done || err != nil {
		return err
	}
	temp, err := b.write(ctx, store.Verify(o, body))
	if err != nil {
		return fmt.Errorf("put %s: %w", o.Key, err)
	}
	done, err := b.place(temp, o)
	if done || err != nil {
		err = errors.Join(err, b.discard(temp))
	}
	return err
}

// discard removes a temporary file, if it was not renamed already.
func (b *Blobs) discard(temp string) error {
	if err := b.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// place renames a finished file into place, unless the name was taken while it
// was written; done then tells that the same bytes are there.
func (b *Blobs) place(temp string, o store.Object) (done bool, err error) {
	b.commit.Lock()
	defer b.commit.Unlock()
	if done, err = b.present(o); done || err != nil {
		return done, err
	}
	return false, b.rename(temp, o.Key)
}

// present tells whether these very bytes are there, durably; other bytes are
// ErrExists.
func (b *Blobs) present(o store.Object) (bool, error) {
	f, _, err := b.open(o.Key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	same, err := store.Same(o, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	if !same {
		return false, fmt.Errorf("object %s: %w", o.Key, store.ErrExists)
	}
	// Whoever renamed it may not have come to the fsync yet.
	return true, b.syncDir(path.Dir(o.Key))
}

// write makes a durable file in .tmp and gives its name.
func (b *Blobs) write(ctx context.Context, body io.Reader) (string, error) {
	name := path.Join(tempDir, rand.Text())
	f, err := b.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, &cancelled{ctx, body})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, b.discard(name))
	}
	return name, nil
}

// rename moves a temporary file onto a name and makes that durable.
func (b *Blobs) rename(temp, key string) error {
	dir := path.Dir(key)
	if err := b.root.MkdirAll(dir, dirMode); err != nil {
		return named(key, err)
	}
	if err := b.root.Rename(temp, key); err != nil {
		return named(key, err)
	}
	return b.syncDir(dir)
}

// syncDir fsyncs a folder, and once in the life of the process every folder
// above it: the one that made them may have been killed before its fsync.
func (b *Blobs) syncDir(dir string) error {
	if err := b.fsync(dir); err != nil {
		return err
	}
	for dir != "." {
		if _, known := b.synced.Load(dir); known {
			return nil
		}
		if err := b.fsync(path.Dir(dir)); err != nil {
			return err
		}
		b.synced.Store(dir, nil)
		dir = path.Dir(dir)
	}
	return nil
}

func (b *Blobs) fsync(dir string) error {
	d, err := b.root.Open(dir)
	if err != nil {
		return fmt.Errorf("fsync folder %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("fsync folder %s: %w", dir, err)
	}
	return nil
}

// Load reads a head; its version is the hash of its bytes.
func (b *Blobs) Load(_ context.Context, key string) ([]byte, store.ETag, error) {
	f, st, err := b.open(key)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, store.MaxHead+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, "", named(key, err)
	}
	if len(data) > store.MaxHead {
		return nil, "", fmt.Errorf("object %s: %d bytes; a head has at most %d", key, st.Size(), store.MaxHead)
	}
	return data, etag(data), nil
}

// Replace puts data in the place of the version old.
func (b *Blobs) Replace(ctx context.Context, key string, data []byte, old store.ETag) (store.ETag, error) {
	if len(data) > store.MaxHead {
		return "", fmt.Errorf("object %s: %d bytes; a head has at most %d", key, len(data), store.MaxHead)
	}
	b.commit.Lock()
	defer b.commit.Unlock()
	now, tag, err := b.Load(ctx, key)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return "", err
	case err == nil && bytes.Equal(now, data):
		return tag, b.syncDir(path.Dir(key))
	case tag != old:
		return "", fmt.Errorf("replace %s: %w", key, store.ErrStale)
	}
	temp, err := b.write(ctx, bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("replace %s: %w", key, err)
	}
	if err := b.rename(temp, key); err != nil {
		return "", errors.Join(err, b.discard(temp))
	}
	return etag(data), nil
}

func etag(data []byte) store.ETag { return store.ETag(manifests.SumSHA256(data).String()) }

// cancelled stops a copy when its context ends.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
