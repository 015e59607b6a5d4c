package publish

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Keys are a set of online keys, one for each role. Their private halves never
// leave the process.
type Keys struct {
	rollouts, snapshot, timestamp ed25519.PrivateKey

	dir string // where other sets lie; empty: there are no others
}

func (k *Keys) roles() map[string]*ed25519.PrivateKey {
	return map[string]*ed25519.PrivateKey{
		layout.RolloutsRole: &k.rollouts, metadata.SNAPSHOT: &k.snapshot, metadata.TIMESTAMP: &k.timestamp,
	}
}

// String hides the keys.
func (Keys) String() string { return "keys(hidden)" }

// GoString hides the keys.
func (Keys) GoString() string { return "keys(hidden)" }

// CreateKeys makes three keys and writes each to ROLE.pem (PKCS #8, mode 0600)
// in a folder that has none of them.
func CreateKeys(dir string) (Keys, error) {
	var k Keys
	for role, key := range k.roles() {
		var err error
		if _, *key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(*key)
		if err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
		f, err := os.OpenFile(keyFile(dir, role), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
		err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
	}
	k.dir = dir
	return k, nil
}

func keyFile(dir, role string) string { return filepath.Join(dir, role+".pem") }

// LoadKeys reads the first set of keys of a folder, and knows where to find the
// others (Keys.For).
func LoadKeys(dir string) (Keys, error) {
	sets, err := Sets(dir)
	if err != nil {
		return Keys{}, err
	}
	return sets[0].Keys, nil
}

// loadSet reads the three keys that lie in a folder. If none does, it is
// fs.ErrNotExist; one that is missing beside others is not.
func loadSet(dir string) (Keys, error) {
	var k Keys
	missing := 0
	for role, key := range k.roles() {
		data, err := os.ReadFile(keyFile(dir, role))
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return Keys{}, fmt.Errorf("key of %s: %s is not a PEM file", role, keyFile(dir, role))
		}
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return Keys{}, fmt.Errorf("key of %s: %w", role, err)
		}
		var ok bool
		if *key, ok = private.(ed25519.PrivateKey); !ok {
			return Keys{}, fmt.Errorf("key of %s: is %T; an Ed25519 key is needed", role, private)
		}
	}
	switch missing {
	case 0:
		return k, nil
	case len(k.roles()):
		return Keys{}, fmt.Errorf("online keys: %s: %w", dir, fs.ErrNotExist)
	}
	return Keys{}, fmt.Errorf("online keys: %s %w of rollouts.pem, snapshot.pem and timestamp.pem; restore keys/ from its backup", dir, errPartial)
}

var errPartial = errors.New("lacks some")

// Key is the public key of a role as root or targets must list it.
func (k Keys) Key(role string) (*metadata.Key, error) {
	key, ok := k.roles()[role]
	if !ok {
		return nil, fmt.Errorf("role %s is not signed online", role)
	}
	public, err := metadata.KeyFromPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", role, err)
	}
	return public, nil
}

// ID is the TUF key id of Key.
func (k Keys) ID(role string) (string, error) {
	key, err := k.Key(role)
	if err != nil {
		return "", err
	}
	return key.ID()
}

// Public gives the public halves as `candor-signer init --online` reads them.
func (k Keys) Public() ([]byte, error) {
	type public struct {
		KeyID string        `json:"keyid"`
		Key   *metadata.Key `json:"key"`
	}
	out := map[string]public{}
	for role := range k.roles() {
		p, err := k.Key(role)
		if err != nil {
			return nil, err
		}
		id, err := p.ID()
		if err != nil {
			return nil, fmt.Errorf("key of %s: %w", role, err)
		}
		out[role] = public{id, p}
	}
	data, err := strict.Canonical(out)
	if err != nil {
		return nil, fmt.Errorf("online keys: %w", err)
	}
	return append(data, '\n'), nil
}

// sign gives the file of a role, signed by the role's own key.
func sign[T metadata.Roles](k Keys, role string, m *metadata.Metadata[T]) ([]byte, error) {
	signer, err := signature.LoadED25519Signer(*k.roles()[role])
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	m.ClearSignatures()
	if _, err := m.Sign(signer); err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	return data, nil
}
