package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Upload is a blob that is being sent in pieces. Offset bytes are durable.
type Upload struct {
	ID      string
	Owner   string // token ID
	SHA256  manifests.SHA256
	Size    int64
	Offset  int64
	Created time.Time
	Updated time.Time
}

// Uploads keeps the upload sessions.
type Uploads interface {
	// AddUpload is ErrExists if the ID is taken.
	AddUpload(ctx context.Context, u Upload) error
	// Upload is ErrNotFound if there is none.
	Upload(ctx context.Context, id string) (Upload, error)
	// Uploads gives all, the least recently updated first.
	Uploads(ctx context.Context) ([]Upload, error)
	// AdvanceUpload moves the offset from from to to, at most to the size.
	// ErrStale means that another piece came first.
	AdvanceUpload(ctx context.Context, id string, from, to int64, at time.Time) error
	// DeleteUpload removes the session; one that is not there is fine.
	DeleteUpload(ctx context.Context, id string) error
}
