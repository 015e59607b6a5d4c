package patch

import "encoding/binary"

// parseRows reads rows rows from b. The sizes in the header become the running
// sums and must come out the same.
func (t *Table) parseRows(b []byte, rows int) error {
	size, bodySize := t.Size, t.BodySize
	t.Size, t.BodySize, t.Rows = 0, 0, make([]Row, 0, rows)
	for i := range rows {
		if len(b) < wordBytes {
			return refuse(i, "length", "the file ends here")
		}
		word := binary.BigEndian.Uint32(b)
		row := Row{Kind: Kind(word >> kindShift)}
		n := row.Kind.fileBytes()
		if len(b) < n {
			return refuse(i, "length", "the file ends within the row")
		}
		length := word &^ (3 << kindShift)
		if length == 0 || length > MaxRowBytes || (length < MinRowBytes && i < rows-1) {
			return refuse(i, "length", "%d bytes; a row has from %d to %d, the last one from 1", length, MinRowBytes, MaxRowBytes)
		}
		row.Length = int32(length)
		if err := row.parse(b[wordBytes:n], i, t.FromSize); err != nil {
			return err
		}
		t.add(row)
		if t.Size > size {
			return refuse(i, "length", "the rows exceed the new image's %d bytes", size)
		}
		if t.BodySize > bodySize {
			return refuse(i, "packed length", "the rows exceed the body's %d bytes", bodySize)
		}
		b = b[n:]
	}
	switch {
	case len(b) != 0:
		return refuse(-1, "length", "%d bytes follow the last row", len(b))
	case t.Size != size:
		return refuse(-1, "new image size", "%d bytes; the rows sum up to %d", size, t.Size)
	case t.BodySize != bodySize:
		return refuse(-1, "body size", "%d bytes; the rows sum up to %d", bodySize, t.BodySize)
	}
	return nil
}

// parse reads what follows the first word of row i, which the kind says is all
// of b.
func (r *Row) parse(b []byte, i int, fromSize int64) error {
	if r.Kind == Plain || r.Kind == Patched {
		most := uint32(r.Length)
		if r.Kind == Patched {
			most-- // a segment that is as long as its bytes is sent raw
		}
		packed := binary.BigEndian.Uint32(b)
		if packed == 0 || packed > most {
			return refuse(i, "packed length", "%d bytes; it must be from 1 to %d", packed, most)
		}
		r.PackedLength, b = int32(packed), b[4:]
	}
	if r.Kind == Copy || r.Kind == Patched {
		from := binary.BigEndian.Uint64(b)
		if b = b[8:]; r.Kind == Patched {
			window := binary.BigEndian.Uint32(b)
			if window == 0 || window > MaxWindowBytes {
				return refuse(i, "window", "%d bytes; it must be from 1 to %d", window, MaxWindowBytes)
			}
			r.Window, b = int32(window), b[4:]
		}
		if needs := uint64(r.Needs()); needs > uint64(fromSize) || from > uint64(fromSize)-needs {
			return refuse(i, "source", "%d bytes at %d; the old image has %d", needs, from, fromSize)
		}
		r.From = int64(from)
	}
	if r.Kind != Zeros {
		b = b[copy(r.SHA256[:], b):]
	}
	copy(r.PackedSHA256[:], b)
	return nil
}
