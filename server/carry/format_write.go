package carry

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/relational"
)

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
