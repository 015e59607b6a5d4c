package trust

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
)

// Bounds of the walk.
const (
	maxRootBytes      = 512 << 10
	maxTimestampBytes = 16 << 10
	maxSnapshotBytes  = 2 << 20
	maxRoleBytes      = 5 << 20 // of roles made by others; ours stay under 200 kB
	maxRotations      = 512     // roots in one walk
	maxDelegations    = 64      // roles in one search
)

// guarded runs one call of the library. The library panics on some files that
// are validly signed; that is a refusal like any other.
func guarded(role string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = refuse(role, ErrMalformed, "the file has a shape that cannot be verified (%v)", p)
		}
	}()
	return translate(role, call())
}

// translate gives the library's errors this package's kinds and words.
func translate(role string, err error) error {
	var ours *Refusal
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case errors.Is(err, &metadata.ErrUnsignedMetadata{}):
		return refuse(role, ErrSignature, "%v", err)
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return refuse(role, ErrExpired, "%v", err)
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return refuse(role, ErrRollback, "%v", err)
	case errors.Is(err, &metadata.ErrLengthOrHashMismatch{}):
		return refuse(role, ErrMismatch, "%v", err)
	case errors.Is(err, &metadata.ErrValue{}):
		return refuse(role, ErrSignature, "%v", err)
	default:
		return refuse(role, ErrMalformed, "%v", err)
	}
}

// checkShape refuses bytes that would make the library panic or guess.
func checkShape(role string, data []byte) error {
	var shape struct {
		Signed     map[string]json.RawMessage `json:"signed"`
		Signatures []struct {
			KeyID string `json:"keyid"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		return refuse(role, ErrMalformed, "not TUF metadata: %v", err)
	}
	if shape.Signed == nil {
		return refuse(role, ErrMalformed, "the part \"signed\" is missing")
	}
	seen := map[string]bool{}
	for _, s := range shape.Signatures {
		if seen[s.KeyID] {
			return refuse(role, ErrSignature, "key %.12s signs twice", s.KeyID)
		}
		seen[s.KeyID] = true
	}
	switch role {
	case metadata.TIMESTAMP:
		return checkMeta(role, shape.Signed["meta"], "snapshot.json")
	case metadata.SNAPSHOT:
		return checkMeta(role, shape.Signed["meta"], "targets.json")
	}
	return nil
}

func checkMeta(role string, raw json.RawMessage, needed string) error {
	var meta map[string]*struct {
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return refuse(role, ErrMalformed, "field \"meta\": %v", err)
	}
	for name, m := range meta {
		if m == nil || m.Version < 1 {
			return refuse(role, ErrMalformed, "field \"meta\": %q has no version", name)
		}
	}
	if meta[needed] == nil {
		return refuse(role, ErrMalformed, "field \"meta\": %q is missing", needed)
	}
	return nil
}

// signedTime reads an RFC 3339 time from a signed field that Candor adds.
func signedTime(role string, fields map[string]any, name string) (*manifests.Time, error) {
	raw, ok := fields[name]
	if !ok {
		return nil, nil
	}
	text, ok := raw.(string)
	if !ok {
		return nil, refuse(role, ErrMalformed, "field %q is not a string", name)
	}
	var t manifests.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return nil, refuse(role, ErrMalformed, "field %q: %v", name, err)
	}
	return &t, nil
}

func fileName(role string) string { return fmt.Sprintf("%s.json", role) }
