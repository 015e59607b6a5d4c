package strict_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/strict"
)

type inner struct {
	Size uint32 `json:"size"`
}

type doc struct {
	Name  string            `json:"name"`
	Count int64             `json:"count"`
	On    bool              `json:"on,omitempty"`
	In    []inner           `json:"in,omitempty"`
	Opt   *inner            `json:"opt,omitempty"`
	Notes map[string]string `json:"notes,omitempty"`
}

// manyNotes is a document with n notes and one of them once more.
func manyNotes(n, twice int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":"x",`, i)
	}
	return fmt.Sprintf(`{"name":"a","count":1,"notes":{%s"k%d":"y"}}`, b.String(), twice)
}

func TestEveryLooseFormIsRefusedByFieldAndReason(t *testing.T) {
	cases := map[string]struct{ text, field, reason string }{
		"unknown":          {`{"name":"a","count":1,"x":1}`, "x", "unknown field"},
		"unknown nested":   {`{"name":"a","count":1,"in":[{"size":1,"y":2}]}`, "in[0].y", "unknown field"},
		"case differs":     {`{"Name":"a","count":1}`, "name", "missing"},
		"missing":          {`{"name":"a"}`, "count", "missing"},
		"twice":            {`{"name":"a","count":1,"count":1}`, "count", "given twice"},
		"twice by escape":  {`{"name":"a","count":1,"coun\u0074":1}`, "count", "given twice"},
		"twice among many": {manyNotes(40, 3), "notes.k3", "given twice"},
		"twice at the end": {manyNotes(40, 39), "notes.k39", "given twice"},
		"null":             {`{"name":null,"count":1}`, "name", "null is not allowed"},
		"float":            {`{"name":"a","count":1.0}`, "count", "fractions"},
		"exponent":         {`{"name":"a","count":1e3}`, "count", "fractions"},
		"leading zero":     {`{"name":"a","count":01}`, "count", "not a whole number"},
		"negative zero":    {`{"name":"a","count":-0}`, "count", "not a whole number"},
		"too large":        {`{"name":"a","count":9007199254740993}`, "count", "out of range"},
		"overflow":         {`{"name":"a","count":1,"in":[{"size":4294967296}]}`, "in[0].size", "out of range"},
		"negative":         {`{"name":"a","count":1,"in":[{"size":-1}]}`, "in[0].size", "out of range"},
		"wrong type":       {`{"name":7,"count":1}`, "name", "expected a string"},
		"control":          {`{"name":"a\u0007","count":1}`, "name", "control character"},
		"bidi":             {`{"name":"a\u202eb","count":1}`, "name", "direction override"},
		"lone surrogate":   {`{"name":"\ud800","count":1}`, "name", "bad escape"},
		"trailing":         {`{"name":"a","count":1} x`, "", "data after the end"},
		"second document":  {`{"name":"a","count":1}{}`, "", "data after the end"},
		"truncated":        {`{"name":"a","count":1`, "", "expected ','"},
		"invalid utf8":     {"{\"name\":\"\xff\",\"count\":1}", "", "not valid UTF-8"},
		"html":             {`<!doctype html><html>`, "", "not JSON"},
		"empty":            {``, "", "the document ends here"},
		"too deep":         {strings.Repeat("[", 20), "[0]", "nested deeper"},
		"over the limit":   {`{"name":"` + strings.Repeat("a", 5000) + `","count":1}`, "", "at most 4096"},
		"unescaped":        {"{\"name\":\"a\nb\",\"count\":1}", "name", "unescaped control"},
		"trailing comma":   {`{"name":"a","count":1,}`, "", "quoted name"},
		"list for object":  {`[]`, "", "expected an object"},
		"object for list":  {`{"name":"a","count":1,"in":{}}`, "in", "expected a list"},
		"string for bool":  {`{"name":"a","count":1,"on":"true"}`, "on", "expected true or false"},
		"number in a map":  {`{"name":"a","count":1,"notes":{"en":1}}`, "notes.en", "expected a string"},
		"string as number": {`{"name":"a","count":"1"}`, "count", "expected a number"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var d doc
			err := strict.Decode([]byte(c.text), 4096, &d)
			if err == nil {
				t.Fatalf("%s was taken", c.text)
			}
			if !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %q does not say %q", err, c.reason)
			}
			if c.field != "" && !strings.Contains(err.Error(), c.field) {
				t.Errorf("error %q does not name %q", err, c.field)
			}
		})
	}
}

func TestDecodeReadsWhatCanonicalWrites(t *testing.T) {
	d := doc{Name: "snow \"é\"\n雪", Count: -7, On: true, In: []inner{{1}, {2}}, Opt: &inner{3}, Notes: map[string]string{"zh": "b", "en": "a"}}
	b, err := strict.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"count":-7,"in":[{"size":1},{"size":2}],"name":"snow \"é\"\n雪","notes":{"en":"a","zh":"b"},"on":true,"opt":{"size":3}}`
	if string(b) != want {
		t.Fatalf("canonical form\n%s\nwant\n%s", b, want)
	}
	var back doc
	if err := strict.Decode(b, 4096, &back); err != nil {
		t.Fatal(err)
	}
	again, err := strict.Canonical(back)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("second form %s, %v", again, err)
	}
}

// Whatever strict takes, encoding/json must read the same, or two parties
// could see two documents.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"name":"a","count":1}`, `{"name":"\ud83d\ude00","count":-1,"in":[{"size":1}]}`, `{"name":"a","count":1,"notes":{"en":"x"}}`, `{"a":[[[]]]}`, `{"name":null}`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d, std doc
		if strict.Decode(data, 4096, &d) != nil {
			return
		}
		if err := json.Unmarshal(data, &std); err != nil {
			t.Fatalf("encoding/json refuses what strict took: %v", err)
		}
		a, err := strict.Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		b, err := strict.Canonical(std)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("read differently:\n%s\n%s", a, b)
		}
	})
}
