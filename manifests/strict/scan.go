package strict

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxDepth is the deepest nesting of objects and arrays that is read.
const MaxDepth = 16

// FieldError says which field of a document was refused and why. Path is in
// the form images[0].index.sha256; it is empty for the document as a whole.
type FieldError struct {
	Path   string
	Reason string
}

func (e *FieldError) Error() string {
	if e.Path == "" {
		return "document: " + e.Reason
	}
	return fmt.Sprintf("field %q: %s", e.Path, e.Reason)
}

// Refuse makes a FieldError; validators of documents use it so that every
// refusal has one form.
func Refuse(path, format string, args ...any) error {
	return &FieldError{Path: path, Reason: fmt.Sprintf(format, args...)}
}

type kind uint8

const (
	kindObject kind = iota + 1
	kindArray
	kindString
	kindNumber
	kindBool
)

func (k kind) String() string {
	return [...]string{"nothing", "an object", "a list", "a string", "a number", "true or false"}[k]
}

// node is one value of the text, with its members in the order of writing.
type node struct {
	kind  kind
	text  string // string content or digits
	truth bool
	names []string
	items []node
}

type scanner struct {
	src   string
	pos   int
	depth int
}

func scan(data []byte, limit int) (node, error) {
	if len(data) > limit {
		return node{}, Refuse("", "%d bytes; at most %d are read", len(data), limit)
	}
	if !utf8.Valid(data) {
		return node{}, Refuse("", "not valid UTF-8")
	}
	s := &scanner{src: string(data)}
	s.space()
	n, err := s.value("")
	if err != nil {
		return node{}, err
	}
	s.space()
	if s.pos != len(s.src) {
		return node{}, Refuse("", "data after the end of the document, at byte %d", s.pos)
	}
	return n, nil
}

func (s *scanner) space() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) word(w string) bool {
	if strings.HasPrefix(s.src[s.pos:], w) {
		s.pos += len(w)
		return true
	}
	return false
}

func (s *scanner) value(path string) (node, error) {
	switch c := s.peek(); {
	case c == '{':
		return s.object(path)
	case c == '[':
		return s.array(path)
	case c == '"':
		text, err := s.quoted(path)
		return node{kind: kindString, text: text}, err
	case c == '-' || c >= '0' && c <= '9':
		return s.number(path)
	case s.word("true"):
		return node{kind: kindBool, truth: true}, nil
	case s.word("false"):
		return node{kind: kindBool}, nil
	case s.word("null"):
		return node{}, Refuse(path, "null is not allowed; leave the field out")
	case s.pos >= len(s.src):
		return node{}, Refuse(path, "the document ends here, at byte %d", s.pos)
	default:
		return node{}, Refuse(path, "not JSON at byte %d", s.pos)
	}
}

func (s *scanner) enter(path string) error {
	s.pos++
	if s.depth++; s.depth > MaxDepth {
		return Refuse(path, "nested deeper than %d", MaxDepth)
	}
	s.space()
	return nil
}

func (s *scanner) leave() {
	s.pos++
	s.depth--
}

// more moves past a comma, or tells that close was reached.
func (s *scanner) more(path string, closing byte) (bool, error) {
	s.space()
	switch s.peek() {
	case closing:
		s.leave()
		return false, nil
	case ',':
		s.pos++
		s.space()
		return true, nil
	default:
		return false, Refuse(path, "expected ',' or '%c' at byte %d", closing, s.pos)
	}
}

func (s *scanner) object(path string) (node, error) {
	n := node{kind: kindObject}
	if err := s.enter(path); err != nil {
		return n, err
	}
	if s.peek() == '}' {
		s.leave()
		return n, nil
	}
	var seen names
	for {
		if s.peek() != '"' {
			return n, Refuse(path, "expected a quoted name at byte %d", s.pos)
		}
		name, err := s.quoted(path)
		if err != nil {
			return n, err
		}
		child := join(path, name)
		if !seen.add(name, n.names) {
			return n, Refuse(child, "given twice")
		}
		s.space()
		if s.peek() != ':' {
			return n, Refuse(child, "expected ':' at byte %d", s.pos)
		}
		s.pos++
		s.space()
		v, err := s.value(child)
		if err != nil {
			return n, err
		}
		n.names, n.items = append(n.names, name), append(n.items, v)
		if again, err := s.more(path, '}'); err != nil || !again {
			return n, err
		}
	}
}

// names tells names that were given before. The few of an ordinary object are
// compared one by one, which costs no memory.
type names map[string]bool

const fewNames = 16

func (n *names) add(name string, before []string) bool {
	if len(before) < fewNames {
		return !slices.Contains(before, name)
	}
	if *n == nil {
		*n = make(names, 2*fewNames)
		for _, b := range before {
			(*n)[b] = true
		}
	}
	if (*n)[name] {
		return false
	}
	(*n)[name] = true
	return true
}

func (s *scanner) array(path string) (node, error) {
	n := node{kind: kindArray}
	if err := s.enter(path); err != nil {
		return n, err
	}
	if s.peek() == ']' {
		s.leave()
		return n, nil
	}
	for {
		v, err := s.value(index(path, len(n.items)))
		if err != nil {
			return n, err
		}
		n.items = append(n.items, v)
		if again, err := s.more(path, ']'); err != nil || !again {
			return n, err
		}
	}
}

func (s *scanner) number(path string) (node, error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	digits := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	text := s.src[start:s.pos]
	switch c := s.peek(); {
	case c == '.' || c == 'e' || c == 'E':
		return node{}, Refuse(path, "fractions and exponents are not allowed, only whole numbers")
	case s.pos == digits, s.src[digits] == '0' && s.pos > digits+1, text == "-0":
		return node{}, Refuse(path, "%q is not a whole number", text)
	}
	return node{kind: kindNumber, text: text}, nil
}

func join(path, name string) string {
	if len(name) > 64 {
		name = name[:64] + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
