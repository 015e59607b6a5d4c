package strict_test

import (
	"bytes"
	"testing"

	"github.com/candor-ota/candor/manifests/strict"
)

// What a newer version wrote is there again when it comes back: beside what the
// older one changed, and gone where the older one took its object away.
func TestUnknownFieldsAreKept(t *testing.T) {
	const from = `{"count":1,"deep":{"er":[1,{"x":true}]},"in":[{"size":1,"y":1},{"size":2,"y":2},{"size":2,"y":3}],"name":"a","notes":{"k":"v","l":"w"},"opt":{"size":7,"z":0}}`
	for name, c := range map[string]struct {
		change func(*doc)
		want   string
	}{
		"nothing changed": {func(*doc) {}, from},
		"a field":         {func(d *doc) { d.Count, d.Opt.Size = 5, 8 }, `{"count":5,"deep":{"er":[1,{"x":true}]},"in":[{"size":1,"y":1},{"size":2,"y":2},{"size":2,"y":3}],"name":"a","notes":{"k":"v","l":"w"},"opt":{"size":8,"z":0}}`},
		"a list": {
			func(d *doc) { d.In = []inner{{9}, {2}, {1}} },
			`{"count":1,"deep":{"er":[1,{"x":true}]},"in":[{"size":9},{"size":2,"y":2},{"size":1,"y":1}],"name":"a","notes":{"k":"v","l":"w"},"opt":{"size":7,"z":0}}`,
		},
		"what is gone": {
			func(d *doc) { d.In, d.Opt = nil, nil; delete(d.Notes, "k") },
			`{"count":1,"deep":{"er":[1,{"x":true}]},"name":"a","notes":{"l":"w"}}`,
		},
	} {
		var d doc
		kept, err := strict.DecodeKept([]byte(from), 1<<10, &d)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&d)
		if got, err := kept.Canonical(&d); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestWhatIsKnownIsStillHeldToItsForm(t *testing.T) {
	for _, text := range []string{`{"x":1,"name":"a"}`, `{"x":1,"count":"1","name":"a"}`, `{"x":1.5,"count":1,"name":"a"}`, `{"x":1,"x":1,"count":1,"name":"a"}`, `[]`, `{"count":1,"in":{"x":1},"name":"a"}`} {
		var d doc
		if _, err := strict.DecodeKept([]byte(text), 1<<10, &d); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// Whatever stands in the file: Decode and DecodeKept agree where nothing is
// unknown, and what is kept comes out again.
func FuzzDecodeKept(f *testing.F) {
	f.Add([]byte(`{"count":1,"in":[{"size":1,"y":1}],"name":"a","opt":{"size":1},"z":{"a":[]}}`))
	f.Add([]byte(`{"count":1,"in":[],"name":"a"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var plain, d doc
		plainly := strict.Decode(data, 1<<10, &plain)
		kept, err := strict.DecodeKept(data, 1<<10, &d)
		if plainly == nil && err != nil {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		once, err := kept.Canonical(&d)
		if err != nil {
			t.Fatal(err)
		}
		var again doc
		kept, err = strict.DecodeKept(once, 1<<11, &again)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := kept.Canonical(&again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s, then %s, %v", once, twice, err)
		}
	})
}
