package cli

import (
	"strings"

	"github.com/candor-ota/candor/manifests/strict"
)

// Clean makes a text of somebody else's fit for a terminal: what would move
// the cursor or turn the reading direction is shown as a question mark.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if strict.CheckText("", string(r)) != nil {
			return '\ufffd'
		}
		return r
	}, s)
}

// Line is Clean on one line.
func Line(s string) string { return strings.ReplaceAll(Clean(s), "\n", " ") }
