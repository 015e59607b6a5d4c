//go:build kms

package kms

import (
	"errors"
	"net/http"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
	sigkms "github.com/sigstore/sigstore/pkg/signature/kms"
)

const noSecret = keyring.Passphrase("")

func add(t *testing.T, r *keyring.Ring, name, url string) (keyring.Public, error) {
	return r.Add(t.Context(), keyring.KeyElsewhere{
		Name: name, Holder: keyringtest.Holder, At: keyring.Location{Kind: Kind, Words: []string{url}}, Timeout: keyring.DefaultTimeout,
	}, noSecret)
}

// place is a fake service under the promises of all places.
func place(s *service, url func(name string) string, kinds ...string) keyringtest.Place {
	return keyringtest.Place{
		Backend: Backend{}, Ask: noSecret, Kinds: kinds,
		Make: func(t *testing.T, r *keyring.Ring, name, kind string) (keyring.Public, error) {
			s.make(name, kind)
			return add(t, r, name, url(name))
		},
		MakeOther: func(t *testing.T, r *keyring.Ring, name string) error {
			s.make(name, "p384")
			_, err := add(t, r, name, url(name))
			return err
		},
		Remove:  func(_ *testing.T, _ *keyring.Ring, name string) { s.remove(name) },
		Break:   func(*testing.T) { s.http.Close() },
		Broken:  keyring.ErrUnreachable,
		Forgets: true,
	}
}

func vaultURL(name string) string { return "hashivault://" + name }

func TestAWSKeepsThePromisesOfKeys(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyringtest.Place {
		s := newAWS(t)
		return place(s, s.awsURL, keyring.TypeP256)
	})
}

func TestVaultKeepsThePromisesOfKeys(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyringtest.Place {
		return place(newVault(t), vaultURL, keyring.TypeEd25519, keyring.TypeP256)
	})
}

func TestServicesThatRefuseAreNamed(t *testing.T) {
	aws, vault := newAWS(t), newVault(t)
	for name, c := range map[string]struct {
		s      *service
		url    string
		status int
		body   string
		want   error
	}{
		"AWS, not allowed":   {aws, aws.awsURL("alice"), http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"not you"}`, keyring.ErrDeclined},
		"AWS, disabled":      {aws, aws.awsURL("alice"), http.StatusBadRequest, `{"__type":"DisabledException","message":"off"}`, keyring.ErrDeclined},
		"AWS, broken":        {aws, aws.awsURL("alice"), http.StatusInternalServerError, `{"__type":"KMSInternalException"}`, keyring.ErrUnreachable},
		"Vault, not allowed": {vault, vaultURL("alice"), http.StatusForbidden, `{"errors":["permission denied"]}`, keyring.ErrDeclined},
		"Vault, sealed":      {vault, vaultURL("alice"), http.StatusServiceUnavailable, `{"errors":["Vault is sealed"]}`, keyring.ErrUnreachable},
	} {
		c.s.answers(0, "")
		c.s.make("alice", keyring.TypeP256)
		r := keyring.Open(t.TempDir(), Backend{})
		if _, err := add(t, r, "alice", c.url); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		key, err := r.Unlock(t.Context(), "alice", noSecret)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.s.answers(c.status, c.body)
		if _, err := key.Sign(t.Context(), []byte("{}")); !errors.Is(err, c.want) {
			t.Errorf("%s: signing gave %v, expected %v", name, err, c.want)
		}
		if _, err := r.Unlock(t.Context(), "alice", noSecret); !errors.Is(err, c.want) {
			t.Errorf("%s: opening gave %v, expected %v", name, err, c.want)
		}
	}
}

// The other two allow no address but their maker's: that they are linked, and
// refuse what is no reference of theirs, is all that is tested.
func TestEveryProviderIsLinked(t *testing.T) {
	linked := map[string]bool{}
	for _, scheme := range sigkms.SupportedProviders() {
		linked[scheme] = true
	}
	for _, scheme := range schemes {
		if !linked[scheme] {
			t.Errorf("no provider for %s", scheme)
		}
		if _, err := add(t, keyring.Open(t.TempDir(), Backend{}), "a", scheme+"?"); err == nil {
			t.Errorf("%s?: added", scheme)
		}
	}
}
