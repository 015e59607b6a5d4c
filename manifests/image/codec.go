package image

import (
	"bytes"
	"encoding/binary"
)

// The index file, version 1; integers are big-endian:
//
//	 0  8 bytes   "CANDORIX"
//	 8  uint32    format version, 1
//	12  uint64    image size
//	20  32 bytes  image SHA-256
//	52  3×uint32  chunk sizes: least, average, greatest
//	64  uint64    pack size
//	72  32 bytes  pack SHA-256
//	104 uint32    rows
//	108 uint32    rows that are unique
//	112 rows, each one of
//	    unique: uint32 length, uint32 packed length, 16 bytes of the SHA-256,
//	            16 bytes of the SHA-256 of the packed bytes
//	    repeat: uint32 0x80000000 | number of the row that it repeats
const (
	magic       = "CANDORIX"
	version     = 1
	headerBytes = 112
	uniqueBytes = 4 + 4 + 2*SumBytes
	repeatBytes = 4
	repeatFlag  = 1 << 31
)

// MaxIndexBytes bounds an index: about that of an image of MaxImageBytes.
const MaxIndexBytes = 32 << 20

// MarshalBinary gives the index file. What it gives, Parse accepts, or it is an
// error.
func (x *Index) MarshalBinary() ([]byte, error) {
	unique := 0
	for i := range x.Rows {
		if x.Unique(i) {
			unique++
		}
	}
	size := int64(headerBytes) + int64(unique)*uniqueBytes + int64(len(x.Rows)-unique)*repeatBytes
	if size > MaxIndexBytes {
		return nil, refuse(-1, "rows", "the index would have %d bytes; at most %d are read", size, MaxIndexBytes)
	}
	b := x.appendHeader(make([]byte, 0, size), unique)
	for i := range x.Rows {
		row := &x.Rows[i]
		if !x.Unique(i) {
			b = binary.BigEndian.AppendUint32(b, repeatFlag|uint32(row.First))
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(row.Length))
		b = binary.BigEndian.AppendUint32(b, uint32(row.PackedLength))
		b = append(b, row.SHA256[:]...)
		b = append(b, row.PackedSHA256[:]...)
	}
	_, err := Parse(b)
	return b, err
}

func (x *Index) appendHeader(b []byte, unique int) []byte {
	p := x.Params()
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(x.ImageSize))
	b = append(b, x.ImageSHA256[:]...)
	for _, n := range []int{p.Min, p.Avg, p.Max} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(x.PackSize))
	b = append(b, x.PackSHA256[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(x.Rows)))
	return binary.BigEndian.AppendUint32(b, uint32(unique))
}

// ParseHeader reads what stands in front of the rows: all of an index but them.
// b is the whole file. Errors are *FieldError.
func ParseHeader(b []byte) (*Index, error) {
	x, _, err := parseHeader(b)
	return x, err
}

// Parse reads an index file to the letter. The number of rows is held against
// the image size and against the length of b before rows are allocated. Errors
// are *FieldError.
func Parse(b []byte) (*Index, error) {
	if len(b) > MaxIndexBytes {
		return nil, refuse(-1, "length", "%d bytes; at most %d are read", len(b), MaxIndexBytes)
	}
	x, rows, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	if err := x.parseRows(b[headerBytes:], rows); err != nil {
		return nil, err
	}
	return x, nil
}

func parseHeader(b []byte) (*Index, int, error) {
	if len(b) < headerBytes {
		return nil, 0, refuse(-1, "header", "%d bytes; it has %d", len(b), headerBytes)
	}
	if !bytes.Equal(b[:8], []byte(magic)) {
		return nil, 0, refuse(-1, "magic", "this is not an image index")
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != version {
		return nil, 0, refuse(-1, "version", "%d; this program reads version %d", v, version)
	}
	size, packSize := binary.BigEndian.Uint64(b[12:]), binary.BigEndian.Uint64(b[64:])
	if size == 0 || size > MaxImageBytes {
		return nil, 0, refuse(-1, "image size", "%d bytes; it must be from 1 to %d", size, int64(MaxImageBytes))
	}
	if packSize == 0 || packSize > size {
		return nil, 0, refuse(-1, "pack size", "%d bytes; it must be from 1 to the image's %d", packSize, size)
	}
	x := &Index{ImageSHA256: [32]byte(b[20:52]), PackSHA256: [32]byte(b[72:104]), ImageSize: int64(size), PackSize: int64(packSize)}
	p := x.Params()
	for i, want := range []int{p.Min, p.Avg, p.Max} {
		if got := binary.BigEndian.Uint32(b[52+4*i:]); got != uint32(want) {
			return nil, 0, refuse(-1, "chunk sizes", "%d; an image of this size has %d/%d/%d", got, p.Min, p.Avg, p.Max)
		}
	}
	rows, err := parseCounts(x, b)
	return x, rows, err
}

func parseCounts(x *Index, b []byte) (int, error) {
	rows, unique := int64(binary.BigEndian.Uint32(b[104:])), int64(binary.BigEndian.Uint32(b[108:]))
	if limit := x.Params().maxRows(x.ImageSize); rows == 0 || rows > limit {
		return 0, refuse(-1, "rows", "%d; an image of %d bytes has from 1 to %d", rows, x.ImageSize, limit)
	}
	if unique == 0 || unique > rows {
		return 0, refuse(-1, "unique rows", "%d of %d", unique, rows)
	}
	if want := headerBytes + unique*uniqueBytes + (rows-unique)*repeatBytes; want != int64(len(b)) {
		return 0, refuse(-1, "length", "%d bytes; %d rows, %d of them unique, take %d", len(b), rows, unique, want)
	}
	return int(rows), nil
}
