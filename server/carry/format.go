package carry

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

// A backup is one file: the magic bytes, then frames of one byte of kind, four
// of length (big endian) and so many bytes:
//
//	H  header, JSON: first, once
//	T  table, JSON: name and columns; its rows follow
//	R  rows (tables.go says how they are written), whole ones, one after another
//	O  object, JSON: name, size and sha256; its bytes follow
//	D  bytes of an object
//	E  end, JSON: last, once: the counts, and the sha256 of every byte before it
//
// The magic names the version of the format; a reader of another refuses it.
const magic = "candor-backup-1\n"

// Bounds of what is read into memory.
const (
	maxHeader = 64 << 10
	maxEnd    = 1 << 20
	maxRows   = 64 << 20 // a head of the tree is one row
	maxData   = 1 << 20
	maxTables = 256
	maxColumn = 64
	rowsFrame = 256 << 10 // rows are written in frames of about this
)

var columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Header says what a backup is.
type Header struct {
	Made  manifests.Time `json:"made"`
	Blobs bool           `json:"blobs"`           // images are in it too
	Audit string         `json:"audit,omitempty"` // head of the log, SEQ:HASH
}

// End is what a backup amounts to.
type End struct {
	Tables  []Count          `json:"tables"`
	Objects int64            `json:"objects"`
	Bytes   int64            `json:"bytes"` // of objects
	SHA256  manifests.SHA256 `json:"sha256"`
}

type tableFrame struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

type objectFrame struct {
	Key    string           `json:"key"`
	Size   int64            `json:"size"`
	SHA256 manifests.SHA256 `json:"sha256"`
}

// ErrBackup means that a file is not a whole, undamaged backup.
var ErrBackup = errors.New("is not a whole backup of this version")

// writer makes a backup.
type writer struct {
	w    *bufio.Writer
	sum  hash.Hash
	rows []byte
	end  End
	one  hash.Hash // of the rows of the table that is written
}

func newWriter(w io.Writer, h Header) (*writer, error) {
	out := &writer{w: bufio.NewWriterSize(w, 1<<20), sum: sha256.New()}
	if err := out.raw([]byte(magic)); err != nil {
		return nil, err
	}
	return out, out.json('H', h)
}

func (w *writer) raw(b []byte) error {
	w.sum.Write(b) // never fails, by its contract
	_, err := w.w.Write(b)
	return err
}

func (w *writer) frame(kind byte, b []byte) error {
	if err := w.raw(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(b)))); err != nil {
		return err
	}
	return w.raw(b)
}

func (w *writer) json(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.frame(kind, b)
}

// table ends the rows of the table before and begins another.
func (w *writer) table(name string, columns []string) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.end.Tables = append(w.end.Tables, Count{Table: name})
	w.one = sha256.New()
	return w.json('T', tableFrame{name, columns})
}

func (w *writer) row(r relational.Row) error {
	before := len(w.rows)
	var err error
	if w.rows, err = appendRow(w.rows, r); err != nil {
		return err
	}
	w.one.Write(w.rows[before:])
	w.end.Tables[len(w.end.Tables)-1].Rows++
	if len(w.rows) < rowsFrame {
		return nil
	}
	return w.rowsFrame()
}

func (w *writer) rowsFrame() error {
	if len(w.rows) == 0 {
		return nil
	}
	if len(w.rows) > maxRows {
		return fmt.Errorf("a row of %d bytes; at most %d go into a backup", len(w.rows), maxRows)
	}
	err := w.frame('R', w.rows)
	w.rows = w.rows[:0]
	return err
}

func (w *writer) flush() error {
	if err := w.rowsFrame(); err != nil {
		return err
	}
	if n := len(w.end.Tables); n > 0 && w.one != nil {
		w.end.Tables[n-1].SHA256 = manifests.SHA256(w.one.Sum(nil))
		w.one = nil
	}
	return nil
}

// object writes one object, whose bytes must be those that o announces.
func (w *writer) object(o store.Object, body io.Reader) error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.json('O', objectFrame{o.Key, o.Size, o.SHA256}); err != nil {
		return err
	}
	body = store.Verify(o, body)
	buffer := make([]byte, min(maxData, max(1, o.Size)))
	for {
		n, err := io.ReadFull(body, buffer)
		if n > 0 {
			if err := w.frame('D', buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	w.end.Objects, w.end.Bytes = w.end.Objects+1, w.end.Bytes+o.Size
	return nil
}

func (w *writer) close() (End, error) {
	if err := w.flush(); err != nil {
		return w.end, err
	}
	w.end.SHA256 = manifests.SHA256(w.sum.Sum(nil))
	if err := w.json('E', w.end); err != nil {
		return w.end, err
	}
	return w.end, w.w.Flush()
}

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
