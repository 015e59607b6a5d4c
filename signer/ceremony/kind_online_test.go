package ceremony

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// renewKeys gives the service new keys, and returns the old ones.
func (w *world) renewKeys() map[string]ed25519.PrivateKey {
	w.t.Helper()
	old := w.online
	w.online = map[string]ed25519.PrivateKey{}
	for role := range old {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		w.must(err)
		w.online[role] = key
	}
	return old
}

func TestOnlineKeysAreReplacedTogetherAndNothingElse(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	w.renewKeys()
	w.now = w.now.Add(24 * time.Hour)
	p, err := RotateOnline(s, w.service(), w.now)
	w.must(err)
	w.sign(p, ImageNone, "alice", "carol")
	done, err := w.again(p).Submission()
	w.must(err)
	if len(done.Metadata) != 2 || done.Metadata["2.root.json"] == nil || done.Metadata["3.targets.json"] == nil {
		t.Errorf("files: %v", done.Metadata)
	}
	words := strings.Join(p.Describe(w.now), "\n")
	for _, want := range []string{"NEW KEYS FOR THE SERVICE", "timestamp: key", "snapshot: key", "rollouts: key", wordsOf(w.service().Rollouts.KeyID)} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in:\n%s", want, words)
		}
	}
	next := w.state(p)
	if _, err := RenewTop(next, metadata.ROOT, w.now); err != nil {
		t.Errorf("the state after it: %v", err)
	}
}

func TestRotationThatKeepsAKeyRefused(t *testing.T) {
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		w := newWorld(t)
		s := w.ready()
		old := w.renewKeys()
		w.online[role] = old[role]
		if _, err := RotateOnline(s, w.service(), w.now); err == nil || !strings.Contains(err.Error(), "replaced together") {
			t.Errorf("%s stayed: %v", role, err)
		}
	}
	w := newWorld(t)
	s := w.ready()
	old := w.renewKeys()
	w.online["snapshot"] = old["timestamp"] // the thief's key under another role
	if _, err := RotateOnline(s, w.service(), w.now); err == nil || !strings.Contains(err.Error(), "replaced together") {
		t.Errorf("a key changed its role: %v", err)
	}
}

// A proposal that says "new keys for the service" may not change people.
func TestRotationThatChangesMoreRefused(t *testing.T) {
	for name, edit := range map[string]func(w *world, root *metadata.RootType, targets *metadata.TargetsType){
		"threshold":         func(_ *world, r *metadata.RootType, _ *metadata.TargetsType) { r.Roles[metadata.ROOT].Threshold = 3 },
		"threshold targets": func(_ *world, r *metadata.RootType, _ *metadata.TargetsType) { r.Roles[metadata.TARGETS].Threshold = 3 },
		"holder": func(w *world, r *metadata.RootType, _ *metadata.TargetsType) {
			ids, fields, table := row(w.publics("alice", "bob", "fay"))
			r.Roles[metadata.ROOT] = &metadata.Role{KeyIDs: ids, Threshold: 2, UnrecognizedFields: fields}
			for id, k := range table {
				r.Keys[id] = k
			}
		},
		"spare key": func(w *world, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Keys[w.public["fay"].KeyID] = tufKey(w.public["fay"].Key)
		},
		"engineers": func(_ *world, _ *metadata.RootType, m *metadata.TargetsType) {
			i := slices.IndexFunc(m.Delegations.Roles, func(r metadata.DelegatedRole) bool { return r.Name == layout.ReleasesRole(phone) })
			m.Delegations.Roles[i].KeyIDs = slices.Clone(m.Delegations.Roles[i].KeyIDs)
			slices.Reverse(m.Delegations.Roles[i].KeyIDs)
		},
		"dropped": func(_ *world, _ *metadata.RootType, m *metadata.TargetsType) {
			m.Delegations.Roles = m.Delegations.Roles[:1]
		},
		"version": func(_ *world, r *metadata.RootType, _ *metadata.TargetsType) { r.Version++ },
	} {
		w := newWorld(t)
		s := w.ready()
		w.renewKeys()
		p, err := RotateOnline(s, w.service(), w.now)
		w.must(err)
		edit(w, &p.view.root.Signed, &p.view.targets.Signed)
		for i, signed := range []any{p.view.root.Signed, p.view.targets.Signed} {
			p.Roles[i].Signed, err = signedText(signed)
			w.must(err)
		}
		data, err := p.Marshal()
		w.must(err)
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Nothing leaves the signer that a handset would refuse.
func TestRehearsalRefusesWhatAHandsetWould(t *testing.T) {
	w := newWorld(t)
	first := w.state(w.sign(w.initProposal(), ImageNone, "alice", "bob"))
	p, err := RenewTop(first, metadata.ROOT, w.now)
	w.must(err)
	w.sign(p, ImageNone, "alice", "bob")
	done, err := p.Submission()
	w.must(err)
	p.Base.Roots = []string{anotherRoot(t)}
	if _, err := p.Submission(); err == nil || !strings.Contains(err.Error(), "handset") {
		t.Errorf("published without a rehearsal: %v", err)
	}
	chain := []string{first.rootFiles[0], string(done.Metadata["2.root.json"])}
	if err := rehearse(chain); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"other system": anotherRoot(t), "same again": chain[0], "no JSON": "{", "null": `{"signed":null,"signatures":[]}`,
	} {
		if err := rehearse([]string{chain[0], bad}); err == nil || !strings.Contains(err.Error(), "handset") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func anotherRoot(t *testing.T) string {
	t.Helper()
	w := newWorld(t)
	return w.state(w.sign(w.initProposal(), ImageNone, "alice", "bob")).rootFiles[0]
}
