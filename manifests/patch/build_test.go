package patch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/candor-ota/candor/manifests/image"
)

// build makes a patch and proves that it gives the new image.
func build(t interface {
	Fatalf(string, ...any)
	Context() context.Context
}, old, next []byte, workers int,
) (*Table, []byte) {
	var body bytes.Buffer
	table, err := Build(t.Context(), Options{
		Old: bytes.NewReader(old), OldSize: int64(len(old)),
		New: bytes.NewReader(next), NewSize: int64(len(next)), Body: &body, Workers: workers,
	})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	file, err := table.MarshalBinary()
	if err != nil {
		t.Fatalf("table: %v", err)
	}
	if table, err = Parse(file); err != nil {
		t.Fatalf("table: %v", err)
	}
	var out bytes.Buffer
	if err := Apply(&out, table, bytes.NewReader(old), bytes.NewReader(body.Bytes())); err != nil {
		t.Fatalf("apply: %v", err)
	}
	if !bytes.Equal(out.Bytes(), next) {
		t.Fatalf("another image came out")
	}
	if table.FromSHA256 != sha256.Sum256(old) || table.BodySHA256 != sha256.Sum256(body.Bytes()) {
		t.Fatalf("the table names other files")
	}
	return table, body.Bytes()
}

func kinds(table *Table) (n [4]int) {
	for _, r := range table.Rows {
		n[r.Kind]++
	}
	return n
}

// system gives an image of about n bytes like a file system: text, noise, zeros.
func system(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = append(b, text(fmt.Sprint("text", i), 90_000+i*1000)...)
		b = append(b, noise(fmt.Sprint("noise", i), 50_000+i*500)...)
		b = append(b, make([]byte, 100_000)...)
	}
	return b[:n]
}

// Any two images: the new one out of parts of the old, moved, edited, and of
// bytes that the old one never had.
func TestAnyPairOfImagesIsPatched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Custom(func(t *rapid.T) []byte {
			n := rapid.IntRange(0, 300_000).Draw(t, "length")
			seed := rapid.StringN(1, 3, 3).Draw(t, "seed")
			return [][]byte{text(seed, n), noise(seed, n), make([]byte, n)}[rapid.IntRange(0, 2).Draw(t, "kind")]
		})
		old := append(slices.Concat(rapid.SliceOfN(part, 0, 5).Draw(t, "old")...), 1)
		next := []byte{2}
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			from := rapid.IntRange(0, len(old)-1).Draw(t, "from")
			cut := bytes.Clone(old[from:rapid.IntRange(from, len(old)).Draw(t, "to")])
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				cut = part.Draw(t, "fresh")
			case 1:
				cut = edited(cut)
			}
			next = append(next, cut...)
		}
		build(t, old, next, 2)
	})
}

func TestSamePatchWithAnyNumberOfWorkers(t *testing.T) {
	old := system(3 << 20)
	next := slices.Concat(noise("boot", 30_000), edited(old[:2<<20]), old[2<<20+77:])
	table, body := build(t, old, next, 1)
	for _, workers := range []int{2, 7, 100} {
		again, same := build(t, old, next, workers)
		if !bytes.Equal(encode(t, again), encode(t, table)) || !bytes.Equal(same, body) {
			t.Errorf("%d workers make another patch", workers)
		}
	}
}

func TestMovedBytesAreNotSent(t *testing.T) {
	old := system(4 << 20)
	next := slices.Concat(noise("inserted", 1000), old[2<<20:], old[:2<<20])
	table, body := build(t, old, next, 2)
	if len(body) > 5000 {
		t.Errorf("%d bytes of body for 1,000 that are new; rows %v", len(body), kinds(table))
	}
}

func TestSmallEditsCostLittle(t *testing.T) {
	old := noise("program", 4<<20)
	next := edited(old)
	table, body := build(t, old, next, 2)
	if edits := len(old) / 5000; len(body) > 20*edits || kinds(table)[Patched] == 0 {
		t.Errorf("%d bytes of body for %d edits of 8 bytes; rows %v", len(body), edits, kinds(table))
	}
}

func TestZerosCostNothing(t *testing.T) {
	next := make([]byte, 64<<20)
	copy(next[20<<20:], "a word")
	table, body := build(t, []byte("no zeros at all"), next, 2)
	if file := encode(t, table); len(body) > 100 || len(file) > 1000 {
		t.Errorf("%d bytes of body, %d of table", len(body), len(file))
	}
}

// A blob has at least one byte, so the last one is sent.
func TestPatchOfMovesAloneHasABody(t *testing.T) {
	old := noise("all", 1<<20)
	if table, body := build(t, old, old, 2); len(body) != 1 || kinds(table)[Plain] != 1 {
		t.Errorf("%d bytes of body; rows %v", len(body), kinds(table))
	}
	build(t, old, make([]byte, MinRowBytes), 1)
	build(t, old, make([]byte, MinRowBytes+1), 1)
	build(t, old, make([]byte, 1), 1)
}

// What the old image cannot help with is sent as a pack would hold it, and a
// handset then need not read a window.
func TestUnrelatedImageIsSentPlain(t *testing.T) {
	next := text("new", 3<<20)
	table, body := build(t, noise("old", 3<<20), next, 2)
	if n := kinds(table); n[Patched] != 0 || n[Copy] != 0 {
		t.Errorf("rows %v", n)
	}
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	if whole := len(p.plain(nil, next[:1<<20])) * 3; len(body) > whole*102/100 {
		t.Errorf("%d bytes of body; packed alone they are %d", len(body), whole)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

func TestSegmentThatSavesLittleIsPlain(t *testing.T) {
	m, err := newMaker(Options{Old: bytes.NewReader(noise("old", 100_000)), New: bytes.NewReader(nil)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for saved, want := range map[int]Kind{4: Plain, 8: Patched} {
		m.content = slices.Concat(noise("new", 100_000-saved*1000), noise("old", saved*1000))
		e, err := m.smallest(Row{Kind: Plain, Length: 100_000, SHA256: sha256.Sum256(m.content)}, window{0, 100_000})
		if err != nil || e.row.Kind != want {
			t.Errorf("%d %% saved: kind %d, %v", saved, e.row.Kind, err)
		}
	}
	if err := m.close(); err != nil {
		t.Error(err)
	}
}

// fickle gives other bytes at every read.
type fickle struct{ reads byte }

func (f *fickle) ReadAt(b []byte, _ int64) (int, error) {
	f.reads++
	return copy(b, noise(string(f.reads), len(b))), nil
}

// Each segment is decoded again before it is sent: an encoder that errs, or an
// old image that changes meanwhile, does not reach a handset.
func TestSegmentIsProvedBeforeItIsSent(t *testing.T) {
	m, err := newMaker(Options{Old: &fickle{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.content = noise(string(byte(1)), 100_000)
	_, err = m.smallest(Row{Kind: Plain, Length: 100_000, SHA256: sha256.Sum256(m.content)}, window{0, 100_000})
	if !errors.Is(err, ErrBase) || !strings.Contains(err.Error(), "does not decode as it was encoded") {
		t.Errorf("got %v", err)
	}
	if err := m.close(); err != nil {
		t.Error(err)
	}
}

// The bytes are frozen: another encoder, or another plan, is another patch, and
// co-signers with the program of before would not find what they are shown.
func TestBuiltPatchIsFrozen(t *testing.T) {
	old := system(2 << 20)
	next := slices.Concat(edited(old[:1<<20]), noise("new", 50_000), old[1<<20:])
	table, body := build(t, old, next, 2)
	for _, c := range []struct {
		name, want string
		got        []byte
	}{{"table", goldenTable, encode(t, table)}, {"body", goldenBody, body}} {
		if sum := sha256.Sum256(c.got); hex.EncodeToString(sum[:]) != c.want {
			t.Errorf("%s %x, want %s", c.name, sum, c.want)
		}
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("bad sector") }
func (failing) Write([]byte) (int, error)         { return 0, errors.New("disk full") }

func TestBuildSaysWhatFailed(t *testing.T) {
	good := bytes.NewReader(noise("x", 1000))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for want, c := range map[string]struct {
		ctx context.Context
		o   Options
	}{
		"the old image has 0 bytes": {t.Context(), Options{Old: good, New: good, NewSize: 10, Body: io.Discard}},
		"the new image has 0 bytes": {t.Context(), Options{Old: good, OldSize: 10, New: good, Body: io.Discard}},
		"the new image has 171":     {t.Context(), Options{Old: good, OldSize: 10, New: good, NewSize: image.MaxImageBytes + 1, Body: io.Discard}},
		"bad sector":                {t.Context(), Options{Old: failing{}, OldSize: 10, New: good, NewSize: 1000, Body: io.Discard}},
		"bad sector ":               {t.Context(), Options{Old: good, OldSize: 1000, New: failing{}, NewSize: 10, Body: io.Discard}},
		"EOF":                       {t.Context(), Options{Old: good, OldSize: 1001, New: good, NewSize: 1000, Body: io.Discard}},
		"disk full":                 {t.Context(), Options{Old: good, OldSize: 1000, New: good, NewSize: 1000, Body: failing{}}},
		"canceled":                  {stopped, Options{Old: good, OldSize: 1000, New: good, NewSize: 1000, Body: io.Discard}},
	} {
		if _, err := Build(c.ctx, c.o); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestProgressEndsWhereItSaid(t *testing.T) {
	var last, total int64
	old := system(1 << 20)
	if _, err := Build(t.Context(), Options{
		Old: bytes.NewReader(old), OldSize: int64(len(old)), New: bytes.NewReader(old), NewSize: int64(len(old)), Body: io.Discard,
		Progress: func(d, n int64) { last, total = d, n },
	}); err != nil {
		t.Fatal(err)
	}
	if last != total || total != 3<<20 {
		t.Errorf("ended at %d of %d", last, total)
	}
}

// Whatever the comparison found, the rows cover the image, in lengths that the
// format takes.
func TestPlanFitsTheFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) piece {
			return piece{
				kind:   rapid.SampledFrom([]Kind{Copy, Zeros, Plain}).Draw(t, "kind"),
				from:   rapid.Int64Range(0, 1<<30).Draw(t, "from"),
				length: rapid.OneOf(rapid.Int64Range(1, 10_000), rapid.Int64Range(1, 5<<20)).Draw(t, "length"),
			}
		}), 1, 30).Draw(t, "pieces")
		want := int64(0)
		for _, p := range pieces {
			want += p.length
		}
		at, data := int64(0), false
		segments := plan(pieces)
		for i, s := range segments {
			if s.offset != at || s.length < 1 || s.length > MaxRowBytes || (s.length < MinRowBytes && i < len(segments)-1) {
				t.Fatalf("segment %d of %d: %d bytes at %d, expected at %d", i, len(segments), s.length, s.offset, at)
			}
			at, data = at+int64(s.length), data || s.kind == Plain
		}
		if at != want || !data {
			t.Fatalf("%d bytes of %d; data: %t", at, want, data)
		}
	})
}

func TestScatteredImageStillFitsATable(t *testing.T) {
	var pieces []piece
	for i := range int64(200_000) {
		pieces = append(pieces, piece{Copy, i * 1 << 20, 9000})
	}
	if n := len(plan(pieces)); n > MaxRows {
		t.Errorf("%d rows", n)
	}
}
