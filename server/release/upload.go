package release

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/store"
)

// MaxBlob is the largest blob, in bytes.
const MaxBlob = 1 << 40

// maxOpen bounds the uploads that one server keeps at a time.
const maxOpen = 256

// idle is how long an upload may stand still before its place is needed.
const idle = 7 * 24 * time.Hour

// claimAfter is the age from which a blob that nothing names could be swept
// before its release is signed.
const claimAfter = 24 * time.Hour

// The refusals of uploads.
var (
	ErrWrongOffset = errors.New("the upload goes on at another offset")
	ErrWrongHash   = errors.New("the bytes do not have the announced sha256; begin again")
	ErrTooMany     = errors.New("too many unfinished uploads; finish them or wait")
	ErrTooLarge    = errors.New("more bytes than were announced")
)

// Uploads receives blobs in pieces. It is safe for concurrent use; pieces of
// one upload come one after the other.
type Uploads struct {
	ledger store.Uploads
	blobs  Blobs
	pieces pieces
	now    func() time.Time

	mu     sync.Mutex
	busy   map[string]bool
	making map[string]*making
	made   sync.WaitGroup  // of those
	closed context.Context // ends with Close
	end    context.CancelFunc
}

// pieces keeps what has arrived of blobs that are not whole.
type pieces interface {
	// begin prepares for an upload.
	begin(ctx context.Context, id string) error
	// add takes what arrives after s.Offset, at most what is missing, and tells
	// how many bytes are durable now. With an error, those before it are.
	add(ctx context.Context, s store.Upload, body io.Reader) (int64, error)
	// open reads all of an upload that is whole.
	open(ctx context.Context, s store.Upload) (io.ReadCloser, error)
	// drop forgets an upload; one that is not there is fine.
	drop(ctx context.Context, id string) error
	// sweep removes what belongs to no live upload and is not new.
	sweep(ctx context.Context, live map[string]bool, now time.Time) error
	close() error
}

// NewUploads keeps unfinished blobs in files of dir.
func NewUploads(ledger store.Uploads, blobs Blobs, dir string, now func() time.Time) (*Uploads, error) {
	f, err := newFolder(dir)
	if err != nil {
		return nil, err
	}
	return newUploads(ledger, blobs, f, now), nil
}

func newUploads(ledger store.Uploads, blobs Blobs, p pieces, now func() time.Time) *Uploads {
	u := &Uploads{ledger: ledger, blobs: blobs, pieces: p, now: now, busy: map[string]bool{}, making: map[string]*making{}}
	u.closed, u.end = context.WithCancel(context.Background())
	return u
}

// Status of an upload.
type Status struct {
	ID       string
	Offset   int64
	Size     int64
	Complete bool
}

// Begin starts an upload, or finds the one of the same owner and blob. A blob
// that is here already is complete at once.
func (u *Uploads) Begin(ctx context.Context, owner string, b manifests.Blob) (Status, error) {
	if b.Size < 1 || b.Size > MaxBlob {
		return Status{}, fmt.Errorf("upload of %d bytes: %w", b.Size, ErrTooLarge)
	}
	info, err := u.blobs.Stat(ctx, layout.BlobFile(b.SHA256))
	if err == nil {
		if info.Size != b.Size {
			return Status{}, fmt.Errorf("blob %s has %d bytes: %w", b.SHA256.Short(), info.Size, ErrWrongHash)
		}
		if u.now().Sub(info.Modified) > claimAfter {
			if err := u.claim(ctx, owner, b); err != nil {
				return Status{}, err
			}
			// It may have been removed just before it was claimed.
			if _, err = u.blobs.Stat(ctx, layout.BlobFile(b.SHA256)); err != nil {
				return u.begin(ctx, owner, b, err)
			}
		}
		return Status{ID: "complete-" + b.SHA256.Short(), Offset: b.Size, Size: b.Size, Complete: true}, nil
	}
	return u.begin(ctx, owner, b, err)
}

// claim keeps a blob that was here before from being swept: the release that
// names it is on its way.
func (u *Uploads) claim(ctx context.Context, owner string, b manifests.Blob) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, err := u.ledger.Uploads(ctx)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if slices.ContainsFunc(all, func(s store.Upload) bool { return s.SHA256 == b.SHA256 }) {
		return nil
	}
	if len(all) >= maxOpen && !u.evict(ctx, all[0]) {
		return ErrTooMany
	}
	_, err = u.create(ctx, owner, b)
	return err
}

// begin starts or finds the upload of a blob that is not here; err says why.
func (u *Uploads) begin(ctx context.Context, owner string, b manifests.Blob, err error) (Status, error) {
	if !errors.Is(err, store.ErrNotFound) {
		return Status{}, fmt.Errorf("upload: %w", err)
	}
	s, err := u.found(ctx, owner, b)
	if err != nil {
		return Status{}, err
	}
	if s.Offset == s.Size { // all of it came, and whoever sent it heard no more
		return u.complete(ctx, s)
	}
	return Status{ID: s.ID, Offset: s.Offset, Size: s.Size}, nil
}

// found gives the upload of this owner and blob, an old one or a new one.
func (u *Uploads) found(ctx context.Context, owner string, b manifests.Blob) (store.Upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, err := u.ledger.Uploads(ctx)
	if err != nil {
		return store.Upload{}, fmt.Errorf("upload: %w", err)
	}
	for _, s := range all {
		if s.Owner == owner && s.SHA256 == b.SHA256 && s.Size == b.Size {
			return s, nil
		}
	}
	if len(all) >= maxOpen && !u.evict(ctx, all[0]) {
		return store.Upload{}, ErrTooMany
	}
	return u.create(ctx, owner, b)
}

// evict makes room by dropping an upload that nobody went on with.
func (u *Uploads) evict(ctx context.Context, s store.Upload) bool {
	return !u.busy[s.ID] && u.making[s.ID] == nil && u.now().Sub(s.Updated) > idle && u.drop(ctx, s.ID) == nil
}

func (u *Uploads) create(ctx context.Context, owner string, b manifests.Blob) (store.Upload, error) {
	s := store.Upload{ID: strings.ToLower(rand.Text()), Owner: owner, SHA256: b.SHA256, Size: b.Size, Created: u.now(), Updated: u.now()}
	if err := u.pieces.begin(ctx, s.ID); err != nil {
		return s, fmt.Errorf("upload: %w", err)
	}
	if err := u.ledger.AddUpload(ctx, s); err != nil {
		return s, fmt.Errorf("upload: %w", err)
	}
	return s, nil
}

// Get tells how far an upload has come; store.ErrNotFound if it is not there
// or somebody else's.
func (u *Uploads) Get(ctx context.Context, owner, id string) (Status, error) {
	s, err := u.session(ctx, owner, id)
	return Status{ID: s.ID, Offset: s.Offset, Size: s.Size}, err
}

func (u *Uploads) session(ctx context.Context, owner, id string) (store.Upload, error) {
	s, err := u.ledger.Upload(ctx, id)
	if err == nil && s.Owner != owner {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Upload{}, fmt.Errorf("upload %s: %w", id, err)
	}
	return s, nil
}

// Append writes a piece at an offset, which must be the one reached. What
// arrived before the connection broke is kept. The last byte makes the blob,
// once its hash is right; a wrong hash drops the upload.
func (u *Uploads) Append(ctx context.Context, owner, id string, offset int64, body io.Reader) (Status, error) {
	if !u.enter(id) {
		return Status{}, fmt.Errorf("upload %s: another piece is arriving: %w", id, ErrWrongOffset)
	}
	defer u.leave(id)
	s, err := u.session(ctx, owner, id)
	if err != nil {
		return Status{}, err
	}
	if s.Offset != offset {
		return Status{}, fmt.Errorf("upload %s stands at %d: %w", id, s.Offset, ErrWrongOffset)
	}
	n, readErr := u.pieces.add(ctx, s, body)
	if n > 0 {
		// The bytes are durable; that must be known even if the sender is gone.
		err := u.ledger.AdvanceUpload(context.WithoutCancel(ctx), id, s.Offset, s.Offset+n, u.now())
		if errors.Is(err, store.ErrStale) {
			return Status{}, fmt.Errorf("upload %s: a piece came by way of another server: %w", id, ErrWrongOffset)
		}
		if err != nil {
			return Status{}, fmt.Errorf("upload: %w", err)
		}
		s.Offset += n
	}
	if readErr != nil {
		return Status{}, fmt.Errorf("upload %s: %w", id, readErr)
	}
	if s.Offset < s.Size {
		return Status{ID: id, Offset: s.Offset, Size: s.Size}, nil
	}
	return u.complete(ctx, s)
}

func (u *Uploads) enter(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy[id] {
		return false
	}
	u.busy[id] = true
	return true
}

func (u *Uploads) leave(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.busy, id)
}

func (u *Uploads) drop(ctx context.Context, id string) error {
	if err := u.ledger.DeleteUpload(ctx, id); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := u.pieces.drop(ctx, id); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}
