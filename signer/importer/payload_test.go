package importer

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/candor-ota/candor/manifests"
)

func sumOf(b []byte) manifests.SHA256 { return sha256.Sum256(b) }

// message builds protobuf by hand.
type message []byte

func (m message) number(field protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), v)
}

func (m message) bytes(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

// op is one operation of a hand-made payload.
type op struct {
	kind     kind
	data     []byte // packed
	extents  [][2]uint64
	sum      []byte // nil: what is right
	offset   int64  // -1: where the data is
	moreData uint64
	extra    message
}

// part is one partition of a hand-made payload.
type part struct {
	name  string
	raw   []byte
	ops   []op
	extra message
	info  message
}

// recipe is a hand-made payload.
type recipe struct {
	major     uint64
	extra     message
	signature []byte
	trailer   []byte
	parts     []part
}

func (r recipe) bytes() []byte {
	var data []byte
	manifest := message{}.number(3, 4096)
	for _, p := range r.parts {
		m := message{}.bytes(1, []byte(p.name))
		for _, o := range p.ops {
			raw := message{}.number(1, uint64(o.kind))
			if len(o.data) > 0 || o.moreData > 0 {
				at := uint64(len(data))
				if o.offset > 0 {
					at = uint64(o.offset)
				}
				raw = raw.number(2, at).number(3, uint64(len(o.data))+o.moreData)
			}
			for _, e := range o.extents {
				raw = raw.bytes(6, message{}.number(1, e[0]).number(2, e[1]))
			}
			switch sum := sumOf(o.data); {
			case o.sum != nil:
				raw = raw.bytes(8, o.sum)
			case len(o.data) > 0:
				raw = raw.bytes(8, sum[:])
			}
			data = append(data, o.data...)
			m = m.bytes(8, append(raw, o.extra...))
		}
		info := p.info
		if info == nil {
			sum := sumOf(p.raw)
			info = message{}.number(1, uint64(len(p.raw))).bytes(2, sum[:])
		}
		manifest = manifest.bytes(13, append(m.bytes(7, info), p.extra...))
	}
	if r.signature != nil {
		manifest = manifest.number(4, uint64(len(data))).number(5, uint64(len(r.signature)))
		data = append(data, r.signature...)
	}
	manifest = append(manifest, r.extra...)
	if r.major == 0 {
		r.major = 2
	}
	out := []byte(payloadMagic)
	out = binary.BigEndian.AppendUint64(out, r.major)
	out = binary.BigEndian.AppendUint64(out, uint64(len(manifest)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(r.signature)))
	out = append(append(out, manifest...), r.signature...)
	return append(append(out, data...), r.trailer...)
}

// pack runs a program of the system over data.
func pack(tb testing.TB, data []byte, name string, args ...string) []byte {
	tb.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return out
}

// fullPayload has two partitions and every operation that a full one may have.
func fullPayload(tb testing.TB) (recipe, map[string][]byte) {
	system := bytes.Repeat([]byte("an address book, an almanac; "), 16*4096/29+1)[:16*4096]
	copy(system[4*4096:6*4096], make([]byte, 2*4096))
	copy(system[6*4096:8*4096], noise(2*4096, 5))
	boot := noise(4096, 6)
	swapped := append(bytes.Clone(system[15*4096:]), system[12*4096:15*4096]...)
	return recipe{signature: []byte("nobody verifies this"), parts: []part{
		{name: "system_ext", raw: system, ops: []op{
			{kind: replaceXZ, data: pack(tb, system[:4*4096], "xz", "--check=none", "-c"), extents: [][2]uint64{{0, 4}}},
			{kind: zero, extents: [][2]uint64{{4, 1}}},
			{kind: discard, extents: [][2]uint64{{5, 1}}},
			{kind: replace, data: system[6*4096 : 8*4096], extents: [][2]uint64{{6, 2}}},
			{kind: replaceBZ, data: pack(tb, system[8*4096:12*4096], "bzip2", "-c"), extents: [][2]uint64{{8, 4}}},
			{kind: replaceXZ, data: pack(tb, swapped, "xz", "--check=crc64", "--block-size=8192", "-c"), extents: [][2]uint64{{15, 1}, {12, 3}}},
		}},
		{name: "boot", raw: boot, ops: []op{{kind: replace, data: boot, extents: [][2]uint64{{0, 1}}}}},
	}}, map[string][]byte{"system_ext": system, "boot": boot}
}

func TestFullPayloadBecomesRawPartitions(t *testing.T) {
	r, want := fullPayload(t)
	payload := r.bytes()
	var stored bytes.Buffer
	z := zip.NewWriter(&stored)
	for _, name := range []string{"META-INF/com/android/metadata", "payload.bin"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"payload.bin": payload, "ota.zip": stored.Bytes()} {
		parts := mustImport(t, writeFile(t, name, data), Options{Dir: t.TempDir()})
		if len(parts) != 2 || parts[0].Name != "system_ext" || parts[1].Name != "boot" {
			t.Fatalf("%s: %+v", name, parts)
		}
		for _, p := range parts {
			sameFile(t, p.Path, want[string(p.Name)])
			if p.SHA256 != sumOf(want[string(p.Name)]) {
				t.Errorf("%s: wrong hash", p.Name)
			}
		}
	}
	dir := t.TempDir()
	if parts := mustImport(t, writeFile(t, "payload.bin", payload), Options{Dir: dir, Only: []manifests.Name{"boot"}}); len(parts) != 1 {
		t.Fatalf("%+v", parts)
	}
	if _, err := Import(t.Context(), writeFile(t, "payload.bin", payload), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("an existing image was overwritten: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "system_ext.img")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of a refused import is there: %v", err)
	}
}

// hostilePayloads are payloads that lie or that need what is not there, by the
// word that refuses them.
func hostilePayloads(tb testing.TB) map[string][]byte {
	raw := noise(2*4096, 7)
	base := func(change func(r *recipe, p *part, o *op)) []byte {
		r := recipe{parts: []part{{name: "boot", raw: raw, ops: []op{{kind: replace, data: raw, extents: [][2]uint64{{0, 2}}}}}}}
		change(&r, &r.parts[0], &r.parts[0].ops[0])
		return r.bytes()
	}
	whole := base(func(*recipe, *part, *op) {})
	huge := pack(tb, raw, "xz", "--check=none", "--lzma2=dict=128MiB", "-c")
	return map[string][]byte{
		"ends at 20":                         whole[:20],
		"major version 1":                    base(func(r *recipe, _ *part, _ *op) { r.major = 1 }),
		"a manifest of":                      append(append(bytes.Clone(whole[:12]), bytes.Repeat([]byte{0xff}, 8)...), whole[20:]...),
		"manifest and signature have":        whole[:40],
		"minor version 8: this is an incr":   base(func(r *recipe, _ *part, _ *op) { r.extra = message{}.number(12, 8) }),
		"SOURCE_COPY: this is an incr":       base(func(_ *recipe, _ *part, o *op) { o.kind = 4 }),
		"BROTLI_BSDIFF: this is an":          base(func(_ *recipe, _ *part, o *op) { o.kind = 10 }),
		"type 99: this is an":                base(func(_ *recipe, _ *part, o *op) { o.kind = 99 }),
		"from a source: this is":             base(func(_ *recipe, _ *part, o *op) { o.extra = message{}.bytes(4, message{}.number(2, 1)) }),
		"old partition: this is an":          base(func(_ *recipe, p *part, _ *op) { p.extra = message{}.bytes(6, message{}.number(1, 4096)) }),
		"compute a hash tree":                base(func(_ *recipe, p *part, _ *op) { p.extra = message{}.bytes(11, message{}.number(2, 1)) }),
		"outside of partitions":              base(func(r *recipe, _ *part, _ *op) { r.extra = message{}.bytes(1, nil) }),
		"blocks of 3 bytes":                  base(func(r *recipe, _ *part, _ *op) { r.extra = message{}.number(3, 3) }),
		"0 partitions":                       recipe{}.bytes(),
		"boot is there twice":                base(func(r *recipe, p *part, _ *op) { r.parts = append(r.parts, *p) }),
		"not a name":                         base(func(_ *recipe, p *part, _ *op) { p.name = "../boot" }),
		"its name is missing":                recipe{parts: []part{{raw: raw, info: message{}, name: "x"}}, extra: message{}.bytes(13, nil)}.bytes(),
		"a size of 8191":                     base(func(_ *recipe, p *part, _ *op) { p.raw = raw[:8191] }),
		"a size of 9223372036854775808":      base(func(_ *recipe, p *part, _ *op) { p.info = message{}.number(1, 1<<63) }),
		"its new hash is missing":            base(func(_ *recipe, p *part, _ *op) { p.info = message{}.number(1, 8192) }),
		"is written twice":                   base(func(_ *recipe, p *part, _ *op) { p.ops = append(p.ops, op{kind: zero, extents: [][2]uint64{{1, 1}}}) }),
		"block 1 is not written":             base(func(_ *recipe, _ *part, o *op) { o.extents = [][2]uint64{{0, 1}} }),
		"do not lie within":                  base(func(_ *recipe, _ *part, o *op) { o.extents = [][2]uint64{{1, 2}} }),
		"18446744073709551615 blocks from":   base(func(_ *recipe, _ *part, o *op) { o.extents = [][2]uint64{{1, 1<<64 - 1}} }),
		"it writes nothing":                  base(func(_ *recipe, _ *part, o *op) { o.extents = nil }),
		"0 blocks from block 1":              base(func(_ *recipe, _ *part, o *op) { o.extents = [][2]uint64{{1, 0}, {0, 2}} }),
		"REPLACE with 0 bytes":               base(func(_ *recipe, _ *part, o *op) { o.data = nil }),
		"ZERO with 8192 bytes":               base(func(_ *recipe, _ *part, o *op) { o.kind = zero }),
		"lies outside of the file":           base(func(_ *recipe, _ *part, o *op) { o.moreData = 1 }),
		"from 9223372036854775807, lies":     base(func(_ *recipe, _ *part, o *op) { o.offset = 1<<63 - 1 }),
		"hash of its data is missing":        base(func(_ *recipe, _ *part, o *op) { o.sum = []byte("short") }),
		"the sha256 of its data is":          base(func(_ *recipe, _ *part, o *op) { o.sum = make([]byte, 32) }),
		"the manifest says 0000":             base(func(_ *recipe, p *part, _ *op) { p.info = message{}.number(1, 8192).bytes(2, make([]byte, 32)) }),
		"goes on beyond its blocks":          base(func(_ *recipe, p *part, o *op) { o.extents, p.raw = [][2]uint64{{0, 1}}, raw[:4096] }),
		"ends 4096 bytes before":             base(func(_ *recipe, _ *part, o *op) { o.data = raw[:4096] }),
		"bytes at the end belong to nothing": base(func(r *recipe, _ *part, _ *op) { r.trailer = []byte("x") }),
		"signatures lie outside":             base(func(r *recipe, _ *part, _ *op) { r.extra = message{}.number(4, 1<<40).number(5, 1) }),
		"xz header: no xz":                   base(func(_ *recipe, _ *part, o *op) { o.kind = replaceXZ }),
		"bzip2 data invalid":                 base(func(_ *recipe, _ *part, o *op) { o.kind = replaceBZ }),
		"dictionary of 134217728":            base(func(_ *recipe, _ *part, o *op) { o.kind, o.data = replaceXZ, huge }),
		"besides LZMA2": base(func(_ *recipe, _ *part, o *op) {
			o.kind, o.data = replaceXZ, pack(tb, raw, "xz", "--x86", "--lzma2", "-c")
		}),
		"unexpected EOF": base(func(r *recipe, _ *part, _ *op) { r.extra = message{0xff} }),
	}
}

func TestLyingPayloadIsRefusedAndLeavesNothing(t *testing.T) {
	for want, data := range hostilePayloads(t) {
		dir := t.TempDir()
		_, err := Import(t.Context(), writeFile(t, "payload.bin", data), Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%q left %v, %v", want, left, err)
		}
	}
}

func TestOnlyAnOTAPackageIsTakenForOne(t *testing.T) {
	made := func(names []string, method uint16) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, n := range names {
			w, err := z.CreateHeader(&zip.FileHeader{Name: n, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte("payload"), 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for want, data := range map[string][]byte{
		"no payload.bin":         made([]string{"boot.img"}, zip.Store),
		"two files payload.bin":  made([]string{"payload.bin", "payload.bin"}, zip.Store),
		"payload.bin is compre":  made([]string{"payload.bin"}, zip.Deflate),
		"no payload of update_e": made([]string{"payload.bin"}, zip.Store),
		"not a valid zip":        []byte("PK\x03\x04 and nothing more"),
		"neither an Android":     []byte("ANDROID! a boot image"),
	} {
		if _, err := Import(t.Context(), writeFile(t, "ota.zip", data), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzPayload(f *testing.F) {
	r, _ := fullPayload(f)
	f.Add(r.bytes())
	for _, b := range hostilePayloads(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPayload(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		images, err := p.images(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range images {
			if m.size > 1<<20 {
				continue
			}
			out := make(memory, m.size)
			if sum, err := m.write(t.Context(), out, func(int64) {}); err == nil && sum != sumOf(out) {
				t.Fatal("the hash is not that of what was written")
			}
		}
	})
}
