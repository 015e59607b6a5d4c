package manifests

import (
	"bytes"
	"fmt"

	"github.com/candor-ota/candor/manifests/strict"
)

// ParseRelease reads a signed release document: canonical JSON, at most
// MaxReleaseBytes, every field known, every rule of Validate met.
func ParseRelease(data []byte) (*Release, error) {
	var r Release
	if err := strict.Decode(data, MaxReleaseBytes, &r); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	canonical, err := r.Canonical()
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	if !bytes.Equal(canonical, data) {
		return nil, fmt.Errorf("release: %w", refuse("", "is not in canonical form (sorted keys, no white space)"))
	}
	return &r, nil
}

// Canonical gives the bytes that are hashed and signed.
func (r *Release) Canonical() ([]byte, error) { return strict.Canonical(r) }
