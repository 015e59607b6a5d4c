package ceremony

import (
	"context"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/signer/keyring"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// offer publishes a rollouts document about build 41.
func (w *world) offer(change func(*rollout.Rollout)) {
	w.t.Helper()
	doc := w.release(41)
	r := rollout.Rollout{
		ID: "r1", Build: 41, Channel: "stable", State: rollout.Active, Share: 10_000, Kind: manifests.KindNormal,
		Release: rollout.Reference{Path: layout.ReleasePath(phone, 41), Length: int64(len(doc)), SHA256: manifests.SumSHA256(doc)},
	}
	change(&r)
	d := rollout.Document{Spec: rollout.Spec, Product: phone, Counter: 1, Rollouts: []rollout.Rollout{r}}
	data, err := d.Canonical()
	w.must(err)
	path := layout.RolloutsPath(phone)
	w.files[layout.TargetFile(path, manifests.SumSHA256(data))] = data
	m := metadata.Targets(w.now.AddDate(0, 0, 7))
	m.Signed.Version = 2
	m.Signed.Targets[path], err = metadata.TargetFile().FromBytes(path, data, "sha256")
	w.must(err)
	signer, err := signature.LoadED25519Signer(w.online["rollouts"])
	w.must(err)
	_, err = m.Sign(signer)
	w.must(err)
	file, err := m.ToBytes(false)
	w.must(err)
	w.files[layout.MetadataFile("rollouts", 2)], w.meta["rollouts.json"] = file, metaFile(2, file)
	w.stamp()
}

func (w *world) verify(anchor keyring.Anchor, blobs bool) *Report {
	w.t.Helper()
	src, err := Dir(w.tree())
	w.must(err)
	return Verify(context.Background(), src, anchor, VerifyOptions{Now: w.now, Blobs: blobs})
}

func TestVerifySaysWhatHolds(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.offer(func(*rollout.Rollout) {})
	w.files[layout.BlobFile(manifests.SumSHA256([]byte("blob")))] = []byte("blob")
	r := w.verify(anchor, true)
	if !r.Holds || len(r.Findings) != 8 {
		t.Fatalf("%+v", r)
	}
}

func TestVerifyNamesWhatDoesNotHold(t *testing.T) {
	blob := layout.BlobFile(manifests.SumSHA256([]byte("blob")))
	for want, spoil := range map[string]func(w *world){
		"another length or hash": func(w *world) {
			w.offer(func(r *rollout.Rollout) { r.Release.SHA256 = manifests.SumSHA256(nil) })
		},
		"do not sign": func(w *world) {
			w.offer(func(r *rollout.Rollout) { r.Build, r.Release.Path = 40, layout.ReleasePath(phone, 40) })
		},
		"not the 4 that were signed": func(w *world) { w.files[blob] = []byte("blub") },
		"blob":                       func(w *world) { delete(w.files, blob) },
		"has to be signed again":     func(w *world) { w.now = w.now.Add(ReleasesLife + 1); w.stamp() },
		"snapshot":                   func(w *world) { delete(w.files, layout.MetadataFile("snapshot", 3)) },
	} {
		w := newWorld(t)
		anchor := w.published()
		w.files[blob] = []byte("blob")
		spoil(w)
		r := w.verify(anchor, true)
		text := ""
		for _, f := range r.Findings {
			if !f.Holds {
				text += f.Subject + ": " + f.Words + "\n"
			}
		}
		if r.Holds || !strings.Contains(text, want) {
			t.Errorf("expected %q in:\n%s", want, text)
		}
	}
}

func TestWithdrawnBuildMayHaveATombstone(t *testing.T) {
	w := newWorld(t)
	anchor := w.published()
	w.offer(func(r *rollout.Rollout) {
		r.Build, r.Release.Path, r.State = 40, layout.ReleasePath(phone, 40), rollout.Halted
	})
	if r := w.verify(anchor, false); !r.Holds {
		t.Errorf("%+v", r)
	}
}

func TestShowKnowsEveryKindOfFile(t *testing.T) {
	w := newWorld(t)
	w.published()
	w.offer(func(*rollout.Rollout) {})
	files := map[string][]byte{"release": w.release(41)}
	for name, data := range w.files {
		files[name] = data
	}
	data, err := w.initProposal().Marshal()
	w.must(err)
	files["proposal"] = data
	if files["key"], err = w.public["alice"].Marshal(); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		s, err := Show(data, w.now)
		if err != nil || len(s.Lines) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "<html>", "{}", `{"signed":{"_type":"mirrors"}}`, `{"signed":[]}`, `{"format":"x"}`} {
		if _, err := Show([]byte(bad), w.now); err == nil {
			t.Errorf("%q: shown", bad)
		}
	}
}
