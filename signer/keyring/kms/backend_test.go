package kms

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
)

// sigstore runs a program sigstore-kms-NAME for a scheme that no provider has.
func TestNoProgramIsRunForAnUnknownScheme(t *testing.T) {
	for _, url := range []string{"", "evil://key", "file:///etc/passwd", "AWSKMS:///alias/a"} {
		if _, err := (Backend{}).Open(t.Context(), keyring.Location{Kind: Kind, Words: []string{url}}, nil); err == nil || !strings.Contains(err.Error(), "one word") && !strings.Contains(err.Error(), "begins with one of") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
