package ceremony

import (
	"fmt"
	"strings"
	"unicode"
)

// maxLine is how much of one line is shown, in characters.
const maxLine = 2000

// OneLine makes text of unknown origin harmless for a terminal: one line, no
// control character, nothing that turns the direction of text or is not seen,
// and no more than a screen holds. What is hidden is spelled out.
func OneLine(text string) string { return harmless(text, false) }

func harmless(text string, lines bool) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == '\n' && lines {
			b.WriteRune(r)
			n = 0
			continue
		}
		if n++; n > maxLine {
			if n == maxLine+1 {
				fmt.Fprintf(&b, " … (%d bytes in all)", len(text))
			}
			continue
		}
		switch {
		case r == '\n':
			b.WriteString(" / ")
		case r == unicode.ReplacementChar, !unicode.IsPrint(r) && r != ' ':
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
