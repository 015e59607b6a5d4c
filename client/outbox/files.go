package outbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests/strict"
)

const (
	identityFile = "identity.json"
	queueFile    = "queue.json"
	sentFile     = "sent.json"

	damaged = ".damaged" // set aside

	maxFileBytes = 1 << 20
)

// load reads a file into v, which stays as it is if there is no file, and into
// kept, a part of v, what only a newer version of this program understands. A
// file that cannot be understood is set aside under another name, and v is zero.
func load[T any](d disk.Disk, path string, v *T, kept *strict.Kept) error {
	data, err := disk.ReadFile(d, path, maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	beyond, err := strict.DecodeKept(data, maxFileBytes, v)
	if err == nil {
		*kept = beyond
		return nil
	}
	*v = *new(T)
	if err := d.Rename(path, path+damaged); err != nil {
		return fmt.Errorf("outbox: set a damaged file aside: %w", err)
	}
	if err := d.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("outbox: set a damaged file aside: %w", err)
	}
	return nil
}

// save replaces a file. It is durable when save returns; after an error or a
// power cut the file is the one before or the one after.
func (o *Outbox) save(name string, v any, kept strict.Kept) error {
	data, err := kept.Canonical(v)
	if err != nil {
		return fmt.Errorf("outbox: %s: %w", name, err)
	}
	if err := disk.Replace(o.options.Disk, o.path(name), data); err != nil {
		return fmt.Errorf("outbox: free space on the data partition, then try again: %w", err)
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
