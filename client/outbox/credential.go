package outbox

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxCredential bounds a factory credential and, within the request that
// carries it, its certificates; in bytes of PEM.
const (
	maxCredential = 16 << 10
	maxChain      = 4 << 10
)

// parseCredential splits a factory credential into certificates, re-encoded in
// PEM, and the seed of the key that the first of them is about.
func parseCredential(text []byte) (chain string, key seed, err error) {
	if len(text) > maxCredential {
		return "", key, fmt.Errorf("%d bytes; at most %d are read", len(text), maxCredential)
	}
	var certificates [][]byte
	var private ed25519.PrivateKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		switch {
		case block.Type == "CERTIFICATE" && len(certificates) < 2:
			certificates = append(certificates, block.Bytes)
		case block.Type == "PRIVATE KEY" && private == nil:
			if private, err = parseKey(block.Bytes); err != nil {
				return "", key, err
			}
		default:
			return "", key, fmt.Errorf("a block %q is one too many; put in the handset's certificate, its batch CA's if you like, and the private key", block.Type)
		}
	}
	if len(bytes.TrimSpace(text)) > 0 {
		return "", key, errors.New("something that is not PEM follows")
	}
	if len(certificates) == 0 || private == nil {
		return "", key, errors.New("a CERTIFICATE and a PRIVATE KEY in PEM are needed")
	}
	leaf, err := x509.ParseCertificate(certificates[0])
	if err != nil {
		return "", key, fmt.Errorf("certificate: %w", err)
	}
	public, ok := leaf.PublicKey.(ed25519.PublicKey)
	if !ok || !public.Equal(private.Public()) {
		return "", key, errors.New("the private key is not that of the first certificate")
	}
	var out bytes.Buffer
	for _, der := range certificates {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if out.Len() > maxChain {
		return "", key, fmt.Errorf("certificates of %d bytes; at most %d are sent", out.Len(), maxChain)
	}
	return out.String(), seed(private.Seed()), nil
}

func parseKey(der []byte) (ed25519.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key is %T; only Ed25519 is used", key)
	}
	return private, nil
}
