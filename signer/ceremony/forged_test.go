package ceremony

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// thin drops all signatures of a metadata file but the first: a valid one,
// and too few.
func thin(t *testing.T, data []byte) []byte {
	t.Helper()
	var file struct {
		Signatures []json.RawMessage `json:"signatures"`
		Signed     json.RawMessage   `json:"signed"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	file.Signatures = file.Signatures[:1]
	out, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// replace puts other bytes for a role, under a snapshot that agrees with them.
func (w *world) replace(role string, version int64, data []byte) {
	w.files[layout.MetadataFile(role, version)] = data
	if role != metadata.ROOT {
		w.meta[role+".json"] = metaFile(version, data)
	}
	w.stamp()
}

func TestTooFewSignaturesRefused(t *testing.T) {
	for _, role := range []struct {
		name    string
		version int64
	}{{"root", 1}, {"targets", 2}, {"releases-phone", 2}} {
		w := newWorld(t)
		anchor := w.published()
		w.replace(role.name, role.version, thin(t, w.files[layout.MetadataFile(role.name, role.version)]))
		_, err := w.load(anchor)
		expectRefusal(t, role.name, err, "not enough signatures, got 1, want 2")
		expectRefusal(t, role.name, err, role.name)
	}
}

func TestOnlineRoleOfAnotherKeyRefused(t *testing.T) {
	for _, role := range []string{"rollouts", "snapshot", "timestamp"} {
		w := newWorld(t)
		anchor := w.published()
		_, key, err := ed25519.GenerateKey(rand.Reader)
		w.must(err)
		w.online[role] = key
		delete(w.meta, "rollouts.json")
		w.stamp()
		_, err = w.load(anchor)
		expectRefusal(t, role, err, "Verifying "+role+" failed")
	}
}

func TestVersionsHaveToAgree(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	name := layout.MetadataFile("targets", 2)
	w.files[layout.MetadataFile("targets", 7)], w.meta["targets.json"] = w.files[name], metaFile(7, w.files[name])
	w.stamp()
	_, err := w.load(anchor)
	expectRefusal(t, "targets", err, "version 2, snapshot names 7")

	w = newWorld(t)
	anchor = w.published()
	snapshot := w.files[layout.MetadataFile("snapshot", w.stamps)]
	w.files[layout.MetadataFile("snapshot", 9)] = snapshot
	w.timestamp(map[string]*metadata.MetaFiles{"snapshot.json": metaFile(9, snapshot)})
	_, err = w.load(anchor)
	expectRefusal(t, "snapshot", err, "version 3, timestamp names 9")
}

func TestTimestampWithoutSnapshotRefused(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.timestamp(map[string]*metadata.MetaFiles{})
	_, err := w.load(anchor)
	expectRefusal(t, "timestamp", err, "does not name a snapshot")
}

func TestReplacedFileUnderItsNameRefused(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	// the same metadata in another spelling: signatures hold, the hash does not
	name := layout.MetadataFile("targets", 2)
	w.files[name] = append([]byte(" "), w.files[name]...)
	_, err := w.load(anchor)
	expectRefusal(t, "targets", err, "mismatch")
}

func TestEndlessFileIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.files["big"] = make([]byte, 101)
	src, err := Dir(w.tree())
	w.must(err)
	_, err = fetch(context.Background(), src, "big", 100)
	expectRefusal(t, "big", err, "longer than 100 bytes")
}

func TestBaseOfAProposalIsVerified(t *testing.T) {
	w := newWorld(t)
	s := w.live(w.release(41))
	renewed, err := RenewTop(s, "root", w.now)
	w.must(err)
	renewed = w.sign(renewed, ImageNone, "alice", "bob")
	other := newWorld(t)
	for name, c := range map[string]struct {
		why  string
		edit func(*Proposal)
	}{
		"thin root":     {"by its own keys", func(p *Proposal) { p.Base.Roots[0] = string(thin(t, []byte(p.Base.Roots[0]))) }},
		"foreign root":  {"by the keys of version 1", func(p *Proposal) { p.Base.Roots[1] = foreignRoot(other) }},
		"thin targets":  {"Verifying targets failed", func(p *Proposal) { p.Base.Targets = string(thin(t, []byte(p.Base.Targets))) }},
		"thin releases": {"Verifying releases-phone failed", func(p *Proposal) { p.Base.Releases = string(thin(t, []byte(p.Base.Releases))) }},
		"fewer documents": {"lists 1 releases, the proposal carries 0", func(p *Proposal) {
			p.Base.Documents = []Document{}
		}},
		"another document": {"document releases/phone/41.json", func(p *Proposal) { p.Base.Documents[0].Body = string(w.release(41, collecting)) }},
		"a version jumped": {"must follow", func(p *Proposal) {
			p.Roles[0].Signed = strings.Replace(p.Roles[0].Signed, `"version":3`, `"version":4`, 1)
		}},
	} {
		p := w.again(w.propose(s, w.release(42)))
		p.Base.Roots = append(p.Base.Roots, w.state(renewed).rootFiles[1])
		data, err := p.Marshal()
		w.must(err)
		if _, err := Parse(data); err != nil {
			t.Fatalf("%s: before: %v", name, err)
		}
		c.edit(p)
		data, err = p.Marshal()
		w.must(err)
		_, err = Parse(data)
		expectRefusal(t, name, err, c.why)
	}
}

// foreignRoot is version 2 of another system: in order, but signed by others.
func foreignRoot(w *world) string {
	p, err := RenewTop(w.ready(), "root", w.now)
	w.must(err)
	return w.state(w.sign(p, ImageNone, "alice", "bob")).rootFiles[1]
}

func TestOneSignatureCountsOnce(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.initProposal(), ImageNone, "alice")
	p.Roles[0].Signatures = append(p.Roles[0].Signatures, p.Roles[0].Signatures[0])
	data, err := p.Marshal()
	w.must(err)
	_, err = Parse(data)
	expectRefusal(t, "repeated signature", err, "signed twice")
}

func TestStatementUnderAnotherNameRefused(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.initProposal(), ImageNone, "alice")
	s := p.Statements[0]
	s.Holder = "Bob Okafor"
	said, err := s.Bytes()
	w.must(err)
	sig, err := w.unlock("alice").Sign(t.Context(), said)
	w.must(err)
	s.Sig = hex.EncodeToString(sig)
	p.Statements[0] = s
	data, err := p.Marshal()
	w.must(err)
	_, err = Parse(data)
	expectRefusal(t, "statement", err, "the key is Alice Chen's")
}
