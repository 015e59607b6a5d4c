//go:build !pkcs11 || !cgo

package token

import (
	"context"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
)

func open(context.Context, URI, keyring.Asker) (keyring.Held, error) {
	return nil, fmt.Errorf("PKCS#11: %w; build it with `CGO_ENABLED=1 go build -tags pkcs11 ./signer`, which needs a C compiler", keyring.ErrNotBuilt)
}
