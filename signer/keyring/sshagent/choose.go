package sshagent

import (
	"crypto"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"

	"github.com/candor-ota/candor/signer/keyring"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// choose takes the key that match names: a fingerprint, a comment, or nothing
// if there is no choice.
func (h *held) choose(match string) error {
	keys, err := h.agent.List()
	if err != nil {
		return fmt.Errorf("%w: the ssh-agent does not list its keys: %w", keyring.ErrUnreachable, err)
	}
	var fits []*agent.Key
	for _, k := range keys {
		if fingerprint := ssh.FingerprintSHA256(k); match == fingerprint || match == k.Comment && match != "" || match == "" && usable(k.Format) == nil {
			fits = append(fits, k)
		}
	}
	switch {
	case len(fits) == 0 && match == "" && len(keys) > 0:
		return fmt.Errorf("%w: the ssh-agent has none of them, but:%s", keyring.ErrKind, listing(keys))
	case len(fits) == 0:
		return gone(keys, match)
	case len(fits) > 1:
		return fmt.Errorf("%w: name one by its fingerprint (`key add --match SHA256:…`):%s", keyring.ErrAmbiguous, listing(fits))
	}
	return h.take(fits[0])
}

func (h *held) take(k *agent.Key) error {
	if err := usable(k.Format); err != nil {
		return fmt.Errorf("ssh-agent: key %s: %w", ssh.FingerprintSHA256(k), err)
	}
	parsed, err := ssh.ParsePublicKey(k.Blob)
	if err != nil {
		return fmt.Errorf("ssh-agent: key %s: %w", ssh.FingerprintSHA256(k), err)
	}
	public, ok := parsed.(ssh.CryptoPublicKey)
	if !ok {
		return fmt.Errorf("ssh-agent: key %s of type %s: %w", ssh.FingerprintSHA256(k), k.Format, keyring.ErrKind)
	}
	return h.keep(parsed, public.CryptoPublicKey())
}

func (h *held) keep(parsed ssh.PublicKey, public crypto.PublicKey) error {
	key, err := keyring.KeyOf(public)
	if err != nil {
		return fmt.Errorf("ssh-agent: key %s: %w", ssh.FingerprintSHA256(parsed), err)
	}
	h.ssh, h.key = parsed, key
	return nil
}

// usable says why keys of an ssh type cannot sign metadata, or nil.
func usable(format string) error {
	switch {
	case format == ssh.KeyAlgoED25519, format == ssh.KeyAlgoECDSA256:
		return nil
	case strings.HasPrefix(format, "sk-"):
		return fmt.Errorf("type %s: a security key signs a message of its own around the bytes, which no TUF client can verify; %w", format, keyring.ErrKind)
	case strings.Contains(format, "-cert-"):
		return fmt.Errorf("type %s: name the plain key, not its certificate; %w", format, keyring.ErrKind)
	default:
		return fmt.Errorf("type %s: %w; `ssh-keygen -t ed25519` makes one", format, keyring.ErrKind)
	}
}

// plain turns an SSH signature into the form that keyring.Key.Verify takes.
// RFC 8709 section 6 (Ed25519: the signature as it is) and RFC 5656 section
// 3.1.2 (ECDSA: two integers).
func plain(keyType string, sig *ssh.Signature) ([]byte, error) {
	if sig.Format != keyType || len(sig.Rest) != 0 {
		return nil, fmt.Errorf("%w: the ssh-agent answered a %s key with a signature of type %q", keyring.ErrWrongSignature, keyType, sig.Format)
	}
	if keyType == ssh.KeyAlgoED25519 {
		return sig.Blob, nil
	}
	var point struct{ R, S *big.Int }
	if err := ssh.Unmarshal(sig.Blob, &point); err != nil {
		return nil, fmt.Errorf("%w: the ssh-agent's signature is malformed: %w", keyring.ErrWrongSignature, err)
	}
	der, err := asn1.Marshal(point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keyring.ErrWrongSignature, err)
	}
	return der, nil
}
