package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// screen redraws some lines in place.
type screen struct {
	out   io.Writer
	size  func() (width, height int)
	drawn int // lines
}

// draw replaces what was drawn before. A line that would wrap, and lines that
// would scroll away, are cut, since the cursor could not find the way back.
func (s *screen) draw(lines []string) error {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", s.drawn)
	}
	width, height := s.size()
	if most := max(height-1, 1); len(lines) > most {
		lines = append(lines[:most-1:most-1], "…")
	}
	for _, l := range lines {
		b.WriteString(cut(l, max(width, 20)) + "\n")
	}
	s.drawn = len(lines)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// cut keeps a line within so many columns.
func cut(l string, columns int) string {
	used := 0
	for i, r := range l {
		used += columnsOf(r)
		if used > columns-1 && len(l) > i+len(string(r)) || used > columns {
			return l[:i] + "…"
		}
	}
	return l
}

// columnsOf is how wide a character is at most: from Hangul on two columns.
func columnsOf(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

func sizeOf(f *os.File) (width, height int) {
	if width, height, err := term.GetSize(int(f.Fd())); err == nil {
		return width, height
	}
	return 80, 24
}
