package publish

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/candor-ota/candor/manifests/layout"
)

var metadataLike = []byte(strings.Repeat(`{"keyid":"0123456789abcdef","sig":"fedcba9876543210"},`, 40))

func encoding(f *Form) string {
	if f.Encoding == nil {
		return "identity"
	}
	return f.Encoding[0]
}

func TestReaderGetsTheCodingThatItLikesBest(t *testing.T) {
	f := NewFile(metadataLike, true)
	f.Accepting([]string{"gzip"})
	smaller := "gzip"
	if len(f.packed[1].Body) < len(f.packed[0].Body) {
		smaller = "zstd"
	}
	for accept, want := range map[string]string{
		"":                                 "identity",
		"identity":                         "identity",
		"gzip":                             "gzip",
		"GZIP":                             "gzip",
		"x-gzip":                           "gzip",
		"zstd":                             "zstd",
		"gzip, deflate, br, zstd":          smaller,
		"*":                                smaller,
		"*;q=0.5, zstd;q=0":                "gzip",
		"zstd;q=0.5, gzip;q=0.4":           "zstd",
		"zstd;q=0.001,gzip;q=0.01":         "gzip",
		"gzip;q=0":                         "identity",
		"gzip;q=0, zstd;q=0, identity;q=0": "identity",
		"identity;q=1, gzip;q=0.5":         "identity",
		"identity;q=0.5, gzip;q=0.5":       "gzip",
		"br, deflate":                      "identity",
		"gzip;q=2":                         "identity",
		"gzip;q=0.0001":                    "identity",
		"gzip;q=x":                         "identity",
		"gzip;level=9":                     "identity",
		" gzip ; q=1.000 ":                 "gzip",
		"gzip;q=1.001":                     "identity",
		",,;,":                             "identity",
	} {
		if got := encoding(f.Accepting([]string{accept})); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
	if got := encoding(f.Accepting([]string{"gzip;q=0.2", "zstd"})); got != "zstd" {
		t.Errorf("two lines: %s", got)
	}
}

func TestFormsAreTheFileAndHaveTagsOfTheirOwn(t *testing.T) {
	f := NewFile(metadataLike, true)
	zipped, z := f.Accepting([]string{"gzip"}), f.Accepting([]string{"zstd"})
	r, err := gzip.NewReader(bytes.NewReader(zipped.Body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, metadataLike) {
		t.Errorf("gzip: %v", err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if plain, err := d.DecodeAll(z.Body, nil); err != nil || !bytes.Equal(plain, metadataLike) {
		t.Errorf("zstd: %v", err)
	}
	tags := map[string]bool{}
	for _, form := range []*Form{&f.Form, zipped, z} {
		tags[form.ETag] = true
		if form.ETag != layout.ETag(form.Body) || form.ETags[0] != form.ETag {
			t.Errorf("tag %s is not that of the bytes that are sent", form.ETag)
		}
	}
	if len(tags) != 3 {
		t.Errorf("%d tags for three representations", len(tags))
	}
}

func TestWhatDoesNotShrinkIsSentAsItIs(t *testing.T) {
	for _, body := range []string{"", "{}", `{"v":1}`} {
		if form := NewFile([]byte(body), true).Accepting([]string{"gzip, zstd"}); form.Encoding != nil {
			t.Errorf("%q was sent as %s", body, form.Encoding)
		}
	}
}

// The first readers may come at once; then nothing is computed or allocated.
func TestFileIsCompressedOnce(t *testing.T) {
	f := NewFile(metadataLike, true)
	var forms [8]*Form
	var wg sync.WaitGroup
	for i := range forms {
		wg.Go(func() { forms[i] = f.Accepting([]string{"gzip"}) })
	}
	wg.Wait()
	for _, form := range forms {
		if form != forms[0] {
			t.Error("two of them")
		}
	}
	accept := []string{"gzip;q=0.9, deflate, br, zstd;q=1"}
	if n := testing.AllocsPerRun(100, func() { f.Accepting(accept) }); n != 0 {
		t.Errorf("%v allocations for a request", n)
	}
}

func TestPublishKeepsTheFormsOfWhatHasNotChanged(t *testing.T) {
	g := empty()
	g.add("metadata/1.targets.json", metadataLike)
	g.Timestamp = []byte("{}")
	one := newTree(g, issuedOf(nil), nil)
	next := g.clone()
	next.add("metadata/2.targets.json", []byte("{ }"))
	two := newTree(next, issuedOf(nil), one)
	if one.File("metadata/1.targets.json") != two.File("metadata/1.targets.json") {
		t.Error("what was there before was made again")
	}
	if two.File("metadata/2.targets.json") == nil || one.File("metadata/2.targets.json") != nil {
		t.Error("the trees are not apart")
	}
	other := g.clone()
	other.add("metadata/1.targets.json", []byte("{}"))
	if got := newTree(other, issuedOf(nil), one).File("metadata/1.targets.json"); string(got.Body) != "{}" {
		t.Errorf("got %s", got.Body)
	}
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, s := range []string{"", "gzip", "gzip;q=0.5, zstd;q=0", "*;q=0", "identity;q=0;q=1", ";;;,,,q=", "gzip;q=0.999,\x00"} {
		f.Add(s)
	}
	file := NewFile(metadataLike, true)
	f.Fuzz(func(t *testing.T, accept string) {
		l := liking([]string{accept})
		for _, w := range []int{l.gzip, l.zstd, l.identity} {
			if w < 0 || w > 1000 {
				t.Errorf("%+v", l)
			}
		}
		if form := file.Accepting([]string{accept}); form.Encoding != nil && !strings.Contains(accept, "*") &&
			!strings.Contains(strings.ToLower(accept), form.Encoding[0]) {
			t.Errorf("%q was given %s", accept, form.Encoding[0])
		}
	})
}
