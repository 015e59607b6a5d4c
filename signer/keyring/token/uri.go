package token

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	scheme = "pkcs11:"
	maxURI = 4 << 10
)

// URI names one key in one token: the part of RFC 7512 that finds keys.
type URI struct {
	Module       string // absolute path of the module
	Token        string // label of the token
	Serial       string
	Manufacturer string
	Model        string
	Object       string // label of the key
	ID           []byte // CKA_ID of the key
}

// attributes are those that narrow down the key, in the order of writing.
var attributes = []string{"model", "manufacturer", "serial", "token", "id", "object"}

// refused are attributes that would be dangerous or are not used, and why.
var refused = map[string]string{
	"pin-value":            "a PIN does not belong in a URI, where others can read it; it is asked for, or read with --passphrase-file",
	"pin-source":           "the PIN is asked for, or read with --passphrase-file",
	"module-name":          "give the module's whole path as module-path",
	"slot-id":              "slots are numbered anew at each start; name the token with token and serial",
	"slot-manufacturer":    "name the token with token and serial",
	"slot-description":     "name the token with token and serial",
	"library-version":      "name the module with module-path",
	"library-description":  "name the module with module-path",
	"library-manufacturer": "name the module with module-path",
}

// Parse reads a URI strictly: no attribute twice, none that is not known.
func Parse(text string) (URI, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok || len(text) > maxURI {
		return URI{}, fmt.Errorf("PKCS#11 URI: begins with %q and is at most %d bytes long", scheme, maxURI)
	}
	path, query, _ := strings.Cut(rest, "?")
	values := map[string]string{}
	for _, part := range []struct{ text, separator string }{{path, ";"}, {query, "&"}} {
		for _, attribute := range strings.Split(part.text, part.separator) {
			if attribute == "" {
				continue
			}
			if err := read(attribute, part.separator == "&", values); err != nil {
				return URI{}, fmt.Errorf("PKCS#11 URI: %w", err)
			}
		}
	}
	u := URI{
		Module: values["module-path"], Token: values["token"], Serial: values["serial"], Manufacturer: values["manufacturer"],
		Model: values["model"], Object: values["object"], ID: []byte(values["id"]),
	}
	return u, u.check()
}

// read takes one attribute.
func read(attribute string, query bool, into map[string]string) error {
	name, raw, ok := strings.Cut(attribute, "=")
	if !ok {
		return fmt.Errorf("%q is not name=value", attribute)
	}
	if why, bad := refused[name]; bad {
		return fmt.Errorf("%s: %s", name, why)
	}
	switch {
	case query && name == "module-path", !query && slices.Contains(attributes, name):
	case !query && name == "type": // listings of tokens print it; the private key is meant
		return nil
	default:
		return fmt.Errorf("attribute %q is not known here", name)
	}
	value, err := url.PathUnescape(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if name != "id" && (!utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' })) {
		return fmt.Errorf("%s: is not a line of text", name)
	}
	if _, twice := into[name]; twice {
		return fmt.Errorf("%s: is there twice", name)
	}
	if value == "" {
		return fmt.Errorf("%s: is empty", name)
	}
	into[name] = value
	return nil
}

func (u URI) check() error {
	switch {
	case u.Module == "":
		return errors.New("PKCS#11 URI: say which module reaches the token: ?module-path=/usr/lib/softhsm/libsofthsm2.so, for example")
	case !filepath.IsAbs(u.Module):
		return fmt.Errorf("PKCS#11 URI: module-path %q is not absolute", u.Module)
	case u.Token == "" && u.Serial == "":
		return errors.New("PKCS#11 URI: name the token with token=LABEL or serial=NUMBER")
	case u.Object == "" && len(u.ID) == 0:
		return errors.New("PKCS#11 URI: name the key with object=LABEL or id=%01")
	}
	return nil
}

// String writes the URI in one way, which Parse reads back.
func (u URI) String() string {
	values := map[string]string{
		"model": u.Model, "manufacturer": u.Manufacturer, "serial": u.Serial, "token": u.Token, "object": u.Object,
	}
	var parts []string
	for _, name := range attributes {
		if name == "id" && len(u.ID) > 0 {
			parts = append(parts, "id="+percent(u.ID))
		} else if values[name] != "" {
			parts = append(parts, name+"="+escape(values[name]))
		}
	}
	return scheme + strings.Join(parts, ";") + "?module-path=" + escape(u.Module)
}

// percent writes each byte as %XX, as RFC 7512 section 2.3 advises for ids.
func percent(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}

// escape leaves letters, digits and -._~/ as they are.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString(percent([]byte{c}))
		}
	}
	return b.String()
}
