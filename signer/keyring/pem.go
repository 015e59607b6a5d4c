package keyring

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// MaxPEM bounds a key file of another tool; an encrypted P-256 key has 400 bytes.
const MaxPEM = 64 << 10

// maxRounds bounds the work of PBKDF2: a hundred times what tools use today.
const maxRounds = 100_000_000

// ParsePEM reads a private key that another tool wrote: PKCS #8 or SEC 1, of
// Ed25519 or P-256. One that is encrypted (PKCS #8 with PBES2: PBKDF2 and AES-CBC,
// RFC 8018) is opened with what passphrase gives; a wrong one is ErrPassphrase.
// Other kinds of key are ErrKind.
func ParsePEM(data []byte, passphrase func() (string, error)) (crypto.Signer, error) {
	if len(data) > MaxPEM {
		return nil, fmt.Errorf("key file: %d bytes; at most %d are read", len(data), MaxPEM)
	}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, errors.New("key file: no private key in PEM form; expected BEGIN PRIVATE KEY, BEGIN ENCRYPTED PRIVATE KEY or BEGIN EC PRIVATE KEY")
		}
		switch {
		case block.Headers["DEK-Info"] != "":
			return nil, errors.New("key file: encrypted in the old way of OpenSSL, which gives little protection; write it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc`, which asks for the passphrase")
		case block.Type == "PRIVATE KEY":
			return fromPKCS8(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("key file: %w", err)
			}
			return usable(key)
		case block.Type == "ENCRYPTED PRIVATE KEY":
			word, err := passphrase()
			if err != nil {
				return nil, err
			}
			plain, err := decryptPKCS8(block.Bytes, word)
			if err != nil {
				return nil, fmt.Errorf("key file: %w", err)
			}
			return fromPKCS8(plain)
		case block.Type == "RSA PRIVATE KEY":
			return nil, fmt.Errorf("key file: an RSA key: %w: %s or %s; sign with the tool that made it", ErrKind, TypeEd25519, TypeP256)
		}
		data = rest // openssl writes EC PARAMETERS first
	}
}

func fromPKCS8(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return usable(key)
}

// usable refuses what KeyOf refuses.
func usable(key any) (crypto.Signer, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key file: a key of type %T cannot sign", key)
	}
	if _, err := KeyOf(signer.Public()); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return signer, nil
}

// The forms of RFC 5958 and RFC 8018, appendix A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params struct {
		Derive, Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt   []byte
		Rounds int
		Length int                      `asn1:"optional"`
		Hash   pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

var hmacs = map[string]func() hash.Hash{
	"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New, "1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New,
}

// keyLengths of AES in CBC mode, by the id of the cipher.
var keyLengths = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}

func decryptPKCS8(der []byte, passphrase string) ([]byte, error) {
	var file encryptedKey
	var how pbes2Params
	var derive pbkdf2Params
	var iv []byte
	for _, part := range []struct {
		der  []byte
		into any
		what string
		want asn1.ObjectIdentifier
		have func() asn1.ObjectIdentifier
	}{
		{der, &file, "PBES2", oidPBES2, func() asn1.ObjectIdentifier { return file.Algorithm.Algorithm }},
		{nil, &how, "PBKDF2", oidPBKDF2, func() asn1.ObjectIdentifier { return how.Derive.Algorithm }},
	} {
		if part.der == nil {
			part.der = file.Algorithm.Parameters.FullBytes
		}
		if err := exactly(part.der, part.into); err != nil {
			return nil, err
		}
		if !part.have().Equal(part.want) {
			return nil, fmt.Errorf("encrypted with %s instead of %s; write it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc`", part.have(), part.what)
		}
	}
	if err := errors.Join(exactly(how.Derive.Parameters.FullBytes, &derive), exactly(how.Cipher.Parameters.FullBytes, &iv)); err != nil {
		return nil, err
	}
	length, known := keyLengths[how.Cipher.Algorithm.String()]
	prf := hmacs[derive.Hash.Algorithm.String()]
	if !known || prf == nil || len(iv) != aes.BlockSize || len(file.Data) == 0 || len(file.Data)%aes.BlockSize != 0 {
		return nil, errors.New("encrypted with something else than AES-CBC under PBKDF2; write it anew with `openssl pkcs8 -topk8 -v2 aes-256-cbc`")
	}
	if derive.Rounds < 1 || derive.Rounds > maxRounds || derive.Length != 0 && derive.Length != length {
		return nil, fmt.Errorf("asks for %d rounds of PBKDF2; at most %d are done", derive.Rounds, maxRounds)
	}
	key, err := pbkdf2.Key(prf, passphrase, derive.Salt, derive.Rounds, length)
	if err != nil {
		return nil, err
	}
	return decryptCBC(key, iv, file.Data)
}

func exactly(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) != 0 {
		err = errors.New("more bytes than it says")
	}
	if err != nil {
		return fmt.Errorf("not an encrypted PKCS #8 key: %w", err)
	}
	return nil
}

// decryptCBC takes off the padding as well. Whatever is wrong with it looks like
// a wrong passphrase, and almost always is one.
func decryptCBC(key, iv, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize || pad > len(plain) {
		return nil, ErrPassphrase
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, ErrPassphrase
		}
	}
	plain = plain[:len(plain)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, ErrPassphrase
	}
	return plain, nil
}

// Import takes in a private key that another tool made, as Create makes one. Its
// Type is that of the key.
func (r *Ring) Import(k NewKey, signer crypto.Signer, passphrase string) (Public, error) {
	if err := k.check(passphrase); err != nil {
		return Public{}, err
	}
	key, err := KeyOf(signer.Public())
	if err != nil {
		return Public{}, err
	}
	public, err := newPublic(k.Name, k.Holder, key)
	if err != nil {
		return Public{}, err
	}
	sealed, err := seal(public, signer, passphrase, k.WorkFactor)
	if err != nil {
		return Public{}, err
	}
	return public, r.place(public, sealed)
}
