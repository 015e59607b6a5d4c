package votes

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// The two kinds of certificate. Subjects are CN (the batch) and OU (the kind):
// everything in a handset's credential but its key and serial number is the
// same for the whole batch.
const (
	unitCA       = "candor batch CA"
	unitHandset  = "candor handset"
	maxPEM       = 4 << 10
	serialBytes  = 16
	certificate  = "CERTIFICATE"
	privateKey   = "PRIVATE KEY"
	defaultYears = 20
)

// KeyPair is a certificate and its PKCS #8 private key, both in PEM.
type KeyPair struct {
	Certificate string
	PrivateKey  string
}

// NewBatchCA makes the CA of a batch: a self-signed Ed25519 certificate, valid
// from the beginning of now's month for twenty years.
func NewBatchCA(random io.Reader, batch manifests.Name, now time.Time) (KeyPair, error) {
	from := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		Subject:   subject(batch, unitCA),
		NotBefore: from, NotAfter: from.AddDate(defaultYears, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	pair, err := sign(random, template, nil, nil)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make CA of batch %s: %w", batch, err)
	}
	return pair, nil
}

// IssueCredential makes the credential of one handset under its batch CA, with
// the CA's dates and a random serial number: it names the batch and nothing else.
func IssueCredential(random io.Reader, ca KeyPair) (KeyPair, error) {
	parent, err := parseCA(ca.Certificate)
	if err != nil {
		return KeyPair{}, err
	}
	key, err := ParseKey(ca.PrivateKey)
	if err != nil {
		return KeyPair{}, fmt.Errorf("key of batch CA: %w", err)
	}
	template := &x509.Certificate{
		Subject:   subject(manifests.Name(parent.Subject.CommonName), unitHandset),
		NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	pair, err := sign(random, template, parent, key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("issue credential: %w", err)
	}
	return pair, nil
}

func subject(batch manifests.Name, unit string) pkix.Name {
	return pkix.Name{CommonName: string(batch), OrganizationalUnit: []string{unit}}
}

// sign makes a key and its certificate, self-signed if parent is nil.
func sign(random io.Reader, template, parent *x509.Certificate, parentKey ed25519.PrivateKey) (KeyPair, error) {
	public, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return KeyPair{}, err
	}
	serial := make([]byte, serialBytes)
	if _, err := io.ReadFull(random, serial); err != nil {
		return KeyPair{}, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and always of one length
	template.SerialNumber = new(big.Int).SetBytes(serial)
	if parent == nil {
		parent, parentKey = template, private
	}
	der, err := x509.CreateCertificate(random, template, parent, public, parentKey)
	if err != nil {
		return KeyPair{}, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{Certificate: encode(certificate, der), PrivateKey: encode(privateKey, secret)}, nil
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// ParseKey reads an Ed25519 private key in PEM.
func ParseKey(text string) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != privateKey || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one PKCS #8 private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key is %T; only Ed25519 is used", key)
	}
	return private, nil
}

// parseCA reads the certificate of a batch CA.
func parseCA(text string) (*x509.Certificate, error) {
	certs, err := certificates(text)
	if err != nil {
		return nil, fmt.Errorf("certificate of batch CA: %w", err)
	}
	c := certs[0]
	if len(certs) != 1 || !c.IsCA || c.PublicKeyAlgorithm != x509.Ed25519 {
		return nil, errors.New("certificate of batch CA: not one Ed25519 CA")
	}
	return c, nil
}

// certificates reads one or two certificates in PEM, the first byte to the last.
func certificates(text string) ([]*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%d bytes; at most %d", len(text), maxPEM)
	}
	var list []*x509.Certificate
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != certificate || len(list) == 2 {
			return nil, errors.New("not one or two certificates in PEM")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return list, nil
}

// credential is a factory credential that has been read, but not yet checked.
type credential struct {
	leaf  *x509.Certificate
	ca    *x509.Certificate // as the handset sent it, or nil
	batch manifests.Name
}

func parseCredential(text string) (credential, error) {
	certs, err := certificates(text)
	if err != nil {
		return credential{}, err
	}
	c := credential{leaf: certs[0]}
	if len(certs) == 2 {
		c.ca = certs[1]
	}
	c.batch, err = manifests.ParseName(c.leaf.Subject.CommonName)
	return c, err
}

// check verifies that the CA signed the credential and that it names the batch
// only, and gives its key.
func (c credential) check(ca *x509.Certificate, now time.Time) (ed25519.PublicKey, error) {
	key, isEd25519 := c.leaf.PublicKey.(ed25519.PublicKey)
	want := subject(c.batch, unitHandset)
	raw, err := asn1.Marshal(want.ToRDNSequence())
	if err != nil {
		return nil, err
	}
	switch {
	case c.ca != nil && !c.ca.Equal(ca):
		return nil, errors.New("it comes with another CA than that of its batch")
	case !isEd25519 || c.leaf.IsCA:
		return nil, errors.New("it is not a handset's Ed25519 certificate")
	case !bytes.Equal(c.leaf.RawSubject, raw) || !plain(c.leaf):
		return nil, fmt.Errorf("it names more than its batch; only %s may stand in it", want)
	case now.Before(c.leaf.NotBefore) || now.After(c.leaf.NotAfter):
		return nil, fmt.Errorf("it is valid from %s to %s only", c.leaf.NotBefore.Format(time.DateOnly), c.leaf.NotAfter.Format(time.DateOnly))
	}
	if err := c.leaf.CheckSignatureFrom(ca); err != nil {
		return nil, fmt.Errorf("its batch CA did not sign it: %w", err)
	}
	return key, nil
}

// plain tells whether a certificate has only the extensions that sign gives a
// credential: usage, constraints and the CA's key.
func plain(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if !slices.ContainsFunc(credentialExtensions, e.Id.Equal) {
			return false
		}
	}
	return true
}

var credentialExtensions = []asn1.ObjectIdentifier{{2, 5, 29, 15}, {2, 5, 29, 19}, {2, 5, 29, 35}} // RFC 5280, section 4.2.1
