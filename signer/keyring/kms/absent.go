//go:build !kms

package kms

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
)

func open(context.Context, string) (keyring.Held, error) {
	return nil, fmt.Errorf("%w; build it with `go build -tags kms ./signer`", keyring.ErrNotBuilt)
}
