package image

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// Extract writes the image to w, from its index and its pack. Every chunk is
// verified before it is written, the whole image at the end: an error then
// means that w holds something else than the image.
func Extract(w io.Writer, x *Index, pack io.ReaderAt) error {
	u, err := NewUnpacker()
	if err != nil {
		return err
	}
	defer u.Close()
	whole := sha256.New()
	w = io.MultiWriter(w, whole)
	packed, plain := make([]byte, MaxChunkBytes), make([]byte, 0, MaxChunkBytes)
	held := int32(-1) // the unique row that plain holds
	for i := range x.Rows {
		row := &x.Rows[i]
		if row.First != held {
			in := packed[:row.PackedLength]
			if n, err := pack.ReadAt(in, row.PackOffset); n < len(in) {
				return fmt.Errorf("row %d: read pack: %w", i, err)
			}
			if plain, err = u.Unpack(plain[:0], row, in); err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
			held = row.First
		}
		if _, err := w.Write(plain); err != nil {
			return fmt.Errorf("row %d: write image: %w", i, err)
		}
	}
	if [sha256.Size]byte(whole.Sum(nil)) != x.ImageSHA256 {
		return fmt.Errorf("the whole image: %w", ErrMismatch)
	}
	return nil
}
