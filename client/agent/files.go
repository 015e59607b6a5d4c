package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

// replaceFile writes data durably: the file is synced before it takes the
// name, the directory after.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("agent state: %w", err), os.Remove(tmp.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	return nil
}

// loadJSON reads a file of the agent's own. A damaged one is set aside and
// reported as absent: what it held can be learned again or asked again.
func loadJSON(path string, limit int, into any) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("agent state: %w", err)
	}
	if err := strict.Decode(data, limit, into); err != nil {
		if err := os.Rename(path, path+".damaged"); err != nil {
			return false, fmt.Errorf("agent state: %w", err)
		}
		return false, nil
	}
	return true, nil
}

func saveJSON(path string, v any) error {
	data, err := strict.Canonical(v)
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	return replaceFile(path, data)
}

// loadSecret gives the handset's secret, made at the first start.
func loadSecret(path string) (rollout.Secret, error) {
	var s rollout.Secret
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := rand.Read(s[:]); err != nil {
			return s, fmt.Errorf("agent state: %w", err)
		}
		return s, replaceFile(path, s[:])
	case err != nil:
		return s, fmt.Errorf("agent state: %w", err)
	case len(data) != len(s):
		return s, fmt.Errorf("agent state: %s has %d bytes instead of %d; remove it, and the handset draws a new place in the order of rollouts", path, len(data), len(s))
	}
	copy(s[:], data)
	return s, nil
}
