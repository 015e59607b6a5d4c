package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
)

// Product is the name of a line of firmware, [a-z0-9-], at most 64 characters,
// beginning and ending with a letter or digit. Role and file names are made of
// it, so nothing else is let in.
type Product string

var productForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// UnmarshalText refuses anything that is not a product name.
func (p *Product) UnmarshalText(b []byte) error {
	if !productForm.Match(b) {
		return fmt.Errorf("%q is not a product name: use a-z, 0-9 and '-', at most 64 characters, with a letter or digit at both ends", clip(b))
	}
	*p = Product(b)
	return nil
}

// ParseProduct reads a product name.
func ParseProduct(s string) (Product, error) {
	var p Product
	return p, p.UnmarshalText([]byte(s))
}

// Build numbers the releases of a product. It only rises; a rollback is a new,
// higher build that carries the old image. At most 2^53, zero is no build.
type Build uint64

// ParseBuild reads a build number in decimal.
func ParseBuild(s string) (Build, error) {
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%q is not a build number: use a whole number from 1, without leading zeros", clip([]byte(s)))
	}
	return Build(n), nil
}

// String gives the number in decimal, as it stands in paths.
func (b Build) String() string { return strconv.FormatUint(uint64(b), 10) }

// SecurityEpoch is the anti-rollback floor: a handset that has booted a
// healthy build of some epoch never installs one of a lower epoch again.
type SecurityEpoch uint32

// SharePPM is a part of the fleet in parts per million: 0 is nobody,
// WholeFleet everybody.
type SharePPM uint32

// WholeFleet is every handset.
const WholeFleet SharePPM = 1_000_000

// String gives the share in percent, such as "1 %" or "0.05 %".
func (s SharePPM) String() string {
	return strconv.FormatFloat(float64(s)/10_000, 'f', -1, 64) + " %"
}

// SHA256 is a hash, written as 64 lower-case hexadecimal digits.
type SHA256 [sha256.Size]byte

// SumSHA256 hashes b.
func SumSHA256(b []byte) SHA256 { return sha256.Sum256(b) }

// ParseSHA256 reads 64 lower-case hexadecimal digits.
func ParseSHA256(s string) (SHA256, error) {
	var h SHA256
	return h, h.UnmarshalText([]byte(s))
}

// UnmarshalText reads 64 lower-case hexadecimal digits.
func (h *SHA256) UnmarshalText(b []byte) error {
	var out SHA256
	if len(b) != hex.EncodedLen(len(out)) {
		return fmt.Errorf("%d characters; a sha256 has 64 hexadecimal digits", len(b))
	}
	if _, err := hex.Decode(out[:], b); err != nil || hex.EncodeToString(out[:]) != string(b) {
		return fmt.Errorf("%q is not a sha256: use 64 lower-case hexadecimal digits", clip(b))
	}
	*h = out
	return nil
}

// MarshalText writes 64 lower-case hexadecimal digits.
func (h SHA256) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h SHA256) String() string { return hex.EncodeToString(h[:]) }

// Short gives the first twelve digits, for people to compare.
func (h SHA256) Short() string { return h.String()[:12] }

// IsZero tells whether the hash was never set.
func (h SHA256) IsZero() bool { return h == SHA256{} }

// Name is a short identifier: a model, region, channel, slot or lab hash
// label. [a-z0-9][a-z0-9._-]{0,63}.
type Name string

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// UnmarshalText refuses anything that is not a name.
func (n *Name) UnmarshalText(b []byte) error {
	if !nameForm.Match(b) {
		return fmt.Errorf("%q is not a name: use a-z, 0-9, '.', '_' and '-', at most 64 characters, with a letter or digit first", clip(b))
	}
	*n = Name(b)
	return nil
}

// ParseName reads a name.
func ParseName(s string) (Name, error) {
	var n Name
	return n, n.UnmarshalText([]byte(s))
}

func clip(b []byte) string {
	if len(b) > 80 {
		return string(b[:80]) + "…"
	}
	return string(b)
}
