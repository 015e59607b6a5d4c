package keyring

import (
	"bytes"
	"context"
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
	return r.Import(k, signer, passphrase)
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
		return nil, fmt.Errorf("key type %q: %w: %s or %s", kind, ErrKind, TypeEd25519, TypeP256)
	}
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

// unlockFile opens an encrypted key, asking again after a wrong passphrase as
// often as ask thinks useful.
func (r *Ring) unlockFile(ctx context.Context, public Public, sealed []byte, ask Asker) (Signer, error) {
	for try := 1; ; try++ {
		passphrase, err := ask.Ask(ctx, Question{What: "passphrase", Of: "key " + public.Name, Again: try > 1})
		if err != nil {
			return nil, err
		}
		plain, err := unseal(sealed, passphrase)
		if errors.Is(err, ErrPassphrase) && try < ask.Tries() {
			continue
		}
		if err != nil && try > 1 {
			return nil, fmt.Errorf("%w (asked %d times); nothing was signed", err, try)
		}
		if err != nil {
			return nil, err
		}
		held, inside, err := parsePrivate(plain)
		if err != nil {
			return nil, err
		}
		if inside != public {
			return nil, errSwapped(r.path(public.Name, ".pub"))
		}
		return &opened{public: public, held: held}, nil
	}
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

func parsePrivate(plain []byte) (*inMemory, Public, error) {
	var file private
	if err := strict.Decode(plain, maxPrivate, &file); err != nil {
		return nil, Public{}, fmt.Errorf("private key file: %w", err)
	}
	if file.Format != privateFormat {
		return nil, Public{}, fmt.Errorf("private key file: format %q; this program reads %q", file.Format, privateFormat)
	}
	der, err := base64.StdEncoding.DecodeString(file.PKCS8)
	if err != nil {
		return nil, Public{}, fmt.Errorf("private key file: field \"pkcs8\": %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, Public{}, fmt.Errorf("private key file: field \"pkcs8\": %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, Public{}, fmt.Errorf("private key file: a key of type %T cannot sign", parsed)
	}
	key, err := KeyOf(signer.Public())
	if err != nil {
		return nil, Public{}, err
	}
	if key != file.Public.Key {
		return nil, Public{}, errors.New("private key file: public and private part do not match")
	}
	return &inMemory{key, signer}, file.Public, nil
}

// inMemory is a decrypted key. It is in memory for one command only.
type inMemory struct {
	key    Key
	signer crypto.Signer
}

func (m *inMemory) Key() Key           { return m.key }
func (m *inMemory) Location() Location { return Location{Kind: KindFile} }

func (m *inMemory) Sign(_ context.Context, payload []byte) ([]byte, error) {
	if m.signer == nil {
		return nil, ErrClosed
	}
	digest, opts := payload, crypto.SignerOpts(crypto.Hash(0))
	if _, ok := m.signer.(*ecdsa.PrivateKey); ok {
		sum := sha256.Sum256(payload)
		digest, opts = sum[:], crypto.SHA256
	}
	sig, err := m.signer.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

func (m *inMemory) Close() error {
	m.signer = nil
	return nil
}
