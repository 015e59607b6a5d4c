package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

// replaceFile writes data durably: the file is synced before it takes the
// name, the directory after. What a power cut left unfinished is written over.
func replaceFile(d disk.Disk, path string, data []byte) error {
	f, err := d.Create(path+".new", 0)
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.Rename(path+".new", path)
	}
	if err == nil {
		err = d.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	return nil
}

// readFile reads a file, and of a longer one than limit a byte more.
func readFile(d disk.Disk, path string, limit int) ([]byte, error) {
	f, err := d.Open(path, disk.Read)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	data := make([]byte, max(0, min(size, int64(limit)+1)))
	if err == nil && len(data) > 0 {
		if _, err = f.ReadAt(data, 0); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return data, errors.Join(err, f.Close())
}

const damaged = ".damaged" // added to the name of a file that is set aside

// loadJSON reads a file of the agent's own. A damaged one is set aside and
// reported as absent: what it held can be learned again or asked again.
func loadJSON(d disk.Disk, path string, limit int, into any) (bool, error) {
	data, err := readFile(d, path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("agent state: %w", err)
	}
	if err := strict.Decode(data, limit, into); err != nil {
		if err := d.Rename(path, path+damaged); err != nil {
			return false, fmt.Errorf("agent state: %w", err)
		}
		return false, nil
	}
	return true, nil
}

func saveJSON(d disk.Disk, path string, v any) error {
	data, err := strict.Canonical(v)
	if err != nil {
		return fmt.Errorf("agent state: %w", err)
	}
	return replaceFile(d, path, data)
}

const maxSecretBytes = 1 << 10

// loadSecret gives the handset's secret, made at the first start.
func loadSecret(d disk.Disk, path string) (rollout.Secret, error) {
	var s rollout.Secret
	data, err := readFile(d, path, maxSecretBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := rand.Read(s[:]); err != nil {
			return s, fmt.Errorf("agent state: %w", err)
		}
		return s, replaceFile(d, path, s[:])
	case err != nil:
		return s, fmt.Errorf("agent state: %w", err)
	case len(data) != len(s):
		return s, fmt.Errorf("agent state: %s has %d bytes instead of %d; remove it, and the handset draws a new place in the order of rollouts", path, len(data), len(s))
	}
	copy(s[:], data)
	return s, nil
}
