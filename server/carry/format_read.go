package carry

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// visitor is told what a backup holds; nil fields are passed over. A table is
// told before its rows.
type visitor struct {
	table  func(name string, columns []string) error
	row    func(relational.Row) error
	object func(o store.Object, body io.Reader) error
}

// reader takes a backup apart. Every length is checked before it is believed.
type reader struct {
	r       *bufio.Reader
	sum     hash.Hash
	header  Header
	end     End
	columns int
	seen    map[string]bool
	one     hash.Hash
}

// read takes a whole backup apart. What the visitor was told is certain only
// when read returns nil.
func read(from io.Reader, v visitor) (Header, End, error) {
	r := &reader{r: bufio.NewReaderSize(from, 1<<20), sum: sha256.New(), seen: map[string]bool{}}
	err := r.run(v)
	return r.header, r.end, err
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("the file %w: %s", ErrBackup, fmt.Sprintf(format, args...))
}

func (r *reader) run(v visitor) error {
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r.r, start); err != nil || string(start) != magic {
		return damaged("it does not begin with %q", magic)
	}
	r.sum.Write(start)
	if err := r.begin(); err != nil {
		return err
	}
	for {
		before := manifests.SHA256(r.sum.Sum(nil))
		kind, size, err := r.next()
		if err != nil {
			return err
		}
		switch kind {
		case 'T':
			err = r.table(size, v)
		case 'R':
			err = r.rows(size, v)
		case 'O':
			err = r.object(size, v)
		case 'E':
			return r.finish(size, before)
		default:
			err = damaged("a frame of kind %q", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) begin() error {
	kind, size, err := r.next()
	if err != nil || kind != 'H' {
		return damaged("it has no header")
	}
	if err := r.json(size, maxHeader, &r.header); err != nil {
		return err
	}
	if r.header.Audit == "" {
		return nil
	}
	if _, err := audit.ParseHead(r.header.Audit); err != nil {
		return damaged("header: %v", err)
	}
	return nil
}

func (r *reader) next() (kind byte, size int64, err error) {
	var b [5]byte
	if _, err := io.ReadFull(r.r, b[:]); err != nil {
		return 0, 0, damaged("it ends too early")
	}
	r.sum.Write(b[:])
	return b[0], int64(binary.BigEndian.Uint32(b[1:])), nil
}

// body reads a frame's bytes. Memory grows with what is there, not with what
// is claimed.
func (r *reader) body(size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, damaged("a frame of %d bytes; at most %d belong there", size, limit)
	}
	var b bytes.Buffer
	if n, err := io.CopyN(&b, r.r, size); err != nil {
		return nil, damaged("a frame ends after %d bytes of %d", n, size)
	}
	r.sum.Write(b.Bytes())
	return b.Bytes(), nil
}

func (r *reader) json(size, limit int64, into any) error {
	b, err := r.body(size, limit)
	if err != nil {
		return err
	}
	if err := strict.Decode(b, int(limit), into); err != nil {
		return damaged("%v", err)
	}
	return nil
}

func (r *reader) table(size int64, v visitor) error {
	var t tableFrame
	if err := r.json(size, maxHeader, &t); err != nil {
		return err
	}
	r.endTable()
	reason, known := why[t.Name]
	switch {
	case !known || reason != "":
		return damaged("table %q does not belong into a backup", t.Name)
	case r.end.Objects > 0:
		return damaged("table %q comes after an object", t.Name)
	case r.seen[t.Name] || len(r.seen) == maxTables:
		return damaged("table %s comes twice", t.Name)
	case len(t.Columns) == 0 || len(t.Columns) > maxColumn:
		return damaged("table %s has %d columns", t.Name, len(t.Columns))
	}
	for _, c := range t.Columns {
		if !columnName.MatchString(c) {
			return damaged("table %s has a column %q", t.Name, c)
		}
	}
	r.seen[t.Name], r.columns, r.one = true, len(t.Columns), sha256.New()
	r.end.Tables = append(r.end.Tables, Count{Table: t.Name})
	if v.table == nil {
		return nil
	}
	return v.table(t.Name, t.Columns)
}

func (r *reader) endTable() {
	if r.one != nil {
		r.end.Tables[len(r.end.Tables)-1].SHA256 = manifests.SHA256(r.one.Sum(nil))
		r.one = nil
	}
}

func (r *reader) rows(size int64, v visitor) error {
	if r.one == nil {
		return damaged("rows of no table")
	}
	b, err := r.body(size, maxRows)
	if err != nil {
		return err
	}
	r.one.Write(b)
	for len(b) > 0 {
		var row relational.Row
		if row, b, err = readRow(b, r.columns); err != nil {
			return damaged("%v", err)
		}
		r.end.Tables[len(r.end.Tables)-1].Rows++
		if v.row == nil {
			continue
		}
		if err := v.row(row); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) object(size int64, v visitor) error {
	var o objectFrame
	if err := r.json(size, maxHeader, &o); err != nil {
		return err
	}
	r.endTable()
	if err := store.CheckKey(o.Key); err != nil || o.Size < 0 {
		return damaged("object %q of %d bytes (%v)", o.Key, o.Size, err)
	}
	announced := store.Object{Key: o.Key, Size: o.Size, SHA256: o.SHA256}
	body := &objectBody{r: r, left: o.Size}
	checked := store.Verify(announced, body)
	if v.object != nil {
		if err := v.object(announced, checked); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, checked); err != nil { // what was left unread
		return damaged("%v", err)
	}
	if body.left > 0 {
		return damaged("object %s ends early", o.Key)
	}
	r.end.Objects, r.end.Bytes = r.end.Objects+1, r.end.Bytes+o.Size
	return nil
}

// objectBody is the bytes of an object over its frames.
type objectBody struct {
	r     *reader
	left  int64 // of the object
	frame int64 // of the frame
}

func (b *objectBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.frame == 0 {
		kind, size, err := b.r.next()
		if err != nil {
			return 0, err
		}
		if kind != 'D' || size == 0 || size > maxData || size > b.left {
			return 0, damaged("a frame of kind %q and %d bytes within an object", kind, size)
		}
		b.frame = size
	}
	n, err := b.r.r.Read(p[:min(int64(len(p)), b.frame)])
	b.r.sum.Write(p[:n])
	b.left, b.frame = b.left-int64(n), b.frame-int64(n)
	if errors.Is(err, io.EOF) {
		err = damaged("it ends within an object")
	}
	return n, err
}

func (r *reader) finish(size int64, before manifests.SHA256) error {
	r.endTable()
	var end End
	if err := r.json(size, maxEnd, &end); err != nil {
		return err
	}
	r.end.SHA256 = before
	if end.SHA256 != before {
		return damaged("its sha256 is %s, and %s at its end", before.Short(), end.SHA256.Short())
	}
	if end.Objects != r.end.Objects || end.Bytes != r.end.Bytes || len(end.Tables) != len(r.end.Tables) {
		return damaged("its counts are others than at its end")
	}
	for i, c := range r.end.Tables {
		if end.Tables[i] != c {
			return damaged("table %s has %d rows, and %d at its end, or others", c.Table, c.Rows, end.Tables[i].Rows)
		}
	}
	if _, err := r.r.ReadByte(); err != io.EOF {
		return damaged("something comes after its end")
	}
	return nil
}
