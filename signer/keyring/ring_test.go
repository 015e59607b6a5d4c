package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const pass = "correct horse battery"

func newKey(t *testing.T, r *Ring, name, kind string) Public {
	t.Helper()
	p, err := r.Create(NewKey{Name: name, Holder: "Alice Chen", Type: kind, WorkFactor: MinWorkFactor}, pass)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryKindSignsAndVerifies(t *testing.T) {
	for _, kind := range []string{TypeEd25519, TypeP256} {
		r := Open(t.TempDir())
		public := newKey(t, r, "alice", kind)
		key, err := r.Unlock(t.Context(), "alice", Passphrase(pass))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := key.Sign(t.Context(), []byte("firmware"))
		if err != nil {
			t.Fatal(err)
		}
		if !public.Key.Verify([]byte("firmware"), sig) {
			t.Errorf("%s: signature refused", kind)
		}
		if public.Key.Verify([]byte("firmwarf"), sig) {
			t.Errorf("%s: signature of other bytes accepted", kind)
		}
	}
}

func TestWrongPassphraseRefused(t *testing.T) {
	r := Open(t.TempDir())
	newKey(t, r, "alice", TypeEd25519)
	if _, err := r.Unlock(t.Context(), "alice", Passphrase("wrong passphrase")); !errors.Is(err, ErrPassphrase) {
		t.Fatalf("got %v", err)
	}
}

func TestPrivateFileHoldsNoPlainKey(t *testing.T) {
	dir := t.TempDir()
	newKey(t, Open(dir), "alice", TypeEd25519)
	data, err := os.ReadFile(filepath.Join(dir, "alice.key"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), "-----BEGIN AGE ENCRYPTED FILE-----") || strings.Contains(string(data), "pkcs8") {
		t.Errorf("private key file is not encrypted: %q", data[:40])
	}
	info, err := os.Stat(filepath.Join(dir, "alice.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the private key file: %v %v", info.Mode(), err)
	}
}

func TestKeyIsNeverReplaced(t *testing.T) {
	r := Open(t.TempDir())
	before := newKey(t, r, "alice", TypeEd25519)
	if _, err := r.Create(NewKey{Name: "alice", Holder: "Eve", Type: TypeEd25519, WorkFactor: MinWorkFactor}, pass); err == nil {
		t.Fatal("second key of that name was made")
	}
	if after, err := r.Public("alice"); err != nil || after != before {
		t.Errorf("key changed: %v %v", after, err)
	}
}

func TestSwappedPublicPartRefused(t *testing.T) {
	dir := t.TempDir()
	r := Open(dir)
	newKey(t, r, "alice", TypeEd25519)
	other := newKey(t, r, "mallory", TypeEd25519)
	other.Name = "alice"
	data, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "alice.pub"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Unlock(t.Context(), "alice", Passphrase(pass)); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Fatalf("got %v", err)
	}
}

func TestBadNewKeyRefused(t *testing.T) {
	good := NewKey{Name: "a", Holder: "Alice", Type: TypeEd25519, WorkFactor: MinWorkFactor}
	for name, change := range map[string]func(*NewKey) string{
		"path in name":     func(k *NewKey) string { k.Name = "../a"; return pass },
		"no holder":        func(k *NewKey) string { k.Holder = ""; return pass },
		"two lines":        func(k *NewKey) string { k.Holder = "A\nB"; return pass },
		"override":         func(k *NewKey) string { k.Holder = "A\u202eB"; return pass },
		"P-384":            func(k *NewKey) string { k.Type = "p384"; return pass },
		"weak work factor": func(k *NewKey) string { k.WorkFactor = MinWorkFactor - 1; return pass },
		"short passphrase": func(*NewKey) string { return "1234567" },
	} {
		k := good
		passphrase := change(&k)
		if _, err := Open(t.TempDir()).Create(k, passphrase); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSecondAnchorRefused(t *testing.T) {
	r := Open(filepath.Join(t.TempDir(), "keys"))
	if _, err := r.Anchor(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("empty ring: %v", err)
	}
	a := NewAnchor(1, strings.Repeat("ab", 32))
	for range 2 {
		if err := r.Trust(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Trust(NewAnchor(1, strings.Repeat("cd", 32))); err == nil {
		t.Error("another root was trusted silently")
	}
	if have, err := r.Anchor(); err != nil || !have.Same(a) {
		t.Errorf("anchor is %v, %v", have, err)
	}
}

func TestBuiltIsRemembered(t *testing.T) {
	r := Open(t.TempDir())
	hash := strings.Repeat("ab", 32)
	if was, err := r.WasBuilt(hash); was || err != nil {
		t.Fatalf("before: %v %v", was, err)
	}
	if err := r.NoteBuilt(hash); err != nil {
		t.Fatal(err)
	}
	if was, err := r.WasBuilt(hash); !was || err != nil {
		t.Fatalf("after: %v %v", was, err)
	}
	if err := r.NoteBuilt("../../etc"); err == nil {
		t.Error("a path was taken for a hash")
	}
}

func TestMismatchedPrivatePartRefused(t *testing.T) {
	alice := newKey(t, Open(t.TempDir()), "alice", TypeEd25519)
	other, err := generate(TypeEd25519)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(alice, other, pass, MinWorkFactor)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := unseal(sealed, pass)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := parsePrivate(plain); err == nil || !strings.Contains(err.Error(), "do not match") {
		t.Fatalf("got %v", err)
	}
}
