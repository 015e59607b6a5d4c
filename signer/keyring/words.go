package keyring

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
)

// Words gives the words of a hash, written in hex (a key id, a SHA-256), for
// people to compare aloud.
func Words(hash string) (string, error) {
	h, err := manifests.ParseSHA256(hash)
	if err != nil {
		return "", fmt.Errorf("words of a hash: %w", err)
	}
	return h.Words(), nil
}
