package release

import (
	"bytes"
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
