package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

const (
	hashA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

type file struct{ name, data string }

var members = []file{
	{"metadata/1.root.json", "{root}"},
	{"metadata/timestamp.json", "{}"},
	{"metadata/12.releases-phone.json", strings.Repeat("r", 512)},
	{"targets/releases/phone/" + hashA + ".43.json", "{release}"},
	{"targets/rollouts/" + hashB + ".phone.json", "{rollouts}"},
	{"blobs/" + hashA, strings.Repeat("index", 300)},
	{"blobs/" + hashB, "pack"},
}

func made(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, Header{Product: "phone", Build: 43})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := w.Add(f.name, int64(len(f.data)), strings.NewReader(f.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatIsWrittenIsReadInPlace(t *testing.T) {
	data := made(t, members...)
	b, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if b.Header != (Header{Spec, "phone", 43}) || len(b.Names()) != len(members) {
		t.Fatalf("%+v, %v", b.Header, b.Names())
	}
	for _, m := range members {
		r, ok := b.File(m.name)
		if !ok {
			t.Fatalf("%s is missing", m.name)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != m.data {
			t.Errorf("%s: %q, %v", m.name, got, err)
		}
	}
	if _, ok := b.File(headerName); ok {
		t.Error("the header is no file of the tree")
	}
}

func TestSameContentGivesTheSameBytes(t *testing.T) {
	if !bytes.Equal(made(t, members...), made(t, members...)) {
		t.Fatal("two bundles differ")
	}
}

func TestAnyTarListsABundle(t *testing.T) {
	var names []string
	for r := tar.NewReader(bytes.NewReader(made(t, members...))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	want := []string{headerName}
	for _, m := range members {
		want = append(want, m.name)
	}
	if !slices.Equal(names, want) {
		t.Fatalf("tar lists %v", names)
	}
}

func TestSizesBeyondOctalAreWrittenAsTarDoes(t *testing.T) {
	h := header("blobs/"+hashA, 20<<30)
	if name, size, err := parse(h); err != nil || name != "blobs/"+hashA || size != 20<<30 {
		t.Fatalf("%s %d %v", name, size, err)
	}
	got, err := tar.NewReader(io.MultiReader(bytes.NewReader(h[:]), zeros{})).Next()
	if err != nil || got.Size != 20<<30 {
		t.Fatalf("%+v, %v", got, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// raw is a member with any name and size at all.
func raw(name string, size int64, data string) []byte {
	h := header(name, size)
	return append(append(h[:], data...), make([]byte, padded(int64(len(data)))-int64(len(data)))...)
}

// hostile are bundles that lie, by the word that refuses them.
func hostile(t testing.TB) map[string][]byte {
	good := made(t, members...)
	first := good[:2*block] // header and bundle.json
	end := make([]byte, 2*block)
	with := func(parts ...[]byte) []byte { return slices.Concat(append(append([][]byte{first}, parts...), end)...) }
	edit := func(at int, b byte) []byte {
		out := bytes.Clone(good)
		out[at] = b
		return out
	}
	root, blob := raw("metadata/1.root.json", 2, "{}"), raw("blobs/"+hashA, 1, "x")
	many := [][]byte{}
	for i := range maxMembers {
		many = append(many, raw(fmt.Sprintf("blobs/%064x", i), 1, "x"))
	}
	return map[string][]byte{
		"where more must follow":              {},
		"it is empty":                         end,
		"ends at byte 1500":                   good[:1500],
		"within member bundle.json":           good[:700],
		"ends within member blobs/a":          good[:len(good)-5*block],
		"something follows its end":           append(bytes.Clone(good), 0),
		"follows its end":                     append(bytes.Clone(good), good...),
		"bundle.json comes first":             slices.Concat(root, first, end),
		"member \"bundle.json\" is not where": with(root, first),
		"\"/etc/passwd\" is no file":          with(raw("/etc/passwd", 1, "x")),
		"\"metadata/../../x.json\" is no":     with(raw("metadata/../../x.json", 1, "x")),
		"\"blobs/../blobs/":                   with(raw("blobs/../blobs/"+hashA, 1, "x")),
		"\"targets/releases/phone/../":        with(raw("targets/releases/phone/../"+hashA+".43.json", 1, "x")),
		"\"metadata/0.root.json\" is no":      with(raw("metadata/0.root.json", 1, "x")),
		"\"blobs/AAAA":                        with(raw("blobs/"+strings.ToUpper(hashA), 1, "x")),
		"\"bundle.exe\" is no file":           with(raw("bundle.exe", 1, "x")),
		"1.root.json is out of order":         with(blob, root),
		"1.root.json is there twice":          with(root, root),
		"1.root.json has 0 bytes":             with(raw("metadata/1.root.json", 0, "")),
		"has 2097153 bytes":                   with(raw("metadata/1.root.json", maxDocument+1, "x")),
		"has 1099511627776 bytes":             with(raw("blobs/"+hashA, 1<<40, "x")),
		"ends within member metadata/1":       with(raw("metadata/1.root.json", 5000, "x")),
		"its padding is not zero":             edit(len(good)-3*block+100, 1),
		"is not the one that its name":        edit(100, '7'),
		"size of a member is no number":       edit(block*2+sizeAt, 'x'),
		"of form \"candor-bundle-v9\"":        slices.Concat(raw(headerName, 58, `{"build":43,"product":"phone","spec":"candor-bundle-v9"}`+"\n\n"), end),
		"names no build":                      slices.Concat(raw(headerName, 55, `{"build":0,"product":"phone","spec":"candor-bundle-v1"}`), end),
		"json: ":                              slices.Concat(raw(headerName, 5, "nothi"), end),
		"more than 4096 members":              with(many...),
	}
}

func TestHostileBundleIsRefused(t *testing.T) {
	for want, data := range hostile(t) {
		_, err := Read(bytes.NewReader(data), int64(len(data)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestWriterKeepsToTheFormat(t *testing.T) {
	for want, f := range map[string]struct {
		file
		size int64
	}{
		"no file of the published": {file{"../etc/passwd", "x"}, 1},
		"out of order":             {file{"metadata/2.root.json", "x"}, 1},
		"or there twice":           {file{"blobs/" + hashA, "x"}, 1},
		"0 bytes":                  {file{"blobs/" + hashB, ""}, 0},
		"ends after 1 of 2 bytes":  {file{"blobs/" + hashB, "x"}, 2},
		"goes on after 1 bytes":    {file{"blobs/" + hashB, "xx"}, 1},
	} {
		w, err := NewWriter(io.Discard, Header{Product: "phone", Build: 43})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add("blobs/"+hashA, 1, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(f.name, f.size, strings.NewReader(f.data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(made(f, members...))
	for name, b := range hostile(f) {
		if name != "more than 4096 members" {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, name := range b.Names() {
			r, _ := b.File(name)
			got, err := io.ReadAll(r)
			if err != nil || int64(len(got)) != r.Size() {
				t.Fatalf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	})
}
