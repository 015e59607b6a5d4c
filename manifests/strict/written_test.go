package strict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/strict"
)

func TestWrittenIsReadInItsOneFormOnly(t *testing.T) {
	type document struct {
		A int    `json:"a"`
		B string `json:"b"`
	}
	read := func(text string) (d document, err error) {
		return d, strict.Written("a document", []byte(text), &d, func() ([]byte, error) { return json.Marshal(d) })
	}
	if d, err := read(`{"a":1,"b":"x"}`); err != nil || d != (document{1, "x"}) {
		t.Errorf("%+v, %v", d, err)
	}
	for text, words := range map[string]string{
		`{"a":1,"b":"x","c":2}`:       "unknown field",
		`{"a":1,"b":"x"}{}`:           "after the end",
		`{"a":1,"b":"x"} `:            "one form",
		`{"b":"x","a":1}`:             "one form",
		`{"a":2,"a":1,"b":"x"}`:       "one form",
		`{"A":1,"b":"x"}`:             "one form",
		`{"a":1}`:                     "one form",
		`{"a":1,"b":null}`:            "one form",
		`{"a":1.5,"b":"x"}`:           "not a document",
		`[]`:                          "not a document",
		``:                            "not a document",
		`{"a":1,"b":"\u0078"}`:        "one form",
		`{"a":1,"b":"x"}` + "\x00":    "after the end",
		`{"a":1,"b":"x"` + "\n" + `}`: "one form",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: got %v; want %q", text, err, words)
		}
	}
}
