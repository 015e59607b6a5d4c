package importer

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// split makes parts of a sparse image with the real tools, of at most most
// bytes each.
func split(t *testing.T, raw []byte, most int) []string {
	t.Helper()
	dir := t.TempDir()
	in, sparse, part := filepath.Join(dir, "raw"), filepath.Join(dir, "sparse"), filepath.Join(dir, "super.img_sparsechunk")
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	system(t, "img2simg", in, sparse)
	system(t, "simg2simg", sparse, part, fmt.Sprint(most))
	parts, err := filepath.Glob(part + ".*")
	if err != nil || len(parts) < 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	return parts
}

func superImage() []byte {
	raw := noise(3<<20, 4)
	raw = append(raw, make([]byte, 2<<20)...)
	raw = append(raw, bytes.Repeat([]byte("fill"), 200<<10)...)
	return append(raw, noise(1<<20, 5)...)
}

func TestPartsThatAndroidsOwnToolsMakeAreOneImage(t *testing.T) {
	raw := superImage()
	for _, most := range []int{300 << 10, 1 << 20} {
		parts := split(t, raw, most)
		slices.Reverse(parts) // their order on the command line means nothing
		out, err := ImportParts(t.Context(), parts, Options{Dir: t.TempDir()})
		if err != nil || len(out) != 1 || out[0].Name != "super" || out[0].SHA256 != sumOf(raw) {
			t.Fatalf("%+v, %v", out, err)
		}
		sameFile(t, out[0].Path, raw)
	}
}

// A part that is missing must not be signed as zeros.
func TestMissingPartIsRefused(t *testing.T) {
	parts := split(t, superImage(), 1<<20)
	for i := range parts {
		dir := t.TempDir()
		want, holes := "the file of number", true // which excuse no number
		switch i {
		case 0: // numbers may begin with 1
			want, holes = "are filled by no file", false
		case len(parts) - 1:
			want, holes = "at the end, are filled by no file", false
		}
		_, err := ImportParts(t.Context(), slices.Delete(slices.Clone(parts), i, i+1), Options{Dir: dir, Holes: holes})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", parts[i], err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}
	if _, err := Import(t.Context(), parts[1], Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "name all parts") {
		t.Errorf("one part alone: %v", err)
	}
	if _, err := ImportParts(t.Context(), append(parts, parts[0]), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Errorf("one part twice: %v", err)
	}
}

func block(b byte) chunkOf {
	return chunkOf{kind: chunkRaw, blocks: 1, body: bytes.Repeat([]byte{b}, 4096)}
}

func skip(n uint32) chunkOf { return chunkOf{kind: chunkDontCare, blocks: n} }

func blocks(letters string) (out []byte) {
	for _, b := range []byte(letters) {
		if b == '.' {
			b = 0
		}
		out = append(out, bytes.Repeat([]byte{b}, 4096)...)
	}
	return out
}

// Each case is what parts hold, and what they are together.
func TestPartsFillEachBlockOnceAndLeaveNoneOut(t *testing.T) {
	a := makeSparse(sparseHead{}, block('a'), skip(3))
	for name, c := range map[string]struct {
		parts [][]byte
		holes bool
		want  string // the image, or in the error
	}{
		"one after another": {[][]byte{a, makeSparse(sparseHead{}, skip(1), block('b'), block('c'), block('d'))}, false, "=abcd"},
		"by turns":          {[][]byte{makeSparse(sparseHead{}, block('a'), skip(1), block('c'), skip(1)), makeSparse(sparseHead{}, skip(1), block('b'), skip(1), block('d'))}, false, "=abcd"},
		"a hole of its own": {[][]byte{a, makeSparse(sparseHead{}, skip(1), block('b'), skip(1), block('d'))}, false, "=ab.d"},
		"an empty part":     {[][]byte{a, makeSparse(sparseHead{}, skip(4)), makeSparse(sparseHead{}, skip(1), block('b'), block('c'), block('d'))}, false, "=abcd"},
		"overlap":           {[][]byte{a, makeSparse(sparseHead{}, block('x'), block('b'), block('c'), block('d'))}, false, "block 0 is filled by both"},
		"overlap within":    {[][]byte{makeSparse(sparseHead{}, block('a'), block('b'), skip(1), block('d')), makeSparse(sparseHead{}, skip(1), block('x'), block('c'), skip(1))}, false, "block 1 is filled by both"},
		"overlap of fills":  {[][]byte{a, makeSparse(sparseHead{}, chunkOf{kind: chunkFill, blocks: 4, body: make([]byte, 4)})}, false, "block 0 is filled by both"},
		"a gap":             {[][]byte{a, makeSparse(sparseHead{}, skip(2), block('c'), block('d'))}, false, "blocks 1 to 1, before those of"},
		"a gap, meant":      {[][]byte{a, makeSparse(sparseHead{}, skip(2), block('c'), block('d'))}, true, "=a.cd"},
		"no beginning":      {[][]byte{makeSparse(sparseHead{}, skip(2), block('c'), skip(1)), makeSparse(sparseHead{}, skip(3), block('d'))}, false, "blocks 0 to 1"},
		"no end":            {[][]byte{a, makeSparse(sparseHead{}, skip(1), block('b'), skip(2))}, false, "blocks 2 to 3, at the end"},
		"no end, meant":     {[][]byte{a, makeSparse(sparseHead{}, skip(1), block('b'), skip(2))}, true, "=ab.."},
		"of another size":   {[][]byte{a, makeSparse(sparseHead{}, skip(1), block('b'))}, false, "not of one image"},
		"of other blocks":   {[][]byte{a, makeSparse(sparseHead{block: 512}, skip(4))}, false, "not of one image"},
		"not sparse":        {[][]byte{a, []byte("raw")}, false, "sparse header"},
		"a checksum":        {[][]byte{makeSparse(sparseHead{checksum: crc32.ChecksumIEEE(blocks("a..."))}, block('a'), skip(3)), makeSparse(sparseHead{}, skip(1), block('b'), block('c'), block('d'))}, false, "=abcd"},
		"a wrong checksum":  {[][]byte{makeSparse(sparseHead{checksum: 1}, block('a'), skip(3)), makeSparse(sparseHead{}, skip(1), block('b'), block('c'), block('d'))}, false, "the header says 00000001"},
		"a wrong chunk sum": {[][]byte{makeSparse(sparseHead{}, block('a'), chunkOf{kind: chunkCRC32, body: make([]byte, 4)}, skip(3)), makeSparse(sparseHead{}, skip(1), block('b'), block('c'), block('d'))}, false, "the chunk says 00000000"},
	} {
		var paths []string
		for _, p := range c.parts {
			paths = append(paths, writeFile(t, "super.img", p))
		}
		dir := t.TempDir()
		out, err := ImportParts(t.Context(), paths, Options{Dir: dir, Holes: c.holes})
		if image, fine := strings.CutPrefix(c.want, "="); fine {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			sameFile(t, out[0].Path, blocks(image))
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, %v", name, left, err)
		}
	}
}

// Whatever two files say: what is taken is written once, to its end.
func FuzzSparseParts(f *testing.F) {
	f.Add(makeSparse(sparseHead{}, block('a'), skip(3)), makeSparse(sparseHead{}, skip(1), block('b'), skip(1), block('d')))
	f.Add(makeSparse(sparseHead{}, block('a'), skip(1), block('c')), makeSparse(sparseHead{}, skip(1), block('b'), skip(1)))
	f.Add(makeSparse(sparseHead{}, block('a')), makeSparse(sparseHead{}, block('a')))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w := &whole{holes: true, paths: []string{"a", "b"}}
		for _, data := range [][]byte{a, b} {
			s, err := readSparse(bytes.NewReader(data), int64(len(data)))
			if err != nil || s.size() > 1<<16 || len(w.parts) > 0 && (s.block != w.parts[0].block || s.blocks != w.parts[0].blocks) {
				return
			}
			w.parts = append(w.parts, s)
		}
		out := make(memory, w.parts[0].size())
		done := int64(0)
		sum, err := w.write(t.Context(), out, func(n int64) { done = n })
		if err == nil && (sum != sumOf(out) || done != w.parts[0].size()) {
			t.Fatal("the hash is not that of the whole image")
		}
	})
}
