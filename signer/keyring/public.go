package keyring

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests/strict"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	publicFormat = "candor-public-key-1"
	maxPublic    = 8 << 10
	maxHolder    = 100
)

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Public is the half of a key that its holder hands to others.
type Public struct {
	Format string `json:"format"`
	Name   string `json:"name"`   // of the key, in its holder's ring: [a-z0-9-], at most 64
	Holder string `json:"holder"` // the person, as a colleague would say the name
	KeyID  string `json:"keyid"`
	Key    Key    `json:"key"`
}

// ParsePublic reads a Public file strictly and checks that the key is of an
// allowed kind and that the id is that of the key.
func ParsePublic(data []byte) (Public, error) {
	var p Public
	if err := strict.Decode(data, maxPublic, &p); err != nil {
		return Public{}, fmt.Errorf("public key file: %w", err)
	}
	if err := p.check(); err != nil {
		return Public{}, fmt.Errorf("public key file: %w", err)
	}
	return p, nil
}

// ReadPublic is ParsePublic of a file.
func ReadPublic(path string) (Public, error) {
	data, err := ReadFile(path, maxPublic)
	if err != nil {
		return Public{}, err
	}
	p, err := ParsePublic(data)
	if err != nil {
		return Public{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (p Public) check() error {
	if p.Format != publicFormat {
		return fmt.Errorf("field \"format\": %q; this program reads %q", p.Format, publicFormat)
	}
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if err := CheckHolder(p.Holder); err != nil {
		return err
	}
	if _, err := p.Key.Parse(); err != nil {
		return fmt.Errorf("field \"key\": %w", err)
	}
	id, err := p.Key.ID()
	if err != nil {
		return err
	}
	if id != p.KeyID {
		return fmt.Errorf("field \"keyid\": is %s, but the key has id %s", p.KeyID, id)
	}
	return nil
}

// Marshal gives the bytes of a Public file.
func (p Public) Marshal() ([]byte, error) {
	data, err := strict.Canonical(p)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", p.Name, err)
	}
	return append(data, '\n'), nil
}

// CheckName refuses a key name that is not [a-z0-9][a-z0-9-]{0,63}.
func CheckName(name string) error {
	if !keyName.MatchString(name) {
		return fmt.Errorf("key name %q: use a-z, 0-9 and -, at most 64 characters", name)
	}
	return nil
}

// CheckHolder refuses names that people could not compare: empty, over 100
// bytes, padded, on several lines, or with control or direction characters.
func CheckHolder(holder string) error {
	switch {
	case holder == "":
		return errors.New("holder: the name of the person is missing")
	case len(holder) > maxHolder:
		return fmt.Errorf("holder: longer than %d bytes", maxHolder)
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
