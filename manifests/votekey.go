package manifests

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// VoteKey is a public VOPRF key: 32 bytes of a ristretto255 element, written
// in standard base64. Package vote decides whether the element is valid.
type VoteKey [32]byte

// UnmarshalText reads 44 characters of base64.
func (k *VoteKey) UnmarshalText(b []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(b))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("%q is not a vote key: use 32 bytes in base64", clip(b))
	}
	copy(k[:], raw)
	if *k == (VoteKey{}) {
		return errors.New("is the identity element, under which every vote would look alike")
	}
	return nil
}

// MarshalText writes 44 characters of base64.
func (k VoteKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k[:])), nil
}
