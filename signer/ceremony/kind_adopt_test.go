package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// elder is a key of an old system, under the id that its tool gave it.
type elder struct {
	id     string
	signer signature.Signer
	public *metadata.Key
}

func newElder(t testing.TB, key crypto.Signer, id string) elder {
	t.Helper()
	public, err := metadata.KeyFromPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if id == "" {
		if id, err = public.ID(); err != nil {
			t.Fatal(err)
		}
	}
	var signer signature.Signer
	switch k := key.(type) {
	case *rsa.PrivateKey:
		signer, err = signature.LoadRSAPSSSigner(k, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256})
	case ed25519.PrivateKey:
		signer, err = signature.LoadED25519Signer(k)
	default:
		signer, err = signature.LoadSigner(key, crypto.SHA256)
	}
	if err != nil {
		t.Fatal(err)
	}
	return elder{id, signer, public}
}

// elders are three people of an old system: RSA with an id of its own style,
// P-256 as tuf-on-ci names its holder, and Ed25519.
func elders(t testing.TB) (all []elder, ed ed25519.PrivateKey) {
	t.Helper()
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all = []elder{newElder(t, old, "rsa-key-1"), newElder(t, p256, strings.Repeat("ab", 32)), newElder(t, ed, "")}
	all[1].public.UnrecognizedFields = map[string]any{"keyid_hash_algorithms": []any{"sha256", "sha512"}, ownerField: "@wei"}
	return all, ed
}

// oldChain gives two roots of an old system, with fields of its tool.
func oldChain(t testing.TB, w *world, all []elder) [][]byte {
	t.Helper()
	var out [][]byte
	for v := int64(1); v <= 2; v++ {
		root := metadata.Root(w.now.AddDate(0, 1, 0))
		root.Signed.Version = v
		root.Signed.UnrecognizedFields = map[string]any{"x-tuf-on-ci-expiry-period": float64(182)}
		for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
			root.Signed.Roles[role] = &metadata.Role{Threshold: 2, KeyIDs: []string{}}
			for _, e := range all {
				root.Signed.Keys[e.id] = e.public
				root.Signed.Roles[role].KeyIDs = append(root.Signed.Roles[role].KeyIDs, e.id)
			}
		}
		sealOld(t, root, all[0], all[1])
		data, err := root.ToBytes(true)
		w.must(err)
		out = append(out, data)
	}
	return out
}

// sealOld signs as another tool would, under its own ids.
func sealOld(t testing.TB, root *rootMeta, by ...elder) {
	t.Helper()
	body, err := payload(root.Signed)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range by {
		sig, err := e.signer.SignMessage(strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		root.Signatures = append(root.Signatures, metadata.Signature{KeyID: e.id, Signature: sig})
	}
}

func (w *world) adopting(roots [][]byte) (*Proposal, error) {
	return Adopt(AdoptOptions{Roots: roots, InitOptions: InitOptions{RootKeys: w.publics("alice", "bob", "carol"), Threshold: 2, Online: w.service(), Now: w.now}})
}

func TestRootsOfOtherToolsAreTakenOver(t *testing.T) {
	w := newWorld(t)
	all, _ := elders(t)
	roots := oldChain(t, w, all)
	p, err := w.adopting(roots)
	w.must(err)
	words := strings.Join(p.Describe(w.now), "\n")
	for _, want := range []string{"A ROOT OF ANOTHER TOOL", "root before: 2 of 3", "@wei", "Alice Chen", "words "} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in:\n%s", want, words)
		}
	}
	w.sign(p, ImageNone, "alice", "bob", "carol")
	if err := p.Complete(); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "those who sign root now") {
		t.Fatalf("without the old people: %v", err)
	}
	unsigned, err := p.UnsignedRoot()
	w.must(err)
	root, err := metadata.Root().FromBytes(unsigned)
	w.must(err)
	sealOld(t, root, all[0], all[1])
	root.Signatures = append(root.Signatures, metadata.Signature{KeyID: all[2].id}) // tuf-on-ci leaves a place for who has not signed
	signed, err := root.ToBytes(true)
	w.must(err)
	names, err := p.Attach(signed)
	w.must(err)
	if len(names) != 2 || names[1] != "@wei" {
		t.Errorf("taken: %v", names)
	}
	done, err := w.again(p).Submission()
	w.must(err)
	for _, name := range []string{"1.root.json", "2.root.json", "3.root.json", "1.targets.json"} {
		if done.Metadata[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	page, err := p.Transcript()
	w.must(err)
	if _, err := ReadTranscript(page); err != nil {
		t.Error(err)
	}
	// From here on it is a system like any other.
	s := w.state(p)
	next, err := RenewTop(s, metadata.ROOT, w.now)
	w.must(err)
	w.must(w.sign(next, ImageNone, "alice", "carol").Complete())
	if _, err := next.Submission(); err != nil {
		t.Error(err)
	}
	w.product(s)
}

func TestForeignRootThatDoesNotHoldIsNotTakenOver(t *testing.T) {
	w := newWorld(t)
	all, ed := elders(t)
	roots := oldChain(t, w, all)
	for name, chain := range map[string][][]byte{
		"nothing": {}, "a gap": {roots[1]}, "twice": {roots[0], roots[0]}, "no JSON": {[]byte("x")},
		"forged": {roots[0], []byte(strings.Replace(string(roots[1]), `"threshold": 2`, `"threshold": 1`, 1))},
	} {
		if _, err := w.adopting(chain); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// A key of the old root is no new key of the service.
	w.online["timestamp"] = ed
	if _, err := w.adopting(roots); err == nil || !strings.Contains(err.Error(), "needs new keys") {
		t.Errorf("got %v", err)
	}
	// Nor are the rules of ours any less for the new root.
	w = newWorld(t)
	if _, err := Adopt(AdoptOptions{Roots: roots, InitOptions: InitOptions{RootKeys: w.publics("alice", "bob"), Threshold: 1, Online: w.service(), Now: w.now}}); err == nil {
		t.Error("a threshold of one was accepted")
	}
}

func TestOnlySignaturesOfTheOldPeopleOverThisRootAreAttached(t *testing.T) {
	w := newWorld(t)
	all, _ := elders(t)
	p, err := w.adopting(oldChain(t, w, all))
	w.must(err)
	unsigned, err := p.UnsignedRoot()
	w.must(err)
	strangers, _ := elders(t)
	strangers[0].id = all[0].id // a key of somebody else under the id
	for name, edit := range map[string]func(*rootMeta){
		"another's key": func(r *rootMeta) { sealOld(t, r, strangers[0]) },
		"nobody":        func(*rootMeta) {},
		"another root":  func(r *rootMeta) { r.Signed.Version++; sealOld(t, r, all[0]) },
	} {
		root, err := metadata.Root().FromBytes(unsigned)
		w.must(err)
		edit(root)
		data, err := root.ToBytes(false)
		w.must(err)
		if names, err := p.Attach(data); err == nil {
			t.Errorf("%s: took %v", name, names)
		}
	}
	if len(p.Roles[0].Signatures) != 0 {
		t.Error("a signature was kept")
	}
	renew, err := RenewTop(w.ready(), metadata.ROOT, w.now)
	w.must(err)
	if _, err := renew.Attach(unsigned); err == nil {
		t.Error("attached to another kind of proposal")
	}
}

// Roots as other tools publish them lie in the modules that this one is built
// with. They are read there.
func TestRealRootsOfOtherToolsAreUnderstood(t *testing.T) {
	dirs := map[string]string{}
	for _, module := range []string{"github.com/theupdateframework/go-tuf/v2", "github.com/sigstore/sigstore"} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatal(err)
		}
		dirs[module] = strings.TrimSpace(string(out))
	}
	for file, want := range map[string]struct{ threshold, keys int }{
		filepath.Join(dirs["github.com/theupdateframework/go-tuf/v2"], "examples/multirepo/repository/metadata/1.root.json"):                {1, 1},
		filepath.Join(dirs["github.com/theupdateframework/go-tuf/v2"], "examples/multirepo/repository/targets/sigstore-tuf-root/root.json"): {3, 5},
		filepath.Join(dirs["github.com/sigstore/sigstore"], "pkg/tuf/repository/root.json"):                                                 {3, 5},
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, err := readRoot(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := root.VerifyDelegate(metadata.ROOT, root); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		table, err := otherRole(root)
		if err != nil || table.threshold != want.threshold || len(table.keyIDs) != want.keys {
			t.Errorf("%s: %+v, %v", file, table, err)
		}
		body, err := payload(root.Signed)
		if err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, s := range root.Signatures {
			if k, ok := table.foreign[s.KeyID]; ok && k.verify(body, s.Signature) {
				held++
			}
		}
		if held < want.threshold {
			t.Errorf("%s: %d signatures hold", file, held)
		}
	}
	// One of them, whose chain is whole, can be gone on from.
	w := newWorld(t)
	data, err := os.ReadFile(filepath.Join(dirs["github.com/theupdateframework/go-tuf/v2"], "examples/multirepo/repository/metadata/1.root.json"))
	w.must(err)
	p, err := w.adopting([][]byte{data})
	w.must(err)
	w.sign(p, ImageNone, "alice", "bob", "carol")
	if missing := missingOf(p); len(missing) != 1 || !strings.Contains(missing[0], "those who sign root now") {
		t.Errorf("missing: %v", missing)
	}
}
