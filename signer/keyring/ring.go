package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/candor-ota/candor/manifests/strict"
)

// Bounds of a passphrase and of scrypt's work factor (a power of two; 18 takes
// about a second and 256 MiB).
const (
	MinPassphrase     = 8
	MinWorkFactor     = 10
	DefaultWorkFactor = 18
	MaxWorkFactor     = 22
)

const (
	privateFormat = "candor-private-key-1"
	maxPrivate    = 16 << 10
)

// ErrPassphrase means that the passphrase does not open the key.
var ErrPassphrase = errors.New("the passphrase does not open this key")

// Ring is the directory of one person's keys.
type Ring struct{ dir string }

// Open names the ring in dir. The directory is made by the first Create.
func Open(dir string) *Ring { return &Ring{dir: dir} }

// NewKey says what Create shall make.
type NewKey struct {
	Name       string
	Holder     string
	Type       string // TypeEd25519 or TypeP256
	WorkFactor int    // log2 of scrypt's cost, MinWorkFactor to MaxWorkFactor
}

// private is the plain text inside NAME.key. It repeats the public part, so
// that a swapped NAME.pub is noticed when the key is opened.
type private struct {
	Format string `json:"format"`
	Public Public `json:"public"`
	PKCS8  string `json:"pkcs8"` // base64 of DER
}

// Create makes a key, encrypts it under the passphrase and writes both files.
// An existing key of that name is never replaced.
func (r *Ring) Create(k NewKey, passphrase string) (Public, error) {
	if err := k.check(passphrase); err != nil {
		return Public{}, err
	}
	signer, err := generate(k.Type)
	if err != nil {
		return Public{}, err
	}
	public, err := publicOf(k, signer)
	if err != nil {
		return Public{}, err
	}
	sealed, err := seal(public, signer, passphrase, k.WorkFactor)
	if err != nil {
		return Public{}, err
	}
	open, err := public.Marshal()
	if err != nil {
		return Public{}, err
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return Public{}, fmt.Errorf("key directory: %w", err)
	}
	if err := createFile(r.path(k.Name, ".key"), sealed, 0o600); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return Public{}, fmt.Errorf("key %s exists already in %s; choose another name", k.Name, r.dir)
		}
		return Public{}, err
	}
	return public, WriteFile(r.path(k.Name, ".pub"), open, 0o644)
}

func (k NewKey) check(passphrase string) error {
	if err := CheckName(k.Name); err != nil {
		return err
	}
	if err := CheckHolder(k.Holder); err != nil {
		return err
	}
	if len(passphrase) < MinPassphrase {
		return fmt.Errorf("passphrase: at least %d characters", MinPassphrase)
	}
	if k.WorkFactor < MinWorkFactor || k.WorkFactor > MaxWorkFactor {
		return fmt.Errorf("work factor %d: from %d to %d", k.WorkFactor, MinWorkFactor, MaxWorkFactor)
	}
	return nil
}

func generate(kind string) (crypto.Signer, error) {
	switch kind {
	case TypeEd25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case TypeP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("key type %q: %s or %s", kind, TypeEd25519, TypeP256)
	}
}

func publicOf(k NewKey, signer crypto.Signer) (Public, error) {
	key, err := KeyOf(signer.Public())
	if err != nil {
		return Public{}, err
	}
	id, err := key.ID()
	if err != nil {
		return Public{}, err
	}
	return Public{Format: publicFormat, Name: k.Name, Holder: k.Holder, KeyID: id, Key: key}, nil
}

func seal(public Public, signer crypto.Signer, passphrase string, workFactor int) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	plain, err := strict.Canonical(private{Format: privateFormat, Public: public, PKCS8: base64.StdEncoding.EncodeToString(der)})
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	to.SetWorkFactor(workFactor)
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	_, err = w.Write(plain)
	if err = errors.Join(err, w.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	return out.Bytes(), nil
}

// Public reads the public part of the key NAME.
func (r *Ring) Public(name string) (Public, error) {
	if err := CheckName(name); err != nil {
		return Public{}, err
	}
	p, err := ReadPublic(r.path(name, ".pub"))
	if errors.Is(err, fs.ErrNotExist) {
		return Public{}, fmt.Errorf("no key %s in %s; `key list` shows what there is", name, r.dir)
	}
	return p, err
}

// List gives the public parts of all keys, sorted by name. A directory that
// does not exist holds no keys.
func (r *Ring) List() ([]Public, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key directory: %w", err)
	}
	keys := []Public{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".key")
		if !ok {
			continue
		}
		p, err := r.Public(name)
		if err != nil {
			return nil, err
		}
		keys = append(keys, p)
	}
	slices.SortFunc(keys, func(a, b Public) int { return strings.Compare(a.Name, b.Name) })
	return keys, nil
}

// Private is an opened key. It is kept in memory for one command only.
type Private struct {
	Public Public
	signer crypto.Signer
}

// Unlock opens the key NAME. A wrong passphrase is ErrPassphrase.
func (r *Ring) Unlock(name, passphrase string) (*Private, error) {
	public, err := r.Public(name)
	if err != nil {
		return nil, err
	}
	sealed, err := ReadFile(r.path(name, ".key"), maxPrivate)
	if err != nil {
		return nil, err
	}
	plain, err := unseal(sealed, passphrase)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	p, err := parsePrivate(plain)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if p.Public != public {
		return nil, fmt.Errorf("key %s: %s does not belong to the private key; it was changed", name, r.path(name, ".pub"))
	}
	return p, nil
}

func unseal(sealed []byte, passphrase string) ([]byte, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, ErrPassphrase
	}
	id.SetMaxWorkFactor(MaxWorkFactor)
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), id)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("private key file: %w", err)
	}
	return io.ReadAll(io.LimitReader(plain, maxPrivate))
}

func parsePrivate(plain []byte) (*Private, error) {
	var file private
	if err := strict.Decode(plain, maxPrivate, &file); err != nil {
		return nil, fmt.Errorf("private key file: %w", err)
	}
	if file.Format != privateFormat {
		return nil, fmt.Errorf("private key file: format %q; this program reads %q", file.Format, privateFormat)
	}
	der, err := base64.StdEncoding.DecodeString(file.PKCS8)
	if err != nil {
		return nil, fmt.Errorf("private key file: field \"pkcs8\": %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key file: field \"pkcs8\": %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key file: a key of type %T cannot sign", parsed)
	}
	key, err := KeyOf(signer.Public())
	if err != nil {
		return nil, err
	}
	if key != file.Public.Key {
		return nil, errors.New("private key file: public and private part do not match")
	}
	return &Private{Public: file.Public, signer: signer}, nil
}

// Sign signs payload: Ed25519 over the bytes, P-256 over their SHA-256 (ASN.1).
func (p *Private) Sign(payload []byte) ([]byte, error) {
	digest, opts := payload, crypto.SignerOpts(crypto.Hash(0))
	if _, ok := p.signer.(*ecdsa.PrivateKey); ok {
		sum := sha256.Sum256(payload)
		digest, opts = sum[:], crypto.SHA256
	}
	sig, err := p.signer.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", p.Public.Name, err)
	}
	return sig, nil
}

func (r *Ring) path(name, suffix string) string { return filepath.Join(r.dir, name+suffix) }
