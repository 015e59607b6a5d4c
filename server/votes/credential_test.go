package votes_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/votes"
)

func parse(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return c
}

func TestCredentialsOfABatchDifferInKeyAndSerialOnly(t *testing.T) {
	ca, err := votes.NewBatchCA(rand.Reader, "spring", noon)
	must(t, err)
	var seen []*x509.Certificate
	for range 2 {
		pair, err := votes.IssueCredential(rand.Reader, ca)
		must(t, err)
		seen = append(seen, parse(t, pair.Certificate))
	}
	a, b := seen[0], seen[1]
	if a.SerialNumber.Cmp(b.SerialNumber) == 0 || a.PublicKey.(ed25519.PublicKey).Equal(b.PublicKey) {
		t.Error("two handsets share serial number or key")
	}
	if a.Subject.String() != b.Subject.String() || !a.NotBefore.Equal(b.NotBefore) || !a.NotAfter.Equal(b.NotAfter) {
		t.Error("two handsets differ in more than serial number and key")
	}
	if a.NotBefore.Day() != 1 || a.NotBefore.Hour() != 0 || a.Subject.CommonName != "spring" || len(a.Raw) != len(b.Raw) {
		t.Errorf("the credential says more than its batch: %+v", a.Subject)
	}
}

func TestForgedCredentialRefused(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	otherCA, err := votes.NewBatchCA(rand.Reader, "spring", noon)
	must(t, err)
	unknown, err := votes.NewBatchCA(rand.Reader, "unknown", noon)
	must(t, err)

	forged, stranger := newHandset(t, otherCA), newHandset(t, unknown)
	refused(t, w.Enrol(t.Context(), forged.enrolRequest()), api.CodeBadCredential)
	refused(t, w.Enrol(t.Context(), stranger.enrolRequest()), api.CodeBadCredential)

	signedByAnother := h.enrolRequest()
	signedByAnother.Sign(forged.credential)
	refused(t, w.Enrol(t.Context(), signedByAnother), api.CodeBadCredential)

	for name, text := range map[string]string{
		"nothing": "", "no PEM": "hello", "a key": w.ca.PrivateKey, "the CA": w.ca.Certificate,
		"trailing data": h.pem + "x", "three": h.pem + w.ca.Certificate + w.ca.Certificate,
		"with another CA": h.pem + otherCA.Certificate, "too long": h.pem + strings.Repeat("\n", 5000),
		"broken": strings.Replace(h.pem, "M", "N", 1),
	} {
		r := h.enrolRequest()
		r.Credential = text
		t.Run(name, func(t *testing.T) { refused(t, w.Enrol(t.Context(), r), api.CodeBadCredential) })
	}
	whole := h.enrolRequest()
	whole.Credential += w.ca.Certificate
	must(t, w.Enrol(t.Context(), whole))
}

// handMade signs a leaf of the test's own making under a batch CA.
func handMade(t *testing.T, ca votes.KeyPair, change func(*x509.Certificate)) *handset {
	t.Helper()
	key, err := votes.ParseKey(ca.PrivateKey)
	must(t, err)
	parent := parse(t, ca.Certificate)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
		Subject:  pkix.Name{CommonName: "spring", OrganizationalUnit: []string{"candor handset"}},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	change(leaf)
	h := newHandset(t, ca)
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, h.credential.Public(), key)
	must(t, err)
	h.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return h
}

func TestCredentialThatNamesTheHandsetRefused(t *testing.T) {
	w := newWorld(t)
	must(t, w.Enrol(t.Context(), handMade(t, w.ca, func(*x509.Certificate) {}).enrolRequest()))
	for name, change := range map[string]func(*x509.Certificate){
		"serial in the name": func(c *x509.Certificate) { c.Subject.SerialNumber = "IMEI 1" },
		"two common names": func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "IMEI 1"}, {Type: []int{2, 5, 4, 3}, Value: "spring"}}
		},
		"alternative name": func(c *x509.Certificate) { c.DNSNames = []string{"imei-1.example"} },
		"extension": func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: []byte("IMEI 1")}}
		},
		"a CA": func(c *x509.Certificate) {
			c.BasicConstraintsValid = false // and by hand, or it would get a key identifier too
			c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		},
		"not yet valid": func(c *x509.Certificate) {
			c.NotBefore = noon.Add(time.Hour)
		},
		"no longer valid": func(c *x509.Certificate) {
			c.NotAfter = noon.Add(-time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Enrol(t.Context(), handMade(t, w.ca, change).enrolRequest()), api.CodeBadCredential)
		})
	}
}

func TestHandsetCannotActAsCA(t *testing.T) {
	w := newWorld(t)
	pair, err := votes.IssueCredential(rand.Reader, w.ca)
	must(t, err)
	if _, err := votes.IssueCredential(rand.Reader, pair); err == nil {
		t.Error("a credential issued a credential")
	}
}

func FuzzEnrol(f *testing.F) {
	w := newWorld(f)
	h := newHandset(f, w.ca)
	f.Add(h.pem)
	f.Add(h.pem + w.ca.Certificate)
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := h.enrolRequest()
		r.Credential = text
		if err := w.Enrol(t.Context(), r); err != nil {
			refused(t, err, api.CodeBadCredential)
		}
	})
}
