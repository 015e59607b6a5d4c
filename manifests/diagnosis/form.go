package diagnosis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests/strict"
)

// checkForm says in words what is wrong with the form of a JSON file of at most
// limit bytes: too long, a web page, no JSON, a field twice, null, a fraction.
func checkForm(data []byte, limit int64) error {
	trimmed := bytes.TrimLeft(data[:min(len(data), 512)], "\ufeff \t\r\n")
	switch {
	case int64(len(data)) > limit:
		return fmt.Errorf("it has more than the %d bytes that are read of such a file", limit)
	case len(trimmed) == 0:
		return errors.New("it is empty")
	case trimmed[0] == '<':
		return errors.New("it is a web page, not JSON: something answers in the server's place")
	case trimmed[0] != '{':
		return fmt.Errorf("it is not JSON: it begins with %q", firstWord(trimmed))
	}
	var any json.RawMessage
	if err := json.Unmarshal(data, &any); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("it is not JSON: at byte %d: %w", syntax.Offset, err)
		}
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := strict.Canonical(json.RawMessage(data)); err != nil {
		var field *strict.FieldError
		if errors.As(err, &field) {
			return field
		}
		return err
	}
	return nil
}

func firstWord(b []byte) []byte {
	if i := bytes.IndexAny(b, " \t\r\n"); i > 0 {
		b = b[:i]
	}
	return b[:min(len(b), 16)]
}

// fields are the members of an object, by name.
type fields map[string]json.RawMessage

func object(raw json.RawMessage, what string) (fields, error) {
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil || f == nil {
		return nil, fmt.Errorf("field %q is missing or not an object", what)
	}
	return f, nil
}

// known refuses names that are almost one of the known ones, and with strangers
// also all others.
func (f fields) known(where string, strangers bool, names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if slices.Contains(names, name) {
			continue
		}
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
			return fmt.Errorf("field %q stands where %q belongs, in %s", name, names[i], where)
		}
		if strangers && !strings.HasPrefix(name, "x-") {
			return fmt.Errorf("field %q is unknown in %s", name, where)
		}
	}
	return nil
}

// into reads a member that must be there.
func (f fields) into(name string, v any) error {
	raw, ok := f[name]
	if !ok {
		return fmt.Errorf("field %q is missing", name)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("field %q: %s", name, plainType(err))
	}
	return nil
}

// plainType says what a reader of JSON found, without the words of Go.
func plainType(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("a %s stands where something else belongs", wrong.Value)
	}
	return err.Error()
}
