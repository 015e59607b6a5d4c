package rollout

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/candor-ota/candor/manifests"
)

// Secret is 32 random bytes, made when the handset first starts. It never
// leaves the handset.
type Secret [32]byte

// Position is the place of a handset in the order in which a build reaches the
// fleet, 0 to 999,999. Product and build are signed offline, so no rollout can
// draw it anew: every rollout of a build reaches the same handsets in the same
// order, and the next build draws afresh.
func Position(secret Secret, product manifests.Product, build manifests.Build) manifests.SharePPM {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("candor-phase-v1"))
	mac.Write([]byte{byte(len(product))})
	mac.Write([]byte(product))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(build)))
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(mac.Sum(nil)), uint64(manifests.WholeFleet))
	return manifests.SharePPM(hi)
}

// LabHash is the form in which a rollout names a handset in lab mode. The id
// is 32 random bytes that exist only there, so the hash cannot be searched.
func LabHash(id [32]byte) manifests.SHA256 {
	return sha256.Sum256(append([]byte("candor-lab-v1"), id[:]...))
}
