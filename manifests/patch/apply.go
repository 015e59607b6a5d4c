package patch

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// Apply writes the new image to w, from the old image and the body. Every row
// is verified before it is written, the whole image at the end: an error then
// means that w holds something else than the image.
func Apply(w io.Writer, t *Table, old, body io.ReaderAt) error {
	d, err := NewDecoder()
	if err != nil {
		return err
	}
	defer d.Close()
	whole := sha256.New()
	w = io.MultiWriter(w, whole)
	source, packed, out := make([]byte, MaxWindowBytes), make([]byte, MaxRowBytes), make([]byte, 0, MaxRowBytes)
	for i := range t.Rows {
		row := &t.Rows[i]
		from, in := source[:row.Needs()], packed[:row.PackedLength]
		if err := readAll(old, from, row.From); err != nil {
			return fmt.Errorf("row %d: read old image: %w", i, err)
		}
		if err := readAll(body, in, row.BodyOffset); err != nil {
			return fmt.Errorf("row %d: read body: %w", i, err)
		}
		if out, err = d.Decode(out[:0], row, from, in); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if _, err := w.Write(out); err != nil {
			return fmt.Errorf("row %d: write image: %w", i, err)
		}
	}
	if [sha256.Size]byte(whole.Sum(nil)) != t.SHA256 {
		return fmt.Errorf("the whole image: %w", ErrMismatch)
	}
	return nil
}

// readAll fills b from offset on; an io.ReaderAt may report the end with the
// last bytes.
func readAll(r io.ReaderAt, b []byte, offset int64) error {
	if len(b) == 0 {
		return nil
	}
	if n, err := r.ReadAt(b, offset); n < len(b) {
		return err
	}
	return nil
}
