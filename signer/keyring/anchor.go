package keyring

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests/strict"
)

const (
	anchorFormat = "candor-trusted-root-1"
	anchorFile   = "trusted-root.json"
)

// Anchor names one root that a person has accepted: its version and the
// SHA-256 (hex) of the canonical form of what it signs. Signatures are not
// part of it, since they may still be collected.
type Anchor struct {
	Format  string `json:"format"`
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// NewAnchor makes the Anchor of a root.
func NewAnchor(version int64, sha256 string) Anchor {
	return Anchor{Format: anchorFormat, Version: version, SHA256: sha256}
}

// Same reports whether both name the same root.
func (a Anchor) Same(b Anchor) bool { return a.Version == b.Version && a.SHA256 == b.SHA256 }

// Anchor reads the root that this ring trusts. It is fs.ErrNotExist before one
// was accepted.
func (r *Ring) Anchor() (Anchor, error) {
	data, err := ReadFile(filepath.Join(r.dir, anchorFile), 1<<10)
	if err != nil {
		return Anchor{}, err
	}
	var a Anchor
	if err := strict.Decode(data, 1<<10, &a); err != nil {
		return Anchor{}, fmt.Errorf("%s: %w", anchorFile, err)
	}
	raw, err := hex.DecodeString(a.SHA256)
	if a.Format != anchorFormat || a.Version < 1 || err != nil || len(raw) != 32 {
		return Anchor{}, fmt.Errorf("%s: not a %s file", anchorFile, anchorFormat)
	}
	return a, nil
}

// Trust records a as the root that this ring trusts. A ring that trusts
// another root already refuses: two systems need two rings.
func (r *Ring) Trust(a Anchor) error {
	have, err := r.Anchor()
	switch {
	case err == nil && have.Same(a):
		return nil
	case err == nil:
		return fmt.Errorf("this ring trusts another root (version %d, %s…); use a key directory of its own for the new one", have.Version, have.SHA256[:16])
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	data, err := strict.Canonical(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	return WriteFile(filepath.Join(r.dir, anchorFile), append(data, '\n'), 0o644)
}

// NoteBuilt records that the proposal with this hash (64 hex digits) was built
// on this machine. Its owner may then sign it as the builder.
func (r *Ring) NoteBuilt(hash string) error {
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != 32 {
		return fmt.Errorf("note of a built proposal: %q is not a SHA-256", hash)
	}
	dir := filepath.Join(r.dir, "built")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("key directory: %w", err)
	}
	return WriteFile(filepath.Join(dir, hash), nil, 0o644)
}

// WasBuilt reports whether NoteBuilt was called for this hash.
func (r *Ring) WasBuilt(hash string) (bool, error) {
	_, err := os.Stat(filepath.Join(r.dir, "built", filepath.Base(hash)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("note of a built proposal: %w", err)
	}
	return true, nil
}
