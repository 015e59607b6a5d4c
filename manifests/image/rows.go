package image

import "encoding/binary"

// parseRows reads rows rows from b, which the header says they fill exactly.
// The sizes in the header become the running sums and must come out the same.
func (x *Index) parseRows(b []byte, rows int) error {
	imageSize, packSize, p := x.ImageSize, x.PackSize, x.Params()
	x.ImageSize, x.PackSize, x.Rows = 0, 0, make([]Row, 0, rows)
	for i := range rows {
		if len(b) < repeatBytes {
			return refuse(i, "length", "the file ends here")
		}
		word := binary.BigEndian.Uint32(b)
		var err error
		switch {
		case word&repeatFlag != 0:
			b, err = b[repeatBytes:], x.parseRepeat(i, word&^repeatFlag)
		case len(b) < uniqueBytes:
			err = refuse(i, "length", "the file ends within the row")
		default:
			err = x.parseUnique(i, b, p, i == rows-1)
			b = b[uniqueBytes:]
		}
		if err != nil {
			return err
		}
		if x.ImageSize > imageSize {
			return refuse(i, "length", "the rows exceed the image's %d bytes", imageSize)
		}
		if x.PackSize > packSize {
			return refuse(i, "packed length", "the rows exceed the pack's %d bytes", packSize)
		}
	}
	switch {
	case len(b) != 0:
		return refuse(-1, "length", "%d bytes follow the last row", len(b))
	case x.ImageSize != imageSize:
		return refuse(-1, "image size", "%d bytes; the rows sum up to %d", imageSize, x.ImageSize)
	case x.PackSize != packSize:
		return refuse(-1, "pack size", "%d bytes; the rows sum up to %d", packSize, x.PackSize)
	}
	return nil
}

func (x *Index) parseRepeat(i int, first uint32) error {
	if int64(first) >= int64(i) {
		return refuse(i, "repeat", "of row %d, which does not come before", first)
	}
	if !x.Unique(int(first)) {
		return refuse(i, "repeat", "of row %d, which is a repeat itself", first)
	}
	x.Repeat(int(first))
	return nil
}

func (x *Index) parseUnique(i int, b []byte, p Params, last bool) error {
	length, packed := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if length > uint32(p.Max) || length == 0 || (length < uint32(p.Min) && !last) {
		return refuse(i, "length", "%d bytes; a chunk has from %d to %d, the last one from 1", length, p.Min, p.Max)
	}
	if packed == 0 || packed > length {
		return refuse(i, "packed length", "%d bytes; it must be from 1 to the chunk's %d", packed, length)
	}
	x.Add(int(length), int(packed), [SumBytes]byte(b[8:24]), [SumBytes]byte(b[24:40]))
	return nil
}
