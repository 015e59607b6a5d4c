package token

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
)

// Kind is the name of this place in locator files.
const Kind = "pkcs11"

// Backend reaches tokens.
type Backend struct{}

// Kind is "pkcs11".
func (Backend) Kind() string { return Kind }

// Open finds the key that the only word of at, a URI, names, and logs in with a
// PIN that ask gives.
func (Backend) Open(ctx context.Context, at keyring.Location, ask keyring.Asker) (keyring.Held, error) {
	word, err := at.One()
	if err != nil {
		return nil, err
	}
	u, err := Parse(word)
	if err != nil {
		return nil, err
	}
	held, err := open(ctx, u, ask)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return held, nil
}
