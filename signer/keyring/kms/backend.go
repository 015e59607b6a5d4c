package kms

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/signer/keyring"
)

// Kind is the name of this place in locator files.
const Kind = "kms"

// schemes are those of the providers. sigstore would run a program for any
// other.
var schemes = []string{"awskms://", "gcpkms://", "azurekms://", "hashivault://", "openbao://"}

// Backend reaches services for keys.
type Backend struct{}

// Kind is "kms".
func (Backend) Kind() string { return Kind }

// Open reaches the key that the only word of at, a URL, names. No secret is
// asked for: the service's own credentials are used.
func (Backend) Open(ctx context.Context, at keyring.Location, _ keyring.Asker) (keyring.Held, error) {
	url, err := at.One()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(schemes, func(s string) bool { return strings.HasPrefix(url, s) }) {
		return nil, fmt.Errorf("KMS URL %q: begins with one of %s", url, strings.Join(schemes, ", "))
	}
	held, err := open(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("KMS: %w", err)
	}
	return held, nil
}
