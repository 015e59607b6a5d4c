package agent

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

const damaged = ".damaged" // added to the name of a file that is set aside

// loadJSON reads a file of the agent's own, and gives what of it only a newer
// version of this program understands. A damaged one is set aside and taken for
// absent: what it held can be learned again or asked again.
func loadJSON[T any](d disk.Disk, path string, limit int, into *T) (strict.Kept, error) {
	data, err := disk.ReadFile(d, path, int64(limit))
	if errors.Is(err, fs.ErrNotExist) {
		return strict.Kept{}, nil
	}
	if err != nil {
		return strict.Kept{}, fmt.Errorf("agent state: %w", err)
	}
	kept, err := strict.DecodeKept(data, limit, into)
	if err != nil {
		*into = *new(T)
		if err := d.Rename(path, path+damaged); err != nil {
			return strict.Kept{}, fmt.Errorf("agent state: %w", err)
		}
	}
	return kept, nil
}

func saveJSON(d disk.Disk, path string, kept strict.Kept, v any) error {
	data, err := kept.Canonical(v)
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	if err := disk.Replace(d, path, data); err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	return nil
}

const (
	secretFile     = "secret"
	maxSecretBytes = 1 << 10
)

// loadSecret gives the handset's secret, made at the first start.
func loadSecret(d disk.Disk, path string) (rollout.Secret, error) {
	var s rollout.Secret
	data, err := disk.ReadFile(d, path, maxSecretBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := rand.Read(s[:]); err != nil {
			return s, fmt.Errorf("agent state: %w", err)
		}
		if err := disk.Replace(d, path, s[:]); err != nil {
			return s, fmt.Errorf("agent state: %w", err)
		}
		return s, nil
	case err != nil:
		return s, fmt.Errorf("agent state: %w", err)
	case len(data) != len(s):
		return s, fmt.Errorf("agent state: %s has %d bytes instead of %d; remove it, and the handset draws a new place in the order of rollouts", path, len(data), len(s))
	}
	copy(s[:], data)
	return s, nil
}

// MirrorSeed is what puts this handset's mirrors in order: it comes from its
// secret, and tells nothing about its place in the order of rollouts.
func MirrorSeed(d disk.Disk, state string) (uint64, error) {
	secret, err := loadSecret(d, filepath.Join(state, secretFile))
	if err != nil {
		return 0, err
	}
	h := hmac.New(sha256.New, secret[:])
	h.Write([]byte("candor-mirrors-v1"))
	return binary.BigEndian.Uint64(h.Sum(nil)), nil
}
