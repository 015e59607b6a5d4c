package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
)

// SharedBlobs is what uploads need of a store that several servers share.
type SharedBlobs interface {
	Blobs
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[store.Info, error]
}

// uploadsDir is where pieces stand in the store.
const uploadsDir = "uploads/"

// bucket keeps each piece in an object that every server can read, named after
// the offset at which it begins: an upload that began at one server goes on at
// any other. The order of pieces is the ledger's (AdvanceUpload); the whole is
// held against its hash in the end.
type bucket struct {
	blobs SharedBlobs
	dir   *os.Root // for the piece that is arriving
}

// NewSharedUploads keeps unfinished blobs in the store, in pieces. Each waits in
// dir until it has arrived; what a dead process left there is removed, so dir is
// this process's alone.
func NewSharedUploads(ledger store.Uploads, blobs SharedBlobs, dir string, now func() time.Time) (*Uploads, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	b := &bucket{blobs: blobs, dir: root}
	if err := b.clear(); err != nil {
		return nil, errors.Join(fmt.Errorf("uploads: %w", err), root.Close())
	}
	return newUploads(ledger, blobs, b, now), nil
}

const arriving = "piece-"

func (b *bucket) clear() error {
	d, err := b.dir.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, arriving) {
			err = errors.Join(err, b.dir.Remove(name))
		}
	}
	return errors.Join(err, d.Close())
}

func pieceKey(id string, offset int64) string {
	return fmt.Sprintf("%s%s/%020d", uploadsDir, id, offset)
}

func (*bucket) begin(context.Context, string) error { return nil }

func (b *bucket) add(ctx context.Context, s store.Upload, body io.Reader) (n int64, err error) {
	name := arriving + strings.ToLower(rand.Text())
	f, err := b.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), b.dir.Remove(name)) }()
	arrived, readErr := take(f, body, s.Size-s.Offset)
	if arrived == 0 {
		return 0, readErr
	}
	// What arrived counts although the sender may be gone.
	n, err = b.put(context.WithoutCancel(ctx), s, f, arrived)
	if err != nil {
		return 0, err
	}
	return n, readErr
}

// put stores the bytes of f and gives how far the upload reaches then. A server
// that died may have stored a piece without its being known: it is taken as it
// is, if it has the same bytes.
func (b *bucket) put(ctx context.Context, s store.Upload, f io.ReaderAt, size int64) (int64, error) {
	for at := int64(0); at < size; {
		key, sum := pieceKey(s.ID, s.Offset+at), sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f, at, size-at)); err != nil {
			return 0, err
		}
		o := store.Object{Key: key, Size: size - at, SHA256: manifests.SHA256(sum.Sum(nil))}
		err := b.blobs.Put(ctx, o, io.NewSectionReader(f, at, size-at))
		if err == nil {
			return size, nil
		}
		if !errors.Is(err, store.ErrExists) {
			return 0, err
		}
		n, err := b.adopt(ctx, key, io.NewSectionReader(f, at, size-at))
		if err != nil {
			return 0, err
		}
		if at += n; at >= size {
			return at, nil // more than was sent now: it was sent before
		}
	}
	return size, nil
}

// adopt gives the size of a piece that is there already and begins with ours,
// or the other way round.
func (b *bucket) adopt(ctx context.Context, key string, ours io.Reader) (int64, error) {
	r, info, err := b.blobs.Open(ctx, key)
	if err != nil {
		return 0, err
	}
	same, err := samePrefix(r, ours)
	if err = errors.Join(err, r.Close()); err != nil {
		return 0, err
	}
	if !same || info.Size == 0 {
		// Not what this sender sends: the next try finds its place free.
		return 0, errors.Join(fmt.Errorf("other bytes were sent before: %w", ErrWrongHash), b.blobs.Delete(ctx, key))
	}
	return info.Size, nil
}

// samePrefix tells whether one begins with all of the other.
func samePrefix(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		least := min(n, m)
		if !bytes.Equal(x[:least], y[:least]) {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if errA != nil || errB != nil {
			return true, nil
		}
	}
}

func (b *bucket) open(ctx context.Context, s store.Upload) (io.ReadCloser, error) {
	return &joined{ctx: ctx, blobs: b.blobs, id: s.ID, size: s.Size}, nil
}

func (b *bucket) drop(ctx context.Context, id string) error {
	var keys []string
	for info, err := range b.blobs.List(ctx, uploadsDir+id+"/") {
		if err != nil {
			return err
		}
		keys = append(keys, info.Key)
	}
	for _, key := range keys {
		if err := b.blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) close() error { return b.dir.Close() }

// joined reads pieces one after the other.
type joined struct {
	ctx   context.Context
	blobs Blobs
	id    string
	size  int64
	next  int64 // offset of the next piece
	piece io.ReadCloser
}

func (j *joined) Read(p []byte) (int, error) {
	for {
		if j.piece == nil {
			if j.next >= j.size {
				return 0, io.EOF
			}
			r, info, err := j.blobs.Open(j.ctx, pieceKey(j.id, j.next))
			if err != nil {
				return 0, err
			}
			j.piece, j.next = r, j.next+max(info.Size, 1)
		}
		n, err := j.piece.Read(p)
		if errors.Is(err, io.EOF) {
			err = j.piece.Close()
			j.piece = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (j *joined) Close() error {
	if j.piece == nil {
		return nil
	}
	return j.piece.Close()
}
