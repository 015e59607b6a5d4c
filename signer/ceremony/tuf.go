package ceremony

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// maxRole bounds one metadata file: above it verification on a handset becomes
// noticeably slow.
const maxRole = layout.MaxMetadataBytes

type (
	rootMeta    = metadata.Metadata[metadata.RootType]
	targetsMeta = metadata.Metadata[metadata.TargetsType]
)

// readRoot parses a root file. Signatures are not checked here.
func readRoot(data []byte) (*rootMeta, error) {
	m, err := readExactly(data, func(b []byte) (*rootMeta, error) { return metadata.Root().FromBytes(b) })
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	return m, nil
}

// readTargets parses a targets file or one of a delegated role.
func readTargets(role string, data []byte) (*targetsMeta, error) {
	m, err := readExactly(data, func(b []byte) (*targetsMeta, error) { return metadata.Targets().FromBytes(b) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return m, nil
}

// readExactly refuses what the library would read generously (fields in other
// letter case, repeated fields, nulls, floats): the bytes and what the library
// understood must have one canonical form.
func readExactly[T any](data []byte, parse func([]byte) (T, error)) (T, error) {
	var none T
	if len(data) > maxRole {
		return none, fmt.Errorf("%d bytes; at most %d", len(data), maxRole)
	}
	given, err := strict.Canonical(json.RawMessage(data))
	if err != nil {
		return none, err
	}
	m, err := parse(data)
	if err != nil {
		return none, err
	}
	understood, err := strict.Canonical(m)
	if err != nil {
		return none, err
	}
	if !bytes.Equal(given, understood) {
		return none, errors.New("holds fields that a TUF library reads differently from how they are written")
	}
	return m, nil
}

// payload is the canonical JSON that is signed.
func payload(signed any) ([]byte, error) {
	data, err := cjson.EncodeCanonical(signed)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return data, nil
}

// hashOf is the SHA-256, in hex, of the signed payload.
func hashOf(signed any) (string, error) {
	data, err := payload(signed)
	if err != nil {
		return "", err
	}
	return hexSum(data), nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// anchorOf names a root.
func anchorOf(root *rootMeta) (keyring.Anchor, error) {
	hash, err := hashOf(root.Signed)
	if err != nil {
		return keyring.Anchor{}, err
	}
	return keyring.NewAnchor(root.Signed.Version, hash), nil
}

// AnchorOf gives the Anchor of a root file, whose own signatures must meet its
// own threshold.
func AnchorOf(data []byte) (keyring.Anchor, error) {
	root, err := readRoot(data)
	if err != nil {
		return keyring.Anchor{}, err
	}
	if err := root.VerifyDelegate(metadata.ROOT, root); err != nil {
		return keyring.Anchor{}, fmt.Errorf("root: %w", err)
	}
	return anchorOf(root)
}

// tufKey turns a key of ours into one of the library.
func tufKey(k keyring.Key) *metadata.Key {
	return &metadata.Key{Type: k.Type, Scheme: k.Scheme, Value: metadata.KeyVal{PublicKey: k.Value.Public}}
}

// ourKey is the way back; it refuses kinds of key that Candor does not use.
func ourKey(k *metadata.Key) (keyring.Key, error) {
	if len(k.UnrecognizedFields) != 0 || len(k.Value.UnrecognizedFields) != 0 {
		return keyring.Key{}, errors.New("key object with unknown fields")
	}
	key := keyring.Key{Type: k.Type, Scheme: k.Scheme, Value: keyring.KeyValue{Public: k.Value.PublicKey}}
	_, err := key.Parse()
	return key, err
}

// seconds drops what TUF's times cannot hold.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
