package image

import (
	"crypto/sha256"
	"fmt"
)

// Index is the table of the chunks of one image.
type Index struct {
	ImageSize   int64 // bytes
	ImageSHA256 [sha256.Size]byte
	PackSize    int64 // bytes
	PackSHA256  [sha256.Size]byte
	Rows        []Row // in image order
}

// Row is one chunk. Offsets follow from the rows before and are not written.
type Row struct {
	Offset       int64          // in the image
	PackOffset   int64          // in the pack; of a repeated chunk, where its first occurrence stands
	SHA256       [SumBytes]byte // of the bytes in the image, its first half
	PackedSHA256 [SumBytes]byte // of the bytes in the pack, its first half
	Length       int32          // bytes in the image
	PackedLength int32          // bytes in the pack; equal to Length for a chunk that is stored raw
	First        int32          // the row in which these bytes occurred first; its own number if here
}

// SumBytes is how much of each SHA-256 of a chunk the index keeps: the first 16
// bytes. Other bytes with the same ones take 2^128 trials to find, and the whole
// image has a full hash, so who makes two such chunks (2^64 trials) has made an
// image that no handset can install.
const SumBytes = 16

// Unique tells whether row i has bytes of its own in the pack.
func (x *Index) Unique(i int) bool { return int(x.Rows[i].First) == i }

// Params are the chunk sizes of the image.
func (x *Index) Params() Params { return ParamsFor(x.ImageSize) }

// Add appends a chunk that occurs for the first time.
func (x *Index) Add(length, packedLength int, sum, packedSum [SumBytes]byte) {
	x.Rows = append(x.Rows, Row{
		Offset: x.ImageSize, PackOffset: x.PackSize, SHA256: sum, PackedSHA256: packedSum,
		Length: int32(length), PackedLength: int32(packedLength), First: int32(len(x.Rows)),
	})
	x.ImageSize += int64(length)
	x.PackSize += int64(packedLength)
}

// Repeat appends a chunk that occurred before, in row first.
func (x *Index) Repeat(first int) {
	row := x.Rows[first]
	row.Offset = x.ImageSize
	x.Rows = append(x.Rows, row)
	x.ImageSize += int64(row.Length)
}

// PackPosition is where in the pack the first bytes stand that row i or a later
// row needs and no earlier row had: where a download resumes. It is PackSize if
// nothing more is needed.
func (x *Index) PackPosition(i int) int64 {
	for ; i < len(x.Rows); i++ {
		if x.Unique(i) {
			return x.Rows[i].PackOffset
		}
	}
	return x.PackSize
}

// FieldError says which field of an index was refused, in which row, and why.
type FieldError struct {
	Field  string
	Row    int // -1 for the header
	Reason string
}

func (e *FieldError) Error() string {
	if e.Row < 0 {
		return fmt.Sprintf("image index: %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("image index: row %d: %s: %s", e.Row, e.Field, e.Reason)
}

func refuse(row int, field, format string, args ...any) error {
	return &FieldError{Field: field, Row: row, Reason: fmt.Sprintf(format, args...)}
}
