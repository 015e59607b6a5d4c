package rollouts

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

// draw replaces what was drawn before. Lines are broken at the terminal's edge
// here, and those that would scroll away are left out, since the cursor could
// not find the way back.
func (s *screen) draw(lines []string) error {
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", s.drawn)
	}
	width, height := s.size()
	rows := []string{}
	for _, l := range lines {
		rows = append(rows, wrap(l, max(width, 20))...)
	}
	if most := max(height-1, 1); len(rows) > most {
		rows = append(rows[:most-1:most-1], "…")
	}
	for _, row := range rows {
		b.WriteString(row + "\n")
	}
	s.drawn = len(rows)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// wrap breaks a line into rows of so many columns, at spaces where it can; the
// rows after the first are indented.
func wrap(l string, columns int) []string {
	const indent = "    "
	rows := []string{}
	for {
		used, space := 0, -1
		end := len(l)
		for i, r := range l {
			if used += columnsOf(r); used > columns {
				end = i
				break
			}
			if r == ' ' && i > len(indent) {
				space = i
			}
		}
		if end == len(l) {
			return append(rows, l)
		}
		if l[end] == ' ' {
			space = end
		}
		if space > 0 {
			end = space
		}
		rows = append(rows, strings.TrimRight(l[:end], " "))
		l = indent + strings.TrimLeft(l[end:], " ")
	}
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
