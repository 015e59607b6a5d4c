package patch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/candor-ota/candor/manifests/image"
)

// text gives n bytes that pack well and differ by seed and place.
func text(seed string, n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(seed), i))
		out = append(out, sum[:8]...)
		out = append(out, "the quick brown fox jumps over: "...)
	}
	return out[:n]
}

// noise gives n bytes that do not pack.
func noise(seed string, n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(seed), i))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// edited is text with a word changed now and then.
func edited(b []byte) []byte {
	b = bytes.Clone(b)
	for i := 1000; i+8 < len(b); i += 5000 {
		copy(b[i:], "CHANGED!")
	}
	return b
}

// one builds a table by hand with one row of each form; the last is short.
func one(t testing.TB) (table *Table, old, body []byte) {
	t.Helper()
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	old = text("old", 200<<10)
	table = &Table{FromSize: int64(len(old)), FromSHA256: sha256.Sum256(old)}
	var made []byte
	add := func(r Row, out, packed []byte) {
		r.Length, r.PackedLength = int32(len(out)), int32(len(packed))
		if r.Kind != Zeros {
			r.SHA256 = sha256.Sum256(out)
		}
		if len(packed) > 0 {
			r.PackedSHA256 = image.Sum(packed)
		}
		table.add(r)
		made, body = append(made, out...), append(body, packed...)
	}
	add(Row{Kind: Copy, From: 5000}, old[5000:15000], nil)
	add(Row{Kind: Zeros}, make([]byte, 1<<20), nil)
	plain := text("new", 50<<10)
	add(Row{Kind: Plain}, plain, p.plain(nil, plain))
	raw := noise("raw", 10<<10)
	add(Row{Kind: Plain}, raw, raw)
	changed := edited(old[30<<10 : 90<<10])
	frame, err := p.patched(nil, changed, old[20<<10:100<<10])
	if err != nil {
		t.Fatal(err)
	}
	add(Row{Kind: Patched, From: 20 << 10, Window: 80 << 10}, changed, frame)
	add(Row{Kind: Copy, From: int64(len(old)) - 7}, old[len(old)-7:], nil)
	table.SHA256, table.BodySHA256 = sha256.Sum256(made), sha256.Sum256(body)
	return table, old, body
}

func encode(t testing.TB, table *Table) []byte {
	t.Helper()
	b, err := table.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
