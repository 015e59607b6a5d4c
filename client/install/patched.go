package install

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
)

// patched is the recipe of a patch: segments against the very image that runs.
type patched struct {
	image manifests.Image
	table *patch.Table
}

func (p *patched) pieces() int { return len(p.table.Rows) }

func (p *patched) piece(i int) piece {
	row := &p.table.Rows[i]
	return piece{offset: row.Offset, length: int(row.Length), at: row.BodyOffset, packed: int(row.PackedLength)}
}

func (p *patched) holds(i int, b []byte) bool {
	row := &p.table.Rows[i]
	if row.Kind == patch.Zeros {
		return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
	}
	return sha256.Sum256(b) == row.SHA256
}

func (p *patched) blob() blob {
	return blob{"patch of slot " + string(p.image.Slot), layout.BlobFile(p.table.BodySHA256), p.table.BodySize}
}

type patchMaker struct {
	*patched
	old     disk.File
	decoder *patch.Decoder
	window  []byte
}

func (p *patched) maker(s seeds) (maker, error) {
	d, err := patch.NewDecoder()
	if err != nil {
		return nil, err
	}
	return &patchMaker{patched: p, old: s[ofOld], decoder: d}, nil
}

func (m *patchMaker) Close() { m.decoder.Close() }

func (m *patchMaker) make(dst []byte, i int, packed []byte) error {
	row := &m.table.Rows[i]
	window, err := m.read(dst, row)
	if err != nil {
		return &seedError{i, err}
	}
	out, err := m.decoder.Decode(dst[:0:len(dst)], row, window, packed)
	switch {
	case errors.Is(err, patch.ErrBase):
		return &seedError{i, err}
	case err != nil:
		return err
	case len(out) != len(dst) || &out[0] != &dst[0]:
		return fmt.Errorf("row %d: the decoder left its buffer", i)
	}
	return nil
}

// read gives what a row needs of the old image. What is only copied is read to
// where it goes.
func (m *patchMaker) read(dst []byte, row *patch.Row) ([]byte, error) {
	window := dst
	if m.old == nil && row.Needs() > 0 {
		return nil, errSeed
	}
	switch n := row.Needs(); {
	case n == 0:
		return nil, nil
	case row.Kind != patch.Copy:
		if cap(m.window) < n {
			m.window = make([]byte, max(n, patch.MaxWindowBytes/2))
		}
		window = m.window[:n]
	}
	return window, readAll(m.old, window, row.From)
}
