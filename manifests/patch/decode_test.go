package patch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/image"
	"github.com/klauspost/compress/zstd"
)

func decoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestApplyMakesTheNewImage(t *testing.T) {
	table, old, body := one(t)
	var out bytes.Buffer
	if err := Apply(&out, table, bytes.NewReader(old), bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(out.Bytes()) != table.SHA256 {
		t.Error("another image came out")
	}
}

// A slot that changed behind our back is told from a bad transport, and from a
// bad signer, and nothing of it is written.
func TestApplyTellsWhatIsWrong(t *testing.T) {
	table, old, body := one(t)
	for name, c := range map[string]struct {
		change  func(old, body []byte, table *Table)
		want    error
		written int64
	}{
		"old image differs in a copy":   {func(old, _ []byte, _ *Table) { old[6000] ^= 1 }, ErrBase, table.Rows[0].Offset},
		"old image differs in a window": {func(old, _ []byte, _ *Table) { copy(old[30<<10:90<<10], noise("x", 60<<10)) }, ErrBase, table.Rows[4].Offset},
		"body differs":                  {func(_, body []byte, _ *Table) { body[9] ^= 1 }, ErrMismatch, table.Rows[2].Offset},
		"plain row with another hash":   {func(_, _ []byte, table *Table) { table.Rows[2].SHA256[0]++ }, ErrFrame, table.Rows[2].Offset},
		"raw row with another hash":     {func(_, _ []byte, table *Table) { table.Rows[3].SHA256[0]++ }, ErrFrame, table.Rows[3].Offset},
		"image with another hash":       {func(_, _ []byte, table *Table) { table.SHA256[0]++ }, ErrMismatch, table.Size},
	} {
		t.Run(name, func(t *testing.T) {
			o, b, altered := bytes.Clone(old), bytes.Clone(body), *table
			altered.Rows = append([]Row(nil), table.Rows...)
			c.change(o, b, &altered)
			var out bytes.Buffer
			err := Apply(&out, &altered, bytes.NewReader(o), bytes.NewReader(b))
			if !errors.Is(err, c.want) || int64(out.Len()) != c.written {
				t.Errorf("got %v after %d bytes, want %v after %d", err, out.Len(), c.want, c.written)
			}
		})
	}
	if err := Apply(&bytes.Buffer{}, table, bytes.NewReader(old[:100]), bytes.NewReader(body)); err == nil {
		t.Error("an old image that ends too early: accepted")
	}
	if err := Apply(&bytes.Buffer{}, table, bytes.NewReader(old), bytes.NewReader(body[:100])); err == nil {
		t.Error("a body that ends too early: accepted")
	}
}

// The bytes are a frame that the decoder would refuse too; that the error is a
// mismatch shows that the decoder never saw them.
func TestNoSegmentIsDecodedBeforeItsHashMatches(t *testing.T) {
	table, old, body := one(t)
	d := decoder(t)
	row := &table.Rows[4]
	from := old[row.From : row.From+int64(row.Window)]
	packed := bytes.Clone(body[row.BodyOffset : row.BodyOffset+int64(row.PackedLength)])
	if _, err := d.Decode(nil, row, from, packed); err != nil {
		t.Fatal(err)
	}
	short := packed[:len(packed)-1]
	packed[0] ^= 1
	for _, in := range [][]byte{packed, short, nil} {
		if out, err := d.Decode(nil, row, from, in); !errors.Is(err, ErrMismatch) || len(out) != 0 {
			t.Errorf("%d bytes: %v", len(in), err)
		}
	}
	if _, err := d.Decode(nil, row, from[1:], body[row.BodyOffset:][:row.PackedLength]); !errors.Is(err, ErrBase) {
		t.Errorf("too little of the old image: %v", err)
	}
}

// What follows a frame with a window must not see that window.
func TestWindowDoesNotReachTheNextSegment(t *testing.T) {
	table, old, body := one(t)
	d := decoder(t)
	row := table.Rows[4]
	packed := body[row.BodyOffset:][:row.PackedLength]
	if _, err := d.Decode(nil, &row, old[row.From:][:row.Window], packed); err != nil {
		t.Fatal(err)
	}
	row.Kind, row.Window = Plain, 0
	if _, err := d.Decode(nil, &row, nil, packed); !errors.Is(err, ErrFrame) {
		t.Errorf("got %v", err)
	}
}

func TestHostileSegmentRefused(t *testing.T) {
	window, segment := text("w", 100<<10), edited(text("w", 100<<10))
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	good, err := p.patched(nil, segment, window)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := p.patched(nil, append(bytes.Clone(segment), 'x'), window)
	if err != nil {
		t.Fatal(err)
	}
	named, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(7, window))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.close(), named.Close()); err != nil {
		t.Fatal(err)
	}
	bomb := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0x90, 1, 0, 0x03, 0, 0x48, 0} // declares 100 KiB; blocks of one repeated byte
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"trailing byte":         {append(bytes.Clone(good), 0), "follow the frame"},
		"second frame":          {append(bytes.Clone(good), good...), "follow the frame"},
		"cut off":               {good[:len(good)-1], "ends"},
		"expands beyond itself": {longer, "content size 102401"},
		"expands less":          {bomb, ""},
		"asks for a dictionary": {named.EncodeAll(segment, nil), "dictionary 7"},
		"not a frame":           {[]byte("these are no zstd bytes"), "frame header"},
	} {
		t.Run(name, func(t *testing.T) {
			row := Row{
				Kind: Patched, Length: int32(len(segment)), Window: int32(len(window)), SHA256: sha256.Sum256(segment),
				PackedLength: int32(len(c.frame)), PackedSHA256: image.Sum(c.frame),
			}
			out, err := decoder(t).Decode(nil, &row, window, c.frame)
			if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want) || len(out) != 0 {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	p, err := newPacker()
	if err != nil {
		f.Fatal(err)
	}
	window := text("w", 3000)
	for _, segment := range [][]byte{edited(window), text("v", 2000), bytes.Repeat([]byte("a"), 1000), window} {
		packed, err := p.patched(nil, segment, window)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, window, uint32(len(segment)))
	}
	if err := p.close(); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 1, 0, 0}, []byte("window"), uint32(256))
	d := decoder(f)
	f.Fuzz(func(t *testing.T, packed, window []byte, length uint32) {
		if length == 0 || length > MaxRowBytes || uint32(len(packed)) >= length || len(packed) == 0 || len(window) == 0 {
			return
		}
		row := Row{Kind: Patched, Length: int32(length), Window: int32(len(window)), PackedLength: int32(len(packed)), PackedSHA256: image.Sum(packed)}
		dst := make([]byte, 1, 1+length)
		out, err := d.decode(dst, &row, window, packed)
		if err == nil && len(out) != 1+int(length) {
			t.Errorf("%d bytes came out of a row of %d", len(out)-1, length)
		}
	})
}
