package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/strict"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxHolder bounds a person's name, in bytes.
const MaxHolder = 100

// CheckHolder refuses names that people could not compare: empty, over 100
// bytes, padded, on several lines, or with control or direction characters.
func CheckHolder(holder string) error {
	switch {
	case holder == "":
		return errors.New("holder: the name of the person is missing")
	case len(holder) > MaxHolder:
		return fmt.Errorf("holder: longer than %d bytes", MaxHolder)
	case !utf8.ValidString(holder) || strings.TrimSpace(holder) != holder || strings.Contains(holder, "\n"):
		return fmt.Errorf("holder %q: one line of text, without space around it", holder)
	}
	return strict.CheckText("holder", holder)
}

// SameHolder reports whether two names mean one person: equal but for case,
// width, accents' encoding and spacing.
func SameHolder(a, b string) bool { return FoldHolder(a) == FoldHolder(b) }

// FoldHolder is the form under which SameHolder compares names.
func FoldHolder(name string) string {
	folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
	return strings.Join(strings.Fields(folded), " ")
}
