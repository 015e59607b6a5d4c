package importer

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// chunkOf is one chunk of a hand-made sparse image.
type chunkOf struct {
	kind          uint16
	blocks, total uint32 // total 0: what is right
	body          []byte
}

// sparseHead is the header of a hand-made image; zero is what is right.
type sparseHead struct {
	magic                uint32
	major, minor, fh, ch uint16
	block, blocks        uint32
	chunks               uint32
	checksum             uint32
}

func makeSparse(h sparseHead, chunks ...chunkOf) []byte {
	or := func(v *uint32, right uint32) {
		if *v == 0 {
			*v = right
		}
	}
	or16 := func(v *uint16, right uint16) {
		if *v == 0 {
			*v = right
		}
	}
	or(&h.magic, sparseMagic)
	or16(&h.major, 1)
	or16(&h.fh, 28)
	or16(&h.ch, 12)
	or(&h.block, 4096)
	or(&h.chunks, uint32(len(chunks)))
	var sum uint32
	for _, c := range chunks {
		sum += c.blocks
	}
	or(&h.blocks, sum)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, h.magic)
	for _, v := range []uint16{h.major, h.minor, h.fh, h.ch} {
		b = le.AppendUint16(b, v)
	}
	for _, v := range []uint32{h.block, h.blocks, h.chunks, h.checksum} {
		b = le.AppendUint32(b, v)
	}
	for _, c := range chunks {
		or(&c.total, uint32(12+len(c.body)))
		b = le.AppendUint16(b, c.kind)
		b = le.AppendUint16(b, 0)
		b = le.AppendUint32(b, c.blocks)
		b = le.AppendUint32(b, c.total)
		b = append(b, c.body...)
	}
	return b
}

func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{seed}).Read(b); err != nil {
		panic(err)
	}
	return b
}

func crcOf(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(b))
}

// allKinds is an image with every kind of chunk, and what it stands for.
func allKinds() (sparse, raw []byte) {
	data := noise(8192, 1)
	raw = append(raw, data...)
	raw = append(raw, bytes.Repeat([]byte("abcd"), 1024)...)
	raw = append(raw, make([]byte, 3*4096)...)
	raw = append(raw, data[:4096]...)
	sparse = makeSparse(sparseHead{checksum: crc32.ChecksumIEEE(raw)},
		chunkOf{kind: chunkRaw, blocks: 2, body: data}, chunkOf{kind: chunkFill, blocks: 1, body: []byte("abcd")},
		chunkOf{kind: chunkCRC32, body: crcOf(raw[:3*4096])},
		chunkOf{kind: chunkDontCare, blocks: 2}, chunkOf{kind: chunkFill, blocks: 1, body: make([]byte, 4)},
		chunkOf{kind: chunkRaw, blocks: 1, body: data[:4096]})
	return sparse, raw
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustImport(t *testing.T, path string, o Options) []Partition {
	t.Helper()
	out, err := Import(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d bytes differ from the %d expected", path, len(got), len(want))
	}
}

func system(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func TestSparseImageOfEveryKindBecomesRaw(t *testing.T) {
	sparse, raw := allKinds()
	parts := mustImport(t, writeFile(t, "system.img", sparse), Options{Dir: filepath.Join(t.TempDir(), "new")})
	if len(parts) != 1 || parts[0].Name != "system" || parts[0].Size != int64(len(raw)) {
		t.Fatalf("%+v", parts)
	}
	sameFile(t, parts[0].Path, raw)
}

func TestWhatAndroidsOwnToolsMakeIsReadAsTheyReadIt(t *testing.T) {
	raw := noise(900_000, 2) // no whole number of blocks
	copy(raw[100_000:], make([]byte, 300_000))
	copy(raw[500_000:], bytes.Repeat([]byte{1, 2, 3, 4}, 50_000))
	in := writeFile(t, "raw.img", raw)
	for _, args := range [][]string{nil, {"1024"}} {
		dir := t.TempDir()
		sparse, theirs := filepath.Join(dir, "system.img"), filepath.Join(dir, "theirs")
		system(t, "img2simg", append([]string{in, sparse}, args...)...)
		system(t, "simg2img", sparse, theirs)
		want, err := os.ReadFile(theirs)
		if err != nil {
			t.Fatal(err)
		}
		parts := mustImport(t, sparse, Options{Dir: filepath.Join(dir, "out")})
		sameFile(t, parts[0].Path, want)
		if !bytes.Equal(want[:len(raw)], raw) {
			t.Fatal("simg2img gave another image")
		}
		// and ours, made sparse by hand with a checksum, is read by theirs
	}
	ours, want := allKinds()
	back := filepath.Join(t.TempDir(), "back")
	system(t, "simg2img", writeFile(t, "ours.img", ours), back)
	sameFile(t, back, want)
}

func TestZerosBecomeHoles(t *testing.T) {
	image := makeSparse(sparseHead{}, chunkOf{kind: chunkDontCare, blocks: 16 << 10}, chunkOf{kind: chunkFill, blocks: 16 << 10, body: make([]byte, 4)}, chunkOf{kind: chunkRaw, blocks: 1, body: noise(4096, 3)})
	parts := mustImport(t, writeFile(t, "vendor.img", image), Options{Dir: t.TempDir()})
	info, err := os.Stat(parts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 1<<20 || info.Size() != 128<<20+4096 {
		t.Fatalf("%d bytes take %d on the disk", info.Size(), used)
	}
}

// hostileSparse are images that lie, by what they lie about.
func hostileSparse() map[string][]byte {
	one := chunkOf{kind: chunkRaw, blocks: 1, body: noise(4096, 4)}
	good := makeSparse(sparseHead{}, one)
	return map[string][]byte{
		"within the 28 bytes":        good[:20],
		"version 2.0":                makeSparse(sparseHead{major: 2}, one),
		"version 1.1":                makeSparse(sparseHead{minor: 1}, one),
		"headers of 32":              makeSparse(sparseHead{fh: 32}, one),
		"and 16 bytes":               makeSparse(sparseHead{ch: 16}, one),
		"blocks of 4 bytes":          makeSparse(sparseHead{block: 4}, one),
		"blocks of 4098":             makeSparse(sparseHead{block: 4098}, one),
		"blocks of 4294963200":       makeSparse(sparseHead{block: 4294963200}, one),
		"the image is empty":         makeSparse(sparseHead{}),
		"at most":                    makeSparse(sparseHead{block: 1 << 20, blocks: 1<<32 - 1}, one),
		"do not fit a file":          makeSparse(sparseHead{chunks: 1 << 31}, one),
		"header says 2":              makeSparse(sparseHead{blocks: 2}, one),
		"reaches block 2":            makeSparse(sparseHead{blocks: 1}, one, one),
		"says that it has 13":        makeSparse(sparseHead{}, chunkOf{kind: chunkRaw, blocks: 1, total: 13, body: one.body}),
		"has 20 bytes":               makeSparse(sparseHead{}, chunkOf{kind: chunkFill, blocks: 1, body: make([]byte, 8)}),
		"ends within it":             makeSparse(sparseHead{}, chunkOf{kind: chunkRaw, blocks: 1, total: 4108, body: one.body[:4000]}),
		"0xcac1 with 0 blocks":       makeSparse(sparseHead{blocks: 1}, chunkOf{kind: chunkRaw}, one),
		"0xcac4 with 1 blocks":       makeSparse(sparseHead{}, chunkOf{kind: chunkCRC32, blocks: 1, body: make([]byte, 4)}),
		"0xcac5 is not known":        makeSparse(sparseHead{}, chunkOf{kind: 0xCAC5, blocks: 1}),
		"7 bytes follow":             append(bytes.Clone(good), "trailer"...),
		"the chunk says 00000000":    makeSparse(sparseHead{}, one, chunkOf{kind: chunkCRC32, body: make([]byte, 4)}),
		"the header says 00000001":   makeSparse(sparseHead{checksum: 1}, one),
		"the file ends at 4136":      makeSparse(sparseHead{chunks: 2, blocks: 2}, one),
		"chunk 0: type 0xcac3 with ": makeSparse(sparseHead{blocks: 1}, chunkOf{kind: chunkDontCare}, one),
	}
}

func TestLyingSparseImageIsRefusedAndLeavesNothing(t *testing.T) {
	for want, data := range hostileSparse() {
		dir := t.TempDir()
		_, err := Import(t.Context(), writeFile(t, "system.img", data), Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%q left %v, %v", want, left, err)
		}
	}
}

// memory is a target without a disk.
type memory []byte

func (m memory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }
func (m memory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, at)
}

func FuzzSparse(f *testing.F) {
	good, _ := allKinds()
	f.Add(good)
	for _, b := range hostileSparse() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readSparse(bytes.NewReader(b), int64(len(b)))
		if err != nil || s.size() > 1<<16 {
			return
		}
		out := make(memory, s.size())
		sum, err := s.write(t.Context(), out, func(int64) {})
		if err == nil && sum != sumOf(out) {
			t.Fatal("the hash is not that of what was written")
		}
	})
}
