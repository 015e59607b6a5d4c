package strict

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// Decode reads data, of at most limit bytes, into the struct or map that into
// points to. Fields are matched by their json tag, to the letter. A field
// whose tag lacks omitempty must be present. Types that implement
// encoding.TextUnmarshaler are given the string. Errors are *FieldError.
func Decode(data []byte, limit int, into any) error {
	n, err := scan(data, limit)
	if err != nil {
		return err
	}
	return assign(n, reflect.ValueOf(into).Elem(), "")
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func assign(n node, v reflect.Value, path string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return assign(n, v.Elem(), path)
	}
	if reflect.PointerTo(v.Type()).Implements(textUnmarshaler) {
		if n.kind != kindString {
			return wrong(n, path, kindString)
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
			return Refuse(path, "%v", err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return assignStruct(n, v, path)
	case reflect.Map:
		return assignMap(n, v, path)
	case reflect.Slice:
		return assignSlice(n, v, path)
	case reflect.String:
		if n.kind != kindString {
			return wrong(n, path, kindString)
		}
		v.SetString(n.text)
	case reflect.Bool:
		if n.kind != kindBool {
			return wrong(n, path, kindBool)
		}
		v.SetBool(n.truth)
	default:
		return assignInteger(n, v, path)
	}
	return nil
}

func wrong(n node, path string, want kind) error {
	return Refuse(path, "is %s; expected %s", n.kind, want)
}

func assignInteger(n node, v reflect.Value, path string) error {
	if n.kind != kindNumber {
		return wrong(n, path, kindNumber)
	}
	// TUF metadata, JavaScript and jq all hold integers exactly up to 2^53 only.
	const exact = 1 << 53
	if v.CanUint() {
		u, err := strconv.ParseUint(n.text, 10, 64)
		if err != nil || v.OverflowUint(u) || u > exact {
			return Refuse(path, "%s is out of range", n.text)
		}
		v.SetUint(u)
		return nil
	}
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || v.OverflowInt(i) || i > exact || i < -exact {
		return Refuse(path, "%s is out of range", n.text)
	}
	v.SetInt(i)
	return nil
}

func assignSlice(n node, v reflect.Value, path string) error {
	if n.kind != kindArray {
		return wrong(n, path, kindArray)
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i := range n.items {
		if err := assign(n.items[i], out.Index(i), index(path, i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func assignMap(n node, v reflect.Value, path string) error {
	if n.kind != kindObject {
		return wrong(n, path, kindObject)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.names))
	for i, name := range n.names {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := assign(n.items[i], e, join(path, name)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
	}
	v.Set(out)
	return nil
}

func assignStruct(n node, v reflect.Value, path string) error {
	if n.kind != kindObject {
		return wrong(n, path, kindObject)
	}
	given := make(map[string]node, len(n.names))
	for i, name := range n.names {
		given[name] = n.items[i]
	}
	t := v.Type()
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		value, ok := given[name]
		if !ok {
			if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
				continue
			}
			return Refuse(join(path, name), "missing")
		}
		delete(given, name)
		if err := assign(value, v.Field(i), join(path, name)); err != nil {
			return err
		}
	}
	for _, name := range n.names {
		if _, left := given[name]; left {
			return Refuse(join(path, name), "unknown field")
		}
	}
	return nil
}
