package strict

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Canonical gives the one byte sequence that stands for v: keys sorted by
// their bytes, no white space, whole numbers only, and the shortest escapes
// (RFC 8785 without floats). v is anything that encoding/json can marshal.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	n, err := scan(raw, len(raw))
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return appendNode(make([]byte, 0, len(raw)), n), nil
}

func appendNode(b []byte, n node) []byte {
	switch n.kind {
	case kindObject:
		return appendObject(b, n)
	case kindArray:
		b = append(b, '[')
		for i := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNode(b, n.items[i])
		}
		return append(b, ']')
	case kindString:
		return appendString(b, n.text)
	case kindNumber:
		return append(b, n.text...)
	default:
		return fmt.Appendf(b, "%t", n.truth)
	}
}

func appendObject(b []byte, n node) []byte {
	order := make([]int, len(n.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if n.names[i] < n.names[j] {
			return -1
		}
		return 1
	})
	b = append(b, '{')
	for i, at := range order {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, n.names[at])
		b = append(b, ':')
		b = appendNode(b, n.items[at])
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20:
			b = fmt.Appendf(b, "\\u%04x", c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
