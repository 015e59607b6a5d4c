package strict

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads one JSON string. Escapes are resolved; lone surrogates and
// characters that CheckText refuses are refused.
func (s *scanner) quoted(path string) (string, error) {
	s.pos++
	var b strings.Builder
	if n := strings.IndexByte(s.src[s.pos:], '"'); n > 0 {
		b.Grow(n) // most strings have no escapes
	}
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == '"':
			s.pos++
			return b.String(), CheckText(path, b.String())
		case c == '\\':
			r, ok := s.escape()
			if !ok {
				return "", Refuse(path, "bad escape in a string near byte %d", s.pos)
			}
			b.WriteRune(r)
		case c < 0x20:
			return "", Refuse(path, "unescaped control character at byte %d", s.pos)
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	return "", Refuse(path, "string without an end")
}

func (s *scanner) escape() (rune, bool) {
	if s.pos+1 >= len(s.src) {
		return 0, false
	}
	c := s.src[s.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		s.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	r, ok := s.unicode()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	low, ok := s.unicode()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

// unicode reads one \uXXXX.
func (s *scanner) unicode() (rune, bool) {
	if s.pos+6 > len(s.src) || s.src[s.pos] != '\\' || s.src[s.pos+1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s.src[s.pos+2:s.pos+6], 16, 16)
	s.pos += 6
	return rune(v), err == nil
}

// CheckText refuses characters that make a text read differently from what it
// says: control characters other than newline, and the bidirectional overrides
// and isolates (U+202A–202E, U+2066–2069) that reorder what a person sees.
func CheckText(path, text string) error {
	for i, r := range text {
		switch {
		case r == '\n':
		case r < 0x20, r >= 0x7f && r < 0xa0:
			return Refuse(path, "control character U+%04X at byte %d of the text", r, i)
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return Refuse(path, "direction override U+%04X at byte %d of the text", r, i)
		}
	}
	return nil
}
