//go:build pkcs11 && cgo

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/miekg/pkcs11"
)

// Of PKCS#11 3.0, sections 2.3 and 2.3.14.
const (
	keyTypeEdwards = 0x40
	mechanismEdDSA = 0x1057
	maxObjects     = 64 // objects looked at; more than one is refused anyway
)

// object is what a token says about one private key.
type object struct {
	handle pkcs11.ObjectHandle
	label  string
	id     []byte
	kind   uint // CKK_…
	again  bool // CKA_ALWAYS_AUTHENTICATE: the PIN goes with each signature
}

func (o object) String() string { return fmt.Sprintf("object=%s id=%s", o.label, percent(o.id)) }

// privateKey gives the only private key that u names.
func (h *held) privateKey(u URI) (object, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}
	var fits, all []object
	handles, err := h.objects(template)
	if err != nil {
		return object{}, err
	}
	for _, handle := range handles {
		o := h.describe(handle)
		all = append(all, o)
		if (u.Object == "" || u.Object == o.label) && (len(u.ID) == 0 || bytes.Equal(u.ID, o.id)) {
			fits = append(fits, o)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return object{}, fmt.Errorf("%w: token %s has no such key. It has: %s", keyring.ErrNoKey, h.slot.token.Label, listing("keys", all))
	default:
		return object{}, fmt.Errorf("%w: name one with id=… and object=…: %s", keyring.ErrAmbiguous, listing("keys", fits))
	}
}

func (h *held) objects(template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	c := h.module.ctx
	if err := c.FindObjectsInit(h.session, template); err != nil {
		return nil, explain("look for keys", err)
	}
	handles, _, err := c.FindObjects(h.session, maxObjects)
	if final := c.FindObjectsFinal(h.session); err == nil {
		err = final
	}
	if err != nil {
		return nil, explain("look for keys", err)
	}
	return handles, nil
}

// describe reads what it can: tokens differ in the attributes that they have.
func (h *held) describe(handle pkcs11.ObjectHandle) object {
	o := object{handle: handle, label: string(h.attribute(handle, pkcs11.CKA_LABEL)), id: h.attribute(handle, pkcs11.CKA_ID)}
	if kind := h.attribute(handle, pkcs11.CKA_KEY_TYPE); len(kind) > 0 {
		o.kind = number(kind)
	}
	again := h.attribute(handle, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	o.again = len(again) > 0 && again[0] != 0
	return o
}

// attribute gives one attribute, or nothing if the object has it not.
func (h *held) attribute(handle pkcs11.ObjectHandle, kind uint) []byte {
	got, err := h.module.ctx.GetAttributeValue(h.session, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil || len(got) != 1 {
		return nil
	}
	return got[0].Value
}

// number reads a CK_ULONG, which is in the machine's own order. Key types need
// its lowest bytes only, and all machines of today are little-endian.
func number(raw []byte) (n uint) {
	for i := min(len(raw), 4) - 1; i >= 0; i-- {
		n = n<<8 | uint(raw[i])
	}
	return n
}

// publicKey reads the public half of o: from the public key with the same id,
// from a certificate with it, or from the private key itself.
func (h *held) publicKey(o object) (crypto.PublicKey, error) {
	if o.kind != pkcs11.CKK_EC && o.kind != keyTypeEdwards {
		return nil, fmt.Errorf("key %s is of PKCS#11 type 0x%x: %w", o, o.kind, keyring.ErrKind)
	}
	id := pkcs11.NewAttribute(pkcs11.CKA_ID, o.id)
	halves, err := h.objects([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), id})
	if err != nil {
		return nil, err
	}
	for _, handle := range append(halves, o.handle) {
		params, point := h.attribute(handle, pkcs11.CKA_EC_PARAMS), h.attribute(handle, pkcs11.CKA_EC_POINT)
		if len(point) > 0 {
			return parsePoint(o.kind, params, point)
		}
	}
	certificates, err := h.objects([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), id})
	if err != nil {
		return nil, err
	}
	for _, handle := range certificates {
		if c, err := x509.ParseCertificate(h.attribute(handle, pkcs11.CKA_VALUE)); err == nil {
			return c.PublicKey, nil
		}
	}
	return nil, fmt.Errorf("%w: the token shows neither public key nor certificate with the id of key %s", keyring.ErrNoKey, o)
}

var (
	oidP256    = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	oidEd25519 = []byte{0x06, 0x03, 0x2b, 0x65, 0x70}
	// PKCS#11 3.0 also allows the curve's name as a PrintableString.
	nameEd25519 = append([]byte{0x13, 12}, "edwards25519"...)
)

// parsePoint reads CKA_EC_PARAMS and CKA_EC_POINT. The point is a DER octet
// string; some tokens leave out that wrapping.
func parsePoint(kind uint, params, point []byte) (crypto.PublicKey, error) {
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	switch {
	case kind == keyTypeEdwards && (bytes.Equal(params, oidEd25519) || bytes.Equal(params, nameEd25519)) && len(point) == ed25519.PublicKeySize:
		return ed25519.PublicKey(point), nil
	case kind == pkcs11.CKK_EC && bytes.Equal(params, oidP256):
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
		return public, nil
	default:
		return nil, fmt.Errorf("key with curve parameters %x: %w", params, keyring.ErrKind)
	}
}
