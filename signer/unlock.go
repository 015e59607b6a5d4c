package main

import (
	"context"
	"errors"

	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/keyring"
)

// ring is the key directory, with every place of keys that this program was
// built to reach.
func (a *app) ring() *keyring.Ring { return keyring.Open(a.keysDir, a.places()...) }

// unlock makes a key of the ring ready to sign, asking for what opens it. Its
// caller closes it.
func (a *app) unlock(ctx context.Context, name string) (keyring.Signer, error) {
	return a.ring().Unlock(ctx, name, &a.pass)
}

// signWith signs p with the key NAME of the ring.
func (a *app) signWith(ctx context.Context, name string, p *ceremony.Proposal, image ceremony.Image) error {
	key, err := a.unlock(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(p.Sign(ctx, key, image, a.now()), key.Close())
}
