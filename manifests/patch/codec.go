package patch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/candor-ota/candor/manifests/image"
)

// The table file, version 1; integers are big-endian:
//
//	  0  8 bytes   "CANDORSP"
//	  8  uint32    format version, 1
//	 12  uint64    old image size
//	 20  32 bytes  old image SHA-256
//	 52  uint64    new image size
//	 60  32 bytes  new image SHA-256
//	 92  uint64    body size
//	100  32 bytes  body SHA-256
//	132  uint32    rows
//	136  rows, in the order of the new image. Each begins with a uint32, the kind
//	     in the upper two bits and the length in the new image below, then
//	     0 copy:    uint64 offset in the old image, 32 bytes SHA-256
//	     1 zeros:   nothing
//	     2 plain:   uint32 packed length, 32 bytes SHA-256,
//	                16 bytes of the SHA-256 of the packed bytes
//	     3 patched: uint32 packed length, uint64 offset in the old image and
//	                uint32 length of the window, 32 bytes SHA-256,
//	                16 bytes of the SHA-256 of the packed bytes
//
// The packed bytes of the rows stand in the body one after the other.
const (
	magic        = "CANDORSP"
	version      = 1
	headerBytes  = 136
	wordBytes    = 4
	copyBytes    = wordBytes + 8 + sha256.Size
	zerosBytes   = wordBytes
	plainBytes   = wordBytes + 4 + sha256.Size + image.SumBytes
	patchedBytes = wordBytes + 4 + 8 + 4 + sha256.Size + image.SumBytes
	kindShift    = 30
)

// fileBytes is how many bytes a row of this kind takes in the file.
func (k Kind) fileBytes() int {
	return [...]int{Copy: copyBytes, Zeros: zerosBytes, Plain: plainBytes, Patched: patchedBytes}[k]
}

// MarshalBinary gives the table file. What it gives, Parse accepts, or it is an
// error.
func (t *Table) MarshalBinary() ([]byte, error) {
	if len(t.Rows) > MaxRows {
		return nil, refuse(-1, "rows", "%d; at most %d are read", len(t.Rows), MaxRows)
	}
	size := headerBytes
	for i := range t.Rows {
		if t.Rows[i].Kind > Patched {
			return nil, refuse(i, "kind", "%d is unknown", t.Rows[i].Kind)
		}
		size += t.Rows[i].Kind.fileBytes()
	}
	b := t.appendHeader(make([]byte, 0, size))
	for i := range t.Rows {
		b = t.Rows[i].append(b)
	}
	_, err := Parse(b)
	return b, err
}

func (t *Table) appendHeader(b []byte) []byte {
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(t.FromSize))
	b = append(b, t.FromSHA256[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Size))
	b = append(b, t.SHA256[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.BodySize))
	b = append(b, t.BodySHA256[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(len(t.Rows)))
}

func (r *Row) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(r.Kind)<<kindShift|uint32(r.Length))
	if r.Kind == Plain || r.Kind == Patched {
		b = binary.BigEndian.AppendUint32(b, uint32(r.PackedLength))
	}
	if r.Kind == Copy || r.Kind == Patched {
		b = binary.BigEndian.AppendUint64(b, uint64(r.From))
	}
	if r.Kind == Patched {
		b = binary.BigEndian.AppendUint32(b, uint32(r.Window))
	}
	if r.Kind != Zeros {
		b = append(b, r.SHA256[:]...)
	}
	if r.Kind == Plain || r.Kind == Patched {
		b = append(b, r.PackedSHA256[:]...)
	}
	return b
}

// ParseHeader reads what stands in front of the rows: all of a table but them.
// b may be the whole file or its beginning. Errors are *FieldError.
func ParseHeader(b []byte) (*Table, error) {
	t, _, err := parseHeader(b)
	return t, err
}

// Parse reads a table file to the letter. The number of rows is held against
// the image size and against the length of b before rows are allocated. Errors
// are *FieldError.
func Parse(b []byte) (*Table, error) {
	if len(b) > MaxTableBytes {
		return nil, refuse(-1, "length", "%d bytes; at most %d are read", len(b), MaxTableBytes)
	}
	t, rows, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	b = b[headerBytes:]
	if least, most := rows*zerosBytes, rows*patchedBytes; len(b) < least || len(b) > most {
		return nil, refuse(-1, "length", "%d bytes for rows; %d of them take from %d to %d", len(b), rows, least, most)
	}
	if err := t.parseRows(b, rows); err != nil {
		return nil, err
	}
	return t, nil
}

func parseHeader(b []byte) (*Table, int, error) {
	if len(b) < headerBytes {
		return nil, 0, refuse(-1, "header", "%d bytes; it has %d", len(b), headerBytes)
	}
	if !bytes.Equal(b[:8], []byte(magic)) {
		return nil, 0, refuse(-1, "magic", "this is not a patch table")
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != version {
		return nil, 0, refuse(-1, "version", "%d; this program reads version %d", v, version)
	}
	t := &Table{FromSHA256: [32]byte(b[20:52]), SHA256: [32]byte(b[60:92]), BodySHA256: [32]byte(b[100:132])}
	for _, f := range []struct {
		name string
		at   int
		size *int64
	}{{"old image size", 12, &t.FromSize}, {"new image size", 52, &t.Size}} {
		n := binary.BigEndian.Uint64(b[f.at:])
		if n == 0 || n > image.MaxImageBytes {
			return nil, 0, refuse(-1, f.name, "%d bytes; it must be from 1 to %d", n, int64(image.MaxImageBytes))
		}
		*f.size = int64(n)
	}
	body := binary.BigEndian.Uint64(b[92:])
	if body == 0 || body > uint64(t.Size) {
		return nil, 0, refuse(-1, "body size", "%d bytes; it must be from 1 to the new image's %d", body, t.Size)
	}
	t.BodySize = int64(body)
	rows, least, most := int64(binary.BigEndian.Uint32(b[132:])), (t.Size+MaxRowBytes-1)/MaxRowBytes, min(t.Size/MinRowBytes+1, MaxRows)
	if rows < least || rows > most {
		return nil, 0, refuse(-1, "rows", "%d; an image of %d bytes has from %d to %d", rows, t.Size, least, most)
	}
	return t, int(rows), nil
}
