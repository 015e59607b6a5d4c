package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

// The two kinds of key, as `key new --type` names them.
const (
	TypeEd25519 = "ed25519"
	TypeP256    = "p256"
)

// Names of the kinds in TUF metadata.
const (
	tufEd25519     = "ed25519"
	tufECDSA       = "ecdsa"
	tufSchemeECDSA = "ecdsa-sha2-nistp256"
)

// Key is the public key object of TUF metadata. For Ed25519 Public is 64 hex
// digits, for P-256 a PEM block (SubjectPublicKeyInfo).
type Key struct {
	Type   string   `json:"keytype"`
	Scheme string   `json:"scheme"`
	Value  KeyValue `json:"keyval"`
}

// KeyValue is the keyval member of a Key.
type KeyValue struct {
	Public string `json:"public"`
}

// KeyOf makes the Key of an ed25519.PublicKey or a P-256 *ecdsa.PublicKey.
func KeyOf(public crypto.PublicKey) (Key, error) {
	switch p := public.(type) {
	case ed25519.PublicKey:
		return Key{Type: tufEd25519, Scheme: tufEd25519, Value: KeyValue{Public: hex.EncodeToString(p)}}, nil
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("elliptic curve %s: %w", p.Curve.Params().Name, ErrKind)
		}
		der, err := x509.MarshalPKIXPublicKey(p)
		if err != nil {
			return Key{}, fmt.Errorf("encode public key: %w", err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		return Key{Type: tufECDSA, Scheme: tufSchemeECDSA, Value: KeyValue{Public: text}}, nil
	default:
		return Key{}, fmt.Errorf("key of type %T: %w", public, ErrKind)
	}
}

// Parse gives the public key behind k. It refuses every type, scheme and curve
// but Ed25519 and P-256, and any second spelling of the same key, so that one
// key has one id.
func (k Key) Parse() (crypto.PublicKey, error) {
	public, err := k.decode()
	if err != nil {
		return nil, err
	}
	if again, err := KeyOf(public); err != nil {
		return nil, err
	} else if again != k {
		return nil, errors.New("public key is not written in its usual form")
	}
	return public, nil
}

func (k Key) decode() (crypto.PublicKey, error) {
	switch {
	case k.Type == tufEd25519 && k.Scheme == tufEd25519:
		raw, err := hex.DecodeString(k.Value.Public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("ed25519 public key is not 64 hex digits")
		}
		return ed25519.PublicKey(raw), nil
	case k.Type == tufECDSA && k.Scheme == tufSchemeECDSA:
		block, _ := pem.Decode([]byte(k.Value.Public))
		if block == nil {
			return nil, errors.New("P-256 public key is not a PEM block")
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("P-256 public key: %w", err)
		}
		return public, nil
	default:
		return nil, fmt.Errorf("key type %q with scheme %q: %w", k.Type, k.Scheme, ErrKind)
	}
}

// ID is the TUF key id: 64 hex digits of the SHA-256 of the canonical key object.
func (k Key) ID() (string, error) {
	canonical, err := cjson.EncodeCanonical(k)
	if err != nil {
		return "", fmt.Errorf("key id: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Verify reports whether sig is a signature of payload by k. P-256 signatures
// are ASN.1 over SHA-256.
func (k Key) Verify(payload, sig []byte) bool {
	public, err := k.Parse()
	if err != nil {
		return false
	}
	switch p := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(p, payload, sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(payload)
		return ecdsa.VerifyASN1(p, sum[:], sig)
	default:
		return false
	}
}
