package store

import (
	"bytes"
	"context"
	"io"
	"iter"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Blobs keeps immutable objects under names, and one or a few heads.
//
// Names are checked by CheckKey. No name may be the folder of another ("a"
// beside "a/b"). Everything is durable when the call returns. All methods are
// safe for concurrent use, also from several processes where the driver
// serves several (s3); disk locks its folder for one.
type Blobs interface {
	Heads

	// Put creates an object once. It reads body to its end and checks size and
	// sha256 on the way (ErrMismatch); a reader never sees a part of it. The
	// same bytes under the same name again are fine, and body may then be left
	// unread; other bytes are ErrExists. Repeat it with a fresh body.
	Put(ctx context.Context, o Object, body io.Reader) error

	// Open gives an object to read from any offset, or ErrNotFound. From disk
	// it is an *os.File, so that http.ServeContent can use sendfile.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, Info, error)

	// Stat tells about an object without reading it, or ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes an object; one that is not there is fine.
	Delete(ctx context.Context, key string) error

	// List gives the objects whose name begins with prefix, which is empty or
	// ends in "/", in no particular order. Objects that come or go meanwhile
	// may or may not be seen. It stops at the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
}

// Heads are the small objects that are replaced: timestamp.json, for one.
type Heads interface {
	// Load gives a whole object of at most MaxHead bytes and its version, or
	// ErrNotFound.
	Load(ctx context.Context, key string) ([]byte, ETag, error)

	// Replace puts data, at most MaxHead bytes, in the place of the version
	// old, atomically; old is empty when there must be none yet. ErrStale means
	// that another version stands there. Data that already stands there is
	// fine, so a Replace whose answer was lost can be repeated.
	Replace(ctx context.Context, key string, data []byte, old ETag) (ETag, error)
}

// MaxHead is the largest object that Load and Replace take, in bytes.
const MaxHead = 1 << 20

// ETag names one version of an object; it is opaque and never empty.
type ETag string

// Object announces what is put: name, bytes and hash.
type Object struct {
	Key    string
	Size   int64
	SHA256 manifests.SHA256
}

// Info is what a store knows of an object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// PutBytes puts data that is in memory.
func PutBytes(ctx context.Context, b Blobs, key string, data []byte) error {
	o := Object{Key: key, Size: int64(len(data)), SHA256: manifests.SumSHA256(data)}
	return b.Put(ctx, o, bytes.NewReader(data))
}
