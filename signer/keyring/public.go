package keyring

import (
	"fmt"
	"regexp"

	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/strict"
)

const (
	publicFormat = "candor-public-key-1"
	maxPublic    = 8 << 10
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

// newPublic names a key and its holder.
func newPublic(name, holder string, key Key) (Public, error) {
	if _, err := key.Parse(); err != nil {
		return Public{}, err
	}
	id, err := key.ID()
	if err != nil {
		return Public{}, err
	}
	return Public{Format: publicFormat, Name: name, Holder: holder, KeyID: id, Key: key}, nil
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

// CheckHolder refuses names that people could not compare.
func CheckHolder(holder string) error { return event.CheckHolder(holder) }

// SameHolder reports whether two names mean one person.
func SameHolder(a, b string) bool { return event.SameHolder(a, b) }

// FoldHolder is the form under which SameHolder compares names.
func FoldHolder(name string) string { return event.FoldHolder(name) }
