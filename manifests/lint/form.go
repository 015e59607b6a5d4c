package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/layout"
)

// maxDepth bounds how deep a file nests; TUF's own go down to 7.
const maxDepth = 32

// makeAgain is what to do about a file that was not written by our tools.
const makeAgain = "make the file again with candor-signer, and sign it anew"

// form walks the tokens of a file: it notes every null, every number that is
// not whole and every field that is written twice, not only the first.
func (r *report) form(data []byte) bool {
	if len(data) > layout.MaxMetadataBytes {
		r.add(place{RuleSize, "", fmt.Sprintf("%d bytes", len(data))}, "retire old releases, or split the product; handsets must verify a role quickly",
			"has %d bytes; at most %d", len(data), layout.MaxMetadataBytes)
		return false
	}
	if !utf8.Valid(data) {
		r.add(place{RuleForm, "", nil}, makeAgain, "is not UTF-8 text")
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := r.walk(d, "", 0); err != nil {
		r.add(place{RuleForm, "", nil}, makeAgain, "is not one JSON document: %v", err)
		return false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		r.add(place{RuleForm, "", nil}, makeAgain, "goes on after its end")
		return false
	}
	return true
}

func (r *report) walk(d *json.Decoder, path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case nil:
		r.add(place{RuleNull, path, "null"}, makeAgain, "field %q is null; a field that says nothing is left out", path)
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") {
			r.add(place{RuleInteger, path, t}, makeAgain, "field %q is %s; only whole numbers are signed", path, clip(t.String()))
		}
	case json.Delim:
		if t == '{' {
			return r.walkObject(d, path, depth)
		}
		for i := 0; d.More(); i++ {
			if err := r.walk(d, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	}
	return nil
}

func (r *report) walkObject(d *json.Decoder, path string, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return errors.New("a field without a name")
		}
		field := join(path, name)
		if seen[name] {
			r.add(place{RuleTwice, field, nil}, makeAgain, "field %q is written twice; readers differ in which they take", field)
		}
		seen[name] = true
		if err := r.walk(d, field, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func join(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}

// fields reads an object, and notes names that are not among the known ones.
// Names count to the letter, since readers differ in whether case matters.
func (r *report) fields(raw json.RawMessage, path string, known ...string) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		r.add(place{RuleForm, path, nil}, makeAgain, "field %q is not an object", path)
		return nil
	}
	for _, name := range sorted(out) {
		if !contains(known, name) {
			r.add(place{RuleField, join(path, name), nil}, makeAgain, "unknown field %q", join(path, name))
			delete(out, name)
		}
	}
	return out
}

// value reads one field; absent is the zero value.
func (r *report) value(from map[string]json.RawMessage, path, name string, into any) bool {
	raw, ok := from[name]
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.add(place{RuleForm, join(path, name), nil}, makeAgain, "field %q is not what it must be: %v", join(path, name), err)
		return false
	}
	return true
}
