package patch

import (
	"crypto/sha256"
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
)

// Limits of the format.
const (
	MinRowBytes    = 4 << 10 // of output; the last row may have fewer
	MaxRowBytes    = 1 << 20 // of output
	MaxWindowBytes = 2 << 20 // of the old image, for one segment
	MaxRows        = 1 << 16
	MaxTableBytes  = headerBytes + MaxRows*patchedBytes
)

// Kind says where the bytes of a row come from.
type Kind uint8

// The kinds of rows.
const (
	Copy    Kind = iota // the old image has them
	Zeros               // they are all zero
	Plain               // the body has them, as one zstd frame or raw
	Patched             // the body has a zstd frame that refers to a window of the old image
)

// Table is what turns one image into another, together with its body.
type Table struct {
	FromSize   int64 // bytes of the old image
	FromSHA256 [sha256.Size]byte
	Size       int64 // bytes of the new image
	SHA256     [sha256.Size]byte
	BodySize   int64 // bytes
	BodySHA256 [sha256.Size]byte
	Rows       []Row // in the order of the new image, without gaps
}

// Row is one stretch of the new image. Offset and BodyOffset follow from the
// rows before and are not written.
type Row struct {
	Offset       int64 // in the new image
	From         int64 // in the old image: where the copy, or the window, begins
	BodyOffset   int64 // in the body: where the packed bytes of this row, or of the next that has some, begin
	SHA256       [sha256.Size]byte
	PackedSHA256 [image.SumBytes]byte
	Length       int32 // bytes in the new image
	PackedLength int32 // bytes in the body; equal to Length where Plain is raw
	Window       int32 // bytes of the old image that a patched segment refers to
	Kind         Kind
}

// Needs is how many bytes of the old image, from From on, the row is made from.
func (r *Row) Needs() int {
	switch r.Kind {
	case Copy:
		return int(r.Length)
	case Patched:
		return int(r.Window)
	default:
		return 0
	}
}

// CheckSigned compares the table with what a release says: of the image that it
// makes, and of the patch.
func (t *Table) CheckSigned(m manifests.Image, p manifests.Patch) error {
	switch {
	case t.FromSHA256 != p.FromSHA256:
		return refuse(-1, "old image", "its SHA-256 is %s; signed is %s", manifests.SHA256(t.FromSHA256), p.FromSHA256)
	case t.Size != m.Size || t.SHA256 != m.SHA256:
		return refuse(-1, "new image", "%d bytes with SHA-256 %s; signed are %d, %s", t.Size, manifests.SHA256(t.SHA256), m.Size, m.SHA256)
	case t.BodySize != p.BodySize:
		return refuse(-1, "body size", "%d bytes; signed are %d", t.BodySize, p.BodySize)
	}
	return nil
}

// add appends a row and places it behind the rows before.
func (t *Table) add(r Row) {
	r.Offset, r.BodyOffset = t.Size, t.BodySize
	t.Rows = append(t.Rows, r)
	t.Size += int64(r.Length)
	t.BodySize += int64(r.PackedLength)
}

// FieldError says which field of a table was refused, in which row, and why.
type FieldError struct {
	Field  string
	Row    int // -1 for the header
	Reason string
}

func (e *FieldError) Error() string {
	if e.Row < 0 {
		return fmt.Sprintf("patch table: %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("patch table: row %d: %s: %s", e.Row, e.Field, e.Reason)
}

func refuse(row int, field, format string, args ...any) error {
	return &FieldError{Field: field, Row: row, Reason: fmt.Sprintf(format, args...)}
}
