//go:build pkcs11 && cgo

package token

import (
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/miekg/pkcs11"
)

// held is one key of a token, with a session of its own.
type held struct {
	module  *module
	slot    slot
	session pkcs11.SessionHandle
	ask     keyring.Asker
	uri     URI
	object  object
	key     keyring.Key
	busy    sync.Mutex // held while the token works
}

func open(ctx context.Context, u URI, ask keyring.Asker) (keyring.Held, error) {
	m, err := load(u.Module)
	if err != nil {
		return nil, err
	}
	s, err := m.find(u)
	if err != nil {
		return nil, errors.Join(err, m.release())
	}
	session, err := m.ctx.OpenSession(s.id, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, errors.Join(explain("open a session", err), m.release())
	}
	h := &held{module: m, slot: s, session: session, ask: ask, uri: u}
	if err := h.find(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// find logs in and takes the key.
func (h *held) find(ctx context.Context) (err error) {
	if err := h.login(ctx); err != nil {
		return err
	}
	if h.object, err = h.privateKey(h.uri); err != nil {
		return err
	}
	public, err := h.publicKey(h.object)
	if err != nil {
		return err
	}
	if h.key, err = keyring.KeyOf(public); err != nil {
		return fmt.Errorf("key %s: %w", h.object, err)
	}
	h.uri.Token, h.uri.Serial = h.slot.token.Label, h.slot.token.SerialNumber
	h.uri.ID, h.uri.Object = h.object.id, h.object.label
	return nil
}

func (h *held) Key() keyring.Key { return h.key }

// Location is the URI with token, serial number and id filled in.
func (h *held) Location() keyring.Location {
	return keyring.Location{Kind: Kind, Words: []string{h.uri.String()}}
}

// Sign has the token sign; it may want to be touched, or its PIN again.
func (h *held) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	h.busy.Lock()
	defer h.busy.Unlock()
	mechanism, input := uint(mechanismEdDSA), payload
	if h.object.kind == pkcs11.CKK_EC {
		sum := sha256.Sum256(payload)
		mechanism, input = pkcs11.CKM_ECDSA, sum[:]
	}
	c := h.module.ctx
	if err := c.SignInit(h.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, h.object.handle); err != nil {
		return nil, explain("sign", err)
	}
	if h.object.again {
		pin, err := h.pin(ctx)
		if err != nil {
			return nil, err
		}
		if err := h.refusedPIN(c.Login(h.session, pkcs11.CKU_CONTEXT_SPECIFIC, pin)); err != nil {
			return nil, err
		}
	}
	sig, err := c.Sign(h.session, input)
	if err != nil {
		return nil, explain("sign", err)
	}
	if h.object.kind == pkcs11.CKK_EC {
		return joined(sig)
	}
	return sig, nil
}

// joined turns the two halves of an ECDSA signature into ASN.1.
func joined(raw []byte) ([]byte, error) {
	if len(raw) != 64 {
		return nil, fmt.Errorf("%w: the token gave %d bytes for a P-256 signature", keyring.ErrWrongSignature, len(raw))
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
}

// Close ends the session and, with the last key, logs out. A token that still
// works on an abandoned signature is left to the end of the process.
func (h *held) Close() error {
	if !h.busy.TryLock() {
		return nil
	}
	defer h.busy.Unlock()
	err := h.module.ctx.CloseSession(h.session)
	for _, p := range pulled {
		if errors.Is(err, p) {
			err = nil // it is gone with its token
		}
	}
	return errors.Join(err, h.module.release())
}
