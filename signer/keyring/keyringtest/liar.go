package keyringtest

import (
	"context"
	"errors"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// liar is a place that answers with something else than it should.
type liar struct {
	keyring.Backend
	sign func(keyring.Held, context.Context, []byte) ([]byte, error)
	key  *keyring.Key
}

func (l liar) Open(ctx context.Context, at keyring.Location, ask keyring.Asker) (keyring.Held, error) {
	held, err := l.Backend.Open(ctx, at, ask)
	if err != nil {
		return nil, err
	}
	return lyingKey{held, l}, nil
}

type lyingKey struct {
	keyring.Held
	liar liar
}

func (k lyingKey) Key() keyring.Key {
	if k.liar.key != nil {
		return *k.liar.key
	}
	return k.Held.Key()
}

func (k lyingKey) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if k.liar.sign != nil {
		return k.liar.sign(k.Held, ctx, payload)
	}
	return k.Held.Sign(ctx, payload)
}

func lyingSignatureRefused(t *testing.T, p Place) {
	if p.Backend == nil {
		return // the ring signs by itself
	}
	dir := t.TempDir()
	honest := keyring.Open(dir, p.Backend)
	p.enrol(t, honest, "alice", p.Kinds[0])
	for name, sign := range map[string]func(keyring.Held, context.Context, []byte) ([]byte, error){
		"other bytes": func(h keyring.Held, ctx context.Context, payload []byte) ([]byte, error) {
			return h.Sign(ctx, append([]byte{'x'}, payload...))
		},
		"one bit": func(h keyring.Held, ctx context.Context, payload []byte) ([]byte, error) {
			sig, err := h.Sign(ctx, payload)
			if err == nil {
				sig[len(sig)-1] ^= 1
			}
			return sig, err
		},
		"nothing": func(keyring.Held, context.Context, []byte) ([]byte, error) { return nil, nil },
	} {
		r := keyring.Open(dir, liar{Backend: p.Backend, sign: sign})
		if _, err := p.unlock(t, r, "alice").Sign(t.Context(), payloads[0]); !errors.Is(err, keyring.ErrWrongSignature) {
			t.Errorf("%s: got %v, expected %v", name, err, keyring.ErrWrongSignature)
		}
		fresh := keyring.Open(t.TempDir(), liar{Backend: p.Backend, sign: sign})
		if _, err := p.Make(t, fresh, "bob", p.Kinds[0]); !errors.Is(err, keyring.ErrWrongSignature) {
			t.Errorf("%s: enrolling gave %v, expected %v", name, err, keyring.ErrWrongSignature)
		}
		nothingIsLeft(t, fresh)
	}
}

func lyingPublicHalfRefused(t *testing.T, p Place) {
	if p.Backend == nil {
		return // the ring reads both halves itself
	}
	dir := t.TempDir()
	honest := keyring.Open(dir, p.Backend)
	p.enrol(t, honest, "alice", p.Kinds[0])
	other := p.enrol(t, honest, "other", p.Kinds[0])
	r := keyring.Open(dir, liar{Backend: p.Backend, key: &other.Key})
	if _, err := r.Unlock(t.Context(), "alice", p.Ask); !errors.Is(err, keyring.ErrOtherKey) {
		t.Errorf("got %v, expected %v", err, keyring.ErrOtherKey)
	}
	fresh := keyring.Open(t.TempDir(), liar{Backend: p.Backend, key: &other.Key})
	if _, err := p.Make(t, fresh, "bob", p.Kinds[0]); !errors.Is(err, keyring.ErrWrongSignature) {
		t.Errorf("enrolling gave %v, expected %v", err, keyring.ErrWrongSignature)
	}
	nothingIsLeft(t, fresh)
}
