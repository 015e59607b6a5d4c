package outbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/candor-ota/candor/manifests/strict"
)

const (
	identityFile = "identity.json"
	queueFile    = "queue.json"
	sentFile     = "sent.json"

	damaged    = ".damaged" // set aside
	unfinished = ".new"     // being written

	maxFileBytes = 1 << 20
)

// load reads a file into v, which stays as it is if there is no file. A file
// that cannot be understood is set aside under another name, and v is zero.
func load[T any](path string, v *T) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if strict.Decode(data, maxFileBytes, v) == nil {
		return nil
	}
	*v = *new(T)
	if err := os.Rename(path, path+damaged); err != nil {
		return fmt.Errorf("outbox: set a damaged file aside: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// save replaces a file. It is durable when save returns; after an error or a
// power cut the file is the one before or the one after.
func save(path string, v any) error {
	data, err := strict.Canonical(v)
	if err != nil {
		return fmt.Errorf("outbox: %s: %w", filepath.Base(path), err)
	}
	f, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+unfinished, path)
	}
	if err != nil {
		return fmt.Errorf("outbox: free space on the data partition, then try again: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// seed is an Ed25519 private key (RFC 8032). It prints as nothing.
type seed [32]byte

func (seed) String() string { return "seed(hidden)" }

// GoString hides the key.
func (seed) GoString() string { return "seed(hidden)" }

// MarshalText writes base64, for the identity file.
func (s seed) MarshalText() ([]byte, error) { return base64.StdEncoding.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *seed) UnmarshalText(b []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(b))
	if err != nil || len(raw) != len(s) {
		return errors.New("is not a stored key: use 32 bytes in base64")
	}
	copy(s[:], raw)
	return nil
}
