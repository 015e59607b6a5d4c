package keyring_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/candor-ota/candor/signer/keyring"
	"github.com/candor-ota/candor/signer/keyring/keyringtest"
)

func TestEncryptedFilesKeepThePromisesOfKeys(t *testing.T) {
	const passphrase = keyring.Passphrase("correct horse battery")
	keyringtest.Run(t, func(*testing.T) keyringtest.Place {
		var dirs []string
		create := func(r *keyring.Ring, name, kind string) (keyring.Public, error) {
			dirs = append(dirs, r.Dir())
			return r.Create(keyring.NewKey{Name: name, Holder: keyringtest.Holder, Type: kind, WorkFactor: keyring.MinWorkFactor}, string(passphrase))
		}
		return keyringtest.Place{
			Kinds: []string{keyring.TypeEd25519, keyring.TypeP256}, Ask: passphrase,
			Make: func(_ *testing.T, r *keyring.Ring, name, kind string) (keyring.Public, error) {
				return create(r, name, kind)
			},
			MakeOther: func(_ *testing.T, r *keyring.Ring, name string) error {
				_, err := create(r, name, "p384")
				return err
			},
			Remove: func(t *testing.T, r *keyring.Ring, name string) {
				if err := os.Remove(filepath.Join(r.Dir(), name+".key")); err != nil {
					t.Fatal(err)
				}
			},
			Break: func(t *testing.T) {
				for _, dir := range dirs {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				}
			},
			Broken: keyring.ErrNoKey,
		}
	})
}
