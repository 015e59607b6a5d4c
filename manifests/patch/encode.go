package patch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/candor-ota/candor/manifests/image"
)

// worthPercent is what a patched segment has to save over a plain one.
const worthPercent = 5

// maxMakers bounds the goroutines that encode, each of which takes 150 MiB.
const maxMakers = 3

// encoded is a row and its packed bytes.
type encoded struct {
	row    Row
	packed []byte
}

// encode makes the rows of t and writes the body.
func (b *builder) encode(ctx context.Context, segments []segment, t *Table) (err error) {
	makers := make([]*maker, min(b.Workers, maxMakers))
	defer func() {
		for _, m := range makers {
			if m != nil {
				err = errors.Join(err, m.close())
			}
		}
	}()
	used := make(chan []byte, 4*len(makers))
	for i := range makers {
		if makers[i], err = newMaker(b.Options, used); err != nil {
			return err
		}
	}
	whole := sha256.New()
	body := io.MultiWriter(b.Body, whole)
	debug.FreeOSMemory() // what the passes before have left would stand beside the tables of the encoders
	err = inOrder(ctx, len(makers), len(segments), func(worker, i int) (encoded, error) {
		return makers[worker].row(ctx, segments[i])
	}, func(_ int, e encoded) error {
		t.add(e.row)
		b.advance(int64(e.row.Length))
		if _, err := body.Write(e.packed); err != nil {
			return fmt.Errorf("write body: %w", err)
		}
		select {
		case used <- e.packed:
		default:
		}
		return nil
	})
	t.BodySHA256 = [sha256.Size]byte(whole.Sum(nil))
	return err
}

// maker makes rows. It is for one goroutine.
type maker struct {
	Options
	packer  *packer
	decoder *Decoder
	content []byte // of the segment
	old     []byte // the window
	packed  []byte // a frame that refers to the window
	check   []byte
	used    <-chan []byte // buffers of earlier results; without them the garbage would double the memory
}

func newMaker(o Options, used <-chan []byte) (*maker, error) {
	p, err := newPacker()
	if err != nil {
		return nil, err
	}
	d, err := NewDecoder()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return &maker{
		Options: o, packer: p, decoder: d, used: used,
		content: make([]byte, MaxRowBytes), old: make([]byte, MaxWindowBytes), check: make([]byte, 0, MaxRowBytes),
	}, nil
}

func (m *maker) buffer() []byte {
	select {
	case b := <-m.used:
		return b[:0]
	default:
		return nil
	}
}

func (m *maker) close() error {
	m.decoder.Close()
	return m.packer.close()
}

func (m *maker) row(ctx context.Context, s segment) (encoded, error) {
	if ctx.Err() != nil {
		return encoded{}, context.Cause(ctx)
	}
	row := Row{Kind: s.kind, Length: s.length, From: s.from}
	if s.kind == Zeros {
		return encoded{row: row}, nil
	}
	m.content = m.content[:s.length]
	if err := readAll(m.New, m.content, s.offset); err != nil {
		return encoded{}, fmt.Errorf("read new image: %w", err)
	}
	row.SHA256 = sha256.Sum256(m.content)
	if s.kind == Copy {
		return encoded{row: row}, nil
	}
	return m.smallest(row, s.window)
}

// smallest makes a row of data in whichever way is shorter.
func (m *maker) smallest(row Row, w window) (encoded, error) {
	best := m.packer.plain(m.buffer(), m.content)
	if w.length > 0 {
		old := m.old[:w.length]
		err := readAll(m.Old, old, w.from)
		if err != nil {
			return encoded{}, fmt.Errorf("read old image: %w", err)
		}
		if m.packed, err = m.packer.patched(m.packed[:0], m.content, old); err != nil {
			return encoded{}, err
		}
		if len(m.packed) <= len(best)*(100-worthPercent)/100 {
			best = append(best[:0], m.packed...)
			row.Kind, row.From, row.Window = Patched, w.from, w.length
		}
	}
	row.PackedLength, row.PackedSHA256 = int32(len(best)), image.Sum(best)
	return encoded{row, best}, m.prove(row, best)
}

// prove decodes a segment as a handset will.
func (m *maker) prove(row Row, packed []byte) error {
	old := m.old[:row.Needs()]
	if err := readAll(m.Old, old, row.From); err != nil {
		return fmt.Errorf("read old image: %w", err)
	}
	if _, err := m.decoder.Decode(m.check, &row, old, packed); err != nil {
		return fmt.Errorf("a segment does not decode as it was encoded; report this as a bug: %w", err)
	}
	return nil
}
