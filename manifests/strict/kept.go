package strict

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Kept is what a program's own file held beyond the fields that this program
// knows: those of a newer version, which ran here before. The zero value holds
// nothing. It is never to be used for what somebody signed: there an unknown
// field is a refusal (Decode).
type Kept struct{ *difference }

// difference is a text and what is known of it.
type difference struct{ read, known node }

// DecodeKept is Decode for files that a newer version of the same program may
// have written: fields that into does not have, at any depth, are no error, but
// kept. Known fields are held to all that Decode demands.
func DecodeKept(data []byte, limit int, into any) (Kept, error) {
	read, err := scan(data, limit)
	if err != nil {
		return Kept{}, err
	}
	v := reflect.ValueOf(into).Elem()
	known, pruned := prune(read, v.Type())
	if err := assign(known, v, ""); err != nil || !pruned {
		return Kept{}, err
	}
	return Kept{&difference{read, known}}, nil
}

// Canonical gives v, of the type that was read, in canonical form, with what
// was kept put back in its place. A field of an object is put back as long as
// the object is there. A field of an element of a list is put back as long as
// the rest of that element is what it was, wherever it now stands.
func (k Kept) Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	now, err := scan(raw, len(raw))
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	if k.difference != nil {
		now = restore(now, k.read, k.known)
	}
	return appendNode(make([]byte, 0, len(raw)), now), nil
}

// prune is n without the members of objects that t, a struct, has no field for,
// and whether there were any.
func prune(n node, t reflect.Type) (node, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(textUnmarshaler):
	case t.Kind() == reflect.Struct && n.kind == kindObject:
		fields := fieldsOf(t)
		return pruneEach(n, func(name string) reflect.Type { return fields[name] })
	case t.Kind() == reflect.Map && n.kind == kindObject, t.Kind() == reflect.Slice && n.kind == kindArray:
		return pruneEach(n, func(string) reflect.Type { return t.Elem() })
	}
	return n, false
}

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = t.Field(i).Type
		}
	}
	return fields
}

// pruneEach prunes the members of n and leaves out those of no type.
func pruneEach(n node, typeOf func(name string) reflect.Type) (node, bool) {
	out, pruned := n, false
	out.names, out.items = nil, make([]node, 0, len(n.items))
	for i, item := range n.items {
		var name string
		if n.kind == kindObject {
			name = n.names[i]
		}
		t := typeOf(name)
		if t == nil {
			pruned = true
			continue
		}
		known, within := prune(item, t)
		out.items, pruned = append(out.items, known), pruned || within
		if n.kind == kindObject {
			out.names = append(out.names, name)
		}
	}
	return out, pruned
}

// restore puts into now what read holds and known, which is read pruned, does
// not.
func restore(now, read, known node) node {
	switch {
	case now.kind != read.kind:
	case now.kind == kindObject:
		for i, name := range read.names {
			at, was := slices.Index(now.names, name), slices.Index(known.names, name)
			switch {
			case at >= 0 && was >= 0:
				now.items[at] = restore(now.items[at], read.items[i], known.items[was])
			case at < 0 && was < 0:
				now.names, now.items = append(now.names, name), append(now.items, read.items[i])
			}
		}
	case now.kind == kindArray:
		before := make(map[string][]int, len(known.items)) // places by what is known
		for i, item := range known.items {
			form := string(appendNode(nil, item))
			before[form] = append(before[form], i)
		}
		for i, item := range now.items {
			form := string(appendNode(nil, item))
			if at := before[form]; len(at) > 0 {
				now.items[i] = restore(item, read.items[at[0]], known.items[at[0]])
				before[form] = at[1:]
			}
		}
	}
	return now
}
