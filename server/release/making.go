package release

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// making is a blob that is made of an upload. With an image of many gigabytes
// it takes longer than a client, or a proxy, waits for an answer, so it goes on
// when nobody waits any more, and who asks again waits for the same one.
type making struct {
	done   chan struct{}
	status Status
	err    error
}

// complete makes the blob of an upload that is whole, or waits for whoever is
// at it already.
func (u *Uploads) complete(ctx context.Context, s store.Upload) (Status, error) {
	u.mu.Lock()
	m := u.making[s.ID]
	if m == nil && u.closed.Err() != nil {
		u.mu.Unlock()
		return Status{}, fmt.Errorf("upload %s: %w", s.ID, store.ErrUnavailable)
	}
	if m == nil {
		m = &making{done: make(chan struct{})}
		u.making[s.ID] = m
		u.made.Go(func() { u.finish(context.WithoutCancel(ctx), s, m) })
	}
	u.mu.Unlock()
	select {
	case <-m.done:
		return m.status, m.err
	case <-ctx.Done():
		return Status{}, fmt.Errorf("upload %s: the blob is still being made: %w", s.ID, ctx.Err())
	}
}

// finish makes a blob until that is done or Close is called.
func (u *Uploads) finish(ctx context.Context, s store.Upload, m *making) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(u.closed, cancel)()
	m.status, m.err = u.assemble(ctx, s)
	if m.err != nil && u.closed.Err() != nil {
		m.err = fmt.Errorf("%w: the server ends", store.ErrUnavailable)
	}
	u.mu.Lock()
	delete(u.making, s.ID)
	u.mu.Unlock()
	close(m.done)
}

// assemble moves the bytes into the store, which checks length and hash.
func (u *Uploads) assemble(ctx context.Context, s store.Upload) (Status, error) {
	f, err := u.pieces.open(ctx, s)
	if err != nil {
		return Status{}, fmt.Errorf("upload %s: %w", s.ID, err)
	}
	o := store.Object{Key: layout.BlobFile(s.SHA256), Size: s.Size, SHA256: s.SHA256}
	err = errors.Join(u.blobs.Put(ctx, o, io.LimitReader(f, s.Size)), f.Close())
	if errors.Is(err, store.ErrMismatch) || errors.Is(err, store.ErrNotFound) { // other bytes, or a piece is gone
		if u.isMade(ctx, o) {
			return Status{ID: s.ID, Offset: s.Size, Size: s.Size, Complete: true}, u.drop(ctx, s.ID)
		}
		return Status{}, errors.Join(fmt.Errorf("upload %s: %w", s.ID, ErrWrongHash), u.drop(ctx, s.ID))
	}
	if err != nil {
		return Status{}, fmt.Errorf("upload %s: %w", s.ID, err)
	}
	return Status{ID: s.ID, Offset: s.Size, Size: s.Size, Complete: true}, u.drop(ctx, s.ID)
}

// isMade tells whether another server has made the blob meanwhile: one that had
// all of it, and was thought to be dead. It has dropped the pieces then.
func (u *Uploads) isMade(ctx context.Context, o store.Object) bool {
	info, err := u.blobs.Stat(ctx, o.Key)
	return err == nil && info.Size == o.Size
}

// Close ends what is being made, which is begun again when somebody asks for it,
// and releases the folder.
func (u *Uploads) Close() error {
	u.mu.Lock()
	u.end()
	u.mu.Unlock()
	u.made.Wait()
	return u.pieces.close()
}
