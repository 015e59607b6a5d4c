package ceremony

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// expectRefusal wants an error that says why, so that the right check bit.
func expectRefusal(t *testing.T, name string, err error, why string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: expected a refusal that says %q, got %v", name, why, err)
	}
}

func TestRootThatBreaksARuleRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		why  string
		edit func(*metadata.RootType)
	}{
		"no consistent snapshots": {"consistent_snapshot", func(r *metadata.RootType) { r.ConsistentSnapshot = false }},
		"unknown field":           {"unknown field", func(r *metadata.RootType) { r.UnrecognizedFields = map[string]any{"x": "y"} }},
		"one of three":            {"threshold 1 of 3", func(r *metadata.RootType) { r.Roles["root"].Threshold = 1 }},
		"four of three":           {"threshold 4 of 3", func(r *metadata.RootType) { r.Roles["targets"].Threshold = 4 }},
		"nobody named": {"names 0 people", func(r *metadata.RootType) {
			r.Roles["root"].UnrecognizedFields = nil
		}},
		"one person twice": {"holds two keys", func(r *metadata.RootType) {
			holders(r.Roles["root"])[w.public["bob"].KeyID] = "ALICE chen"
		}},
		"another named": {"names nobody", func(r *metadata.RootType) {
			h := holders(r.Roles["root"])
			delete(h, w.public["bob"].KeyID)
			h[w.public["dora"].KeyID] = "Dora Lind"
		}},
		"unknown field in a role": {"unknown field", func(r *metadata.RootType) { r.Roles["root"].UnrecognizedFields["x"] = "y" }},
		"mirrors":                 {"5 roles", func(r *metadata.RootType) { r.Roles["mirrors"] = &metadata.Role{KeyIDs: []string{}} }},
		"a key under another id": {"filed under", func(r *metadata.RootType) {
			r.Keys[w.public["alice"].KeyID], r.Keys[w.public["carol"].KeyID] = r.Keys[w.public["carol"].KeyID], r.Keys[w.public["alice"].KeyID]
		}},
		"P-384":             {"only Ed25519 and P-256", func(r *metadata.RootType) { r.Keys["x"] = p384(t) }},
		"two of two online": {"with one key of its own", func(r *metadata.RootType) { r.Roles["snapshot"].Threshold = 2 }},
		"an online person": {"names a person", func(r *metadata.RootType) {
			r.Roles["snapshot"].UnrecognizedFields = r.Roles["root"].UnrecognizedFields
		}},
		"timestamp signs snapshots": {"shares its key", func(r *metadata.RootType) {
			r.Roles["timestamp"].KeyIDs = r.Roles["snapshot"].KeyIDs
		}},
		"snapshot's key in targets": {"also the online key", func(r *metadata.RootType) {
			id := r.Roles["snapshot"].KeyIDs[0]
			r.Roles["targets"].KeyIDs = append(r.Roles["targets"].KeyIDs, id)
			holders(r.Roles["targets"])[id] = "Nobody"
		}},
	} {
		p := w.again(w.initProposal())
		if err := lintRoot(p.view.root); err != nil {
			t.Fatal(err)
		}
		r := &p.view.root.Signed
		fresh := *r.Roles["root"]
		h := map[string]any{}
		for k, v := range holders(&fresh) {
			h[k] = v
		}
		fresh.UnrecognizedFields = map[string]any{holdersField: h}
		r.Roles["root"] = &fresh
		c.edit(r)
		expectRefusal(t, name, lintRoot(p.view.root), c.why)
	}
}

func holders(r *metadata.Role) map[string]any {
	return r.UnrecognizedFields[holdersField].(map[string]any)
}

func p384(t *testing.T) *metadata.Key {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return &metadata.Key{Type: "ecdsa", Scheme: "ecdsa-sha2-nistp256", Value: metadata.KeyVal{PublicKey: text}}
}

func TestTargetsThatBreakARuleRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		why  string
		edit func(*metadata.TargetsType)
	}{
		"lists a file": {"lists files", func(s *metadata.TargetsType) {
			s.Targets["x"] = &metadata.TargetFiles{Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
		}},
		"not terminating": {"must be terminating", func(s *metadata.TargetsType) { s.Delegations.Roles[1].Terminating = false }},
		"another's paths": {"must be terminating", func(s *metadata.TargetsType) { s.Delegations.Roles[1].Paths = []string{"releases/*/*.json"} }},
		"two paths": {"must be terminating", func(s *metadata.TargetsType) {
			s.Delegations.Roles[0].Paths = append(s.Delegations.Roles[0].Paths, "x")
		}},
		"other role": {"only rollouts", func(s *metadata.TargetsType) { s.Delegations.Roles[1].Name = "other" }},
		"twice": {"two delegations", func(s *metadata.TargetsType) {
			s.Delegations.Roles = append(s.Delegations.Roles, s.Delegations.Roles[1])
		}},
		"rollouts not first": {"first delegation", func(s *metadata.TargetsType) { s.Delegations.Roles = s.Delegations.Roles[1:] }},
		"no delegations":     {"plain list", func(s *metadata.TargetsType) { s.Delegations = nil }},
		"lone engineer":      {"threshold 1 of 2", func(s *metadata.TargetsType) { s.Delegations.Roles[1].Threshold = 1 }},
		"rollouts by an engineer's key": {"also the online key", func(s *metadata.TargetsType) {
			s.Delegations.Roles[0].KeyIDs = s.Delegations.Roles[1].KeyIDs[:1]
		}},
		"root's key": {"key of root or targets", func(s *metadata.TargetsType) {
			id := w.public["alice"].KeyID
			s.Delegations.Keys[id] = tufKey(w.public["alice"].Key)
			s.Delegations.Roles[1].KeyIDs[0] = id
		}},
		"key under another id": {"filed under", func(s *metadata.TargetsType) {
			s.Delegations.Keys[w.public["dora"].KeyID] = s.Delegations.Keys[w.public["emil"].KeyID]
		}},
		"unknown field": {"unknown field", func(s *metadata.TargetsType) { s.UnrecognizedFields = map[string]any{"x": "y"} }},
	} {
		s := w.ready()
		if err := lintTargets(s.root, s.targets); err != nil {
			t.Fatal(err)
		}
		c.edit(&s.targets.Signed)
		expectRefusal(t, name, lintTargets(s.root, s.targets), c.why)
	}
}

func TestReleasesThatBreakARuleRefused(t *testing.T) {
	w := newWorld(t)
	path := layout.ReleasePath(phone, 41)
	for name, c := range map[string]struct {
		why  string
		edit func(*metadata.TargetsType)
	}{
		"another product's": {"not a release of phone", func(s *metadata.TargetsType) {
			s.Targets[layout.ReleasePath("tablet", 41)] = s.Targets[path]
		}},
		"not a release": {"not a release of phone", func(s *metadata.TargetsType) { s.Targets["releases/phone/x.json"] = s.Targets[path] }},
		"second hash":   {"one sha256", func(s *metadata.TargetsType) { s.Targets[path].Hashes["sha512"] = make([]byte, 64) }},
		"short hash":    {"one sha256", func(s *metadata.TargetsType) { s.Targets[path].Hashes["sha256"] = make([]byte, 16) }},
		"no promise":    {"must sign x-next-by", func(s *metadata.TargetsType) { s.UnrecognizedFields = nil }},
		"another field": {"unknown field", func(s *metadata.TargetsType) { s.UnrecognizedFields["x"] = "y" }},
		"not a time":    {"x-next-by", func(s *metadata.TargetsType) { s.UnrecognizedFields[nextByField] = "soon" }},
		"promise too late": {"must come before", func(s *metadata.TargetsType) {
			s.UnrecognizedFields[nextByField] = s.Expires.Format(time.RFC3339)
		}},
		"delegates": {"delegates", func(s *metadata.TargetsType) {
			s.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}, Roles: []metadata.DelegatedRole{}}
		}},
		"too many": {"at most 100", func(s *metadata.TargetsType) {
			for b := manifests.Build(100); b < 201; b++ {
				s.Targets[layout.ReleasePath(phone, b)] = s.Targets[path]
			}
		}},
	} {
		s := w.live(w.release(41))
		if err := lintReleases(phone, s.releases[phone]); err != nil {
			t.Fatal(err)
		}
		c.edit(&s.releases[phone].Signed)
		expectRefusal(t, name, lintReleases(phone, s.releases[phone]), c.why)
	}
}

func TestMetadataIsReadToTheLetter(t *testing.T) {
	w := newWorld(t)
	w.published()
	good := string(w.files[layout.MetadataFile("root", 1)])
	for name, bad := range map[string]string{
		"repeated field":      strings.Replace(good, `"version":1`, `"version":9,"version":1`, 1),
		"other letter case":   strings.Replace(good, `"consistent_snapshot":true`, `"Consistent_Snapshot":true`, 1),
		"null":                strings.Replace(good, `"signatures":[`, `"x":null,"signatures":[`, 1),
		"float":               strings.Replace(good, `"version":1`, `"version":1.0`, 1),
		"too long":            good + strings.Repeat(" ", maxRole),
		"trailing":            good + "{}",
		"signed by one twice": strings.Replace(good, `"signatures":[`, `"signatures":[{"keyid":"x","sig":"00"},{"keyid":"x","sig":"00"},`, 1),
	} {
		if bad == good {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := readRoot([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := readRoot([]byte(good)); err != nil {
		t.Error(err)
	}
}

func TestOnlineKeysAreReadStrictly(t *testing.T) {
	id := strings.Repeat("0", 64)
	key := `{"key":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"` + strings.Repeat("ab", 32) + `"}}}`
	good := `{"rollouts":` + key + `,"snapshot":` + key + `,"timestamp":` + key + `}`
	if o, err := ParseOnline([]byte(good)); err != nil || len(o.Snapshot.KeyID) != 64 {
		t.Fatalf("%+v %v", o, err)
	}
	for name, bad := range map[string]string{
		"other id":    strings.Replace(good, `{"key":`, `{"keyid":"`+id+`","key":`, 1),
		"RSA":         strings.Replace(good, `"keytype":"ed25519"`, `"keytype":"rsa"`, 1),
		"short key":   strings.Replace(good, "abab", "ab", 1),
		"missing":     strings.Replace(good, `"snapshot":`+key+",", "", 1),
		"private key": strings.Replace(good, `{"key":`, `{"private":"x","key":`, 1),
		"html":        "<html>",
	} {
		if bad == good {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := ParseOnline([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseOnline(f *testing.F) {
	f.Add([]byte(`{"rollouts":{"key":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"ab"}}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := ParseOnline(data); err == nil && (o.Rollouts.KeyID == "" || o.Snapshot.KeyID == "" || o.Timestamp.KeyID == "") {
			t.Fatal("accepted without ids")
		}
	})
}
