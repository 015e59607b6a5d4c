//go:build kms

package kms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
	sigkms "github.com/sigstore/sigstore/pkg/signature/kms"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws"        // awskms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/azure"      // azurekms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/gcp"        // gcpkms://
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault" // hashivault://, openbao://
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// held is one key of a service.
type held struct {
	url     string
	service sigkms.SignerVerifier
	key     keyring.Key
}

func open(ctx context.Context, url string) (keyring.Held, error) { return reach(ctx, url) }

func reach(ctx context.Context, url string) (*held, error) {
	// Providers keep the context that they are made with.
	service, err := sigkms.Get(context.WithoutCancel(ctx), url, crypto.SHA256)
	if err != nil {
		return nil, explain(err)
	}
	public, err := service.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, explain(err)
	}
	key, err := keyring.KeyOf(public)
	if err != nil {
		return nil, err
	}
	if _, plain := public.(ed25519.PublicKey); plain { // signs the bytes, not their hash
		if service, err = sigkms.Get(context.WithoutCancel(ctx), url, crypto.Hash(0)); err != nil {
			return nil, explain(err)
		}
	}
	return &held{url, service, key}, nil
}

func (h *held) Key() keyring.Key { return h.key }
func (h *held) Location() keyring.Location {
	return keyring.Location{Kind: Kind, Words: []string{h.url}}
}
func (h *held) Close() error { return nil }

// Sign has the service sign. A service that refuses is asked for the key once
// more, so that the error says whether it is still there.
func (h *held) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	sig, err := h.service.SignMessage(bytes.NewReader(payload), options.WithContext(ctx))
	if err == nil {
		return sig, nil
	}
	if _, gone := reach(ctx, h.url); gone != nil {
		return nil, fmt.Errorf("KMS: %w", gone)
	}
	return nil, fmt.Errorf("KMS: %w", explain(err))
}
