package release

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

type (
	rootMeta    = metadata.Metadata[metadata.RootType]
	targetsMeta = metadata.Metadata[metadata.TargetsType]
)

// parseExactly refuses what the library would read generously or panic on:
// repeated fields, other letter case, null, floats. The bytes and what the
// library understood must have one canonical form.
func parseExactly[T metadata.Roles](name string, data []byte, into *metadata.Metadata[T]) (*metadata.Metadata[T], error) {
	if len(data) > layout.MaxMetadataBytes {
		return nil, refuse(name, "has %d bytes; at most %d, so that handsets verify it quickly", len(data), layout.MaxMetadataBytes)
	}
	var m *metadata.Metadata[T]
	err := guarded(func() error {
		given, err := strict.Canonical(json.RawMessage(data))
		if err != nil {
			return err
		}
		if m, err = into.FromBytes(data); err != nil {
			return err
		}
		understood, err := strict.Canonical(m)
		if err != nil {
			return err
		}
		if !bytes.Equal(given, understood) {
			return errors.New("holds fields that a TUF library reads differently from how they are written")
		}
		return nil
	})
	if err != nil {
		return nil, refuse(name, "%v", err)
	}
	seen := map[string]bool{}
	for _, s := range m.Signatures {
		if seen[s.KeyID] {
			return nil, refuse(name, "key %.12s signs twice", s.KeyID)
		}
		seen[s.KeyID] = true
	}
	return m, nil
}

func parseRoot(name string, data []byte) (*rootMeta, error) {
	return parseExactly(name, data, metadata.Root())
}

func parseTargets(name string, data []byte) (*targetsMeta, error) {
	return parseExactly(name, data, metadata.Targets())
}

// guarded runs a call of the library, whose panics are refusals like any other.
func guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("has a shape that cannot be verified (%v)", p)
		}
	}()
	return call()
}

// delegator is root or targets.
type delegator interface {
	VerifyDelegate(role string, m any) error
}

// verifySigned refuses m unless by's threshold for the role signed it.
func verifySigned(name string, by delegator, role string, m any) error {
	if err := guarded(func() error { return by.VerifyDelegate(role, m) }); err != nil {
		return refuse(name, "%v", err)
	}
	return nil
}

func checkFresh(name string, expires, now time.Time) error {
	if !now.Before(expires) {
		return refuse(name, "expired on %s", expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkKeys refuses kinds of key that handsets do not use, and keys under ids
// that are not theirs: one key must not count as two.
func checkKeys(name string, keys map[string]*metadata.Key) error {
	for id, k := range keys {
		if k == nil {
			return refuse(name, "key %.12s is empty", id)
		}
		err := guarded(func() error {
			public, err := k.ToPublicKey()
			if err != nil {
				return err
			}
			p256, isEC := public.(*ecdsa.PublicKey)
			switch {
			case k.Type == metadata.KeyTypeEd25519 && k.Scheme == metadata.KeySchemeEd25519:
			case k.Type == metadata.KeyTypeECDSA_SHA2_P256 && k.Scheme == metadata.KeySchemeECDSA_SHA2_P256 && isEC && p256.Curve == elliptic.P256():
			default:
				return fmt.Errorf("is of type %q with scheme %q; only Ed25519 and P-256 are used", k.Type, k.Scheme)
			}
			if len(k.UnrecognizedFields) != 0 {
				return errors.New("has unknown fields")
			}
			real, err := k.ID()
			if err == nil && real != id {
				err = fmt.Errorf("has the id %.12s", real)
			}
			return err
		})
		if err != nil {
			return refuse(name, "key %.12s: %v", id, err)
		}
	}
	return nil
}

// checkPeople refuses a role table that one person could satisfy.
func checkPeople(name, role string, ids []string, threshold int, keys map[string]*metadata.Key) error {
	const least = 2
	if threshold < least || threshold > len(ids) {
		return refuse(name, "role %s: threshold %d of %d keys; it must be at least %d and at most the number of keys", role, threshold, len(ids), least)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] || keys[id] == nil {
			return refuse(name, "role %s: key %.12s is listed twice, or not in the table of keys", role, id)
		}
		seen[id] = true
	}
	return nil
}
