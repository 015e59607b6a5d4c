package release_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/patch"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

const phone = releasetest.Phone

var ctx = context.Background()

type noRollouts struct{}

func (noRollouts) Rollouts(context.Context, manifests.Product, map[manifests.Build]rollout.Reference) ([]rollout.Rollout, error) {
	return nil, nil
}

type world struct {
	*releasetest.Makers
	t      *testing.T
	ledger *sqlite.Ledger
	blobs  *disk.Blobs
	tree   *publish.Publisher
	intake *release.Intake
	master vote.Master
	opened []vote.Ref
	spare  []vote.Ref
	dir    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), master: vote.Master{1}}
	keys, err := publish.CreateKeys(w.dir)
	w.must(err)
	w.Makers = releasetest.New(t, keys)
	now := func() time.Time { return w.Now }
	w.must(disk.Create(filepath.Join(w.dir, "tree")))
	w.blobs, err = disk.Open(filepath.Join(w.dir, "tree"))
	w.must(err)
	w.ledger = sqlitetest.NewLedger(t, filepath.Join(w.dir, "ledger.db"))
	t.Cleanup(func() {
		if err := errors.Join(w.ledger.Close(), w.blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	w.tree, err = publish.Open(ctx, publish.Options{
		Ledger: w.ledger, Blobs: w.blobs, Keys: keys, Rollouts: noRollouts{}, Now: now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	w.must(err)
	w.intake, err = release.New(release.Options{
		Ledger: w.ledger, Blobs: w.blobs, Tree: w.tree, Keys: keys, Master: w.master, Now: now,
		OpenVotes: func(_ context.Context, r vote.Ref) error { w.opened = append(w.opened, r); return nil },
		UseSpare:  func(_ context.Context, r vote.Ref, _ store.Entry) error { w.spare = append(w.spare, r); return nil },
	})
	w.must(err)
	w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(manifests.SumSHA256(releasetest.Blob)), releasetest.Blob))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) submit(s publish.Submission) error {
	_, err := w.intake.Submit(ctx, "test", s, func(manifests.Product) error { return nil })
	return err
}

// ready has root, targets, an empty product and, with builds, releases.
func ready(t *testing.T, builds ...manifests.Build) *world {
	t.Helper()
	w := newWorld(t)
	w.must(w.submit(w.Init()))
	w.must(w.submit(w.Product(phone)))
	for _, b := range builds {
		w.must(w.submit(w.Add(w.Release(b))))
	}
	return w
}

func collecting(r *manifests.Release) {
	r.Privacy.Collects = []manifests.Collection{{Data: "contacts", Purpose: manifests.Text{"en": "Messaging."}, Default: manifests.Off, Stored: manifests.StoredNone}}
}

// TestWhatDoesNotHoldIsRefused submits one thing that is wrong; nothing of it
// may be published or stored, and the refusal names what and why.
func TestWhatDoesNotHoldIsRefused(t *testing.T) {
	cases := map[string]struct {
		make  func(w *world) publish.Submission
		field string
		word  string
	}{
		"too few signatures": {func(w *world) publish.Submission { w.Signers = 1; return w.Add(w.Release(43)) }, "3.releases-phone", "not enough signatures"},
		"wrong keys": {func(w *world) publish.Submission {
			w.Engineers = w.People[:2]
			return w.Add(w.Release(43))
		}, "releases-phone", "not enough signatures"},
		"one key twice": {func(w *world) publish.Submission {
			w.Engineers[1] = w.Engineers[0]
			return w.Add(w.Release(43))
		}, "releases-phone", "multiple signatures"},
		"expired": {func(w *world) publish.Submission {
			return w.NextReleases(phone, func(s *metadata.TargetsType) { s.Expires = w.Now })
		}, "releases-phone", "expired"},
		"next word after expiry": {func(w *world) publish.Submission {
			return w.NextReleases(phone, func(s *metadata.TargetsType) { s.Expires = w.Now.AddDate(0, 1, 0) })
		}, "releases-phone", "x-next-by"},
		"no next word": {func(w *world) publish.Submission {
			return w.NextReleases(phone, func(s *metadata.TargetsType) { s.UnrecognizedFields = nil })
		}, "releases-phone", "x-next-by"},
		"document missing": {func(w *world) publish.Submission {
			s := w.Add(w.Release(43))
			s.Targets = nil
			return s
		}, "releases/phone/43.json", "missing"},
		"other document": {func(w *world) publish.Submission {
			s := w.Add(w.Release(43))
			s.Targets["releases/phone/43.json"] = w.Release(43, func(r *manifests.Release) { r.Version = "x" })
			return s
		}, "releases/phone/43.json", "are not the"},
		"wrong length": {func(w *world) publish.Submission {
			s := w.Add(w.Release(43))
			s = releasetest.Join(s, w.NextReleases(phone, func(s *metadata.TargetsType) { s.Targets["releases/phone/43.json"].Length++ }))
			delete(s.Metadata, "3.releases-phone.json")
			return s
		}, "releases/phone/43.json", "are not the"},
		"document that nobody names": {func(w *world) publish.Submission {
			s := w.NextReleases(phone)
			s.Targets = map[string][]byte{"releases/phone/44.json": w.Release(44)}
			return s
		}, "releases/phone/44.json", "named by no role"},
		"document at another path": {func(w *world) publish.Submission {
			doc := w.Release(44)
			hash := manifests.SumSHA256(doc)
			s := w.NextReleases(phone, func(s *metadata.TargetsType) {
				s.Targets["releases/phone/43.json"] = &metadata.TargetFiles{Length: int64(len(doc)), Hashes: metadata.Hashes{"sha256": hash[:]}}
			})
			s.Targets = map[string][]byte{"releases/phone/43.json": doc}
			return s
		}, "releases/phone/43.json", "build 44"},
		"another product's path": {func(w *world) publish.Submission {
			return w.NextReleases(phone, func(s *metadata.TargetsType) {
				s.Targets["releases/watch/1.json"] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
			})
		}, "releases-phone", "not a release of phone"},
		"build goes back":              {func(w *world) publish.Submission { return w.Add(w.Release(41)) }, "releases/phone/41.json", "does not rise"},
		"label widens without consent": {func(w *world) publish.Submission { return w.Add(w.Release(43, collecting)) }, "releases/phone/43.json", "privacy.change"},
		"vote keys of another server": {func(w *world) publish.Submission {
			other, spare, err := vote.Master{2}.Rules(vote.Ref{Product: phone, Build: 43})
			w.must(err)
			return w.Add(w.Release(43, func(r *manifests.Release) { r.Votes.Primary, r.Votes.Spare = &other, &spare }))
		}, "releases/phone/43.json", "vote keys"},
		"build changes its bytes": {func(w *world) publish.Submission {
			return w.Add(w.Release(42, func(r *manifests.Release) { r.Version = "other" }))
		}, "releases-phone", "never changes"},
		"targets lists a file": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) {
				s.Targets["a"] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha256": make([]byte, 32)}}
			})
		}, "targets", "only delegate"},
		"delegation dropped": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) { s.Delegations.Roles = s.Delegations.Roles[:1] })
		}, "targets", "never leaves"},
		"delegation not terminating": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) { s.Delegations.Roles[1].Terminating = false })
		}, "targets", "terminating"},
		"delegation of foreign paths": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) { s.Delegations.Roles[1].Paths = []string{"releases/*/*.json"} })
		}, "targets", "alone"},
		"one person is enough": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) { s.Delegations.Roles[1].Threshold = 1 })
		}, "targets", "threshold 1"},
		"rollouts by another key": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) {
				s.Delegations.Keys[w.People[0].ID] = w.People[0].Key
				s.Delegations.Roles[0].KeyIDs = []string{w.People[0].ID}
			})
		}, "targets", "this server's key"},
		"product without metadata": {func(w *world) publish.Submission {
			s := w.Product("watch")
			delete(s.Metadata, "1.releases-watch.json")
			return s
		}, "releases-watch", "missing"},
		"root without the old root's word": {func(w *world) publish.Submission {
			w.People = append(w.People[2:], releasetest.New(w.t, mustKeys(w.t)).People...)
			return w.Root()
		}, "2.root.json", "not enough signatures"},
		"root that skips": {func(w *world) publish.Submission { w.RootVersion++; return w.Root() }, "3.root.json", "next root is version 2"},
		"root with another timestamp key": {func(w *world) publish.Submission {
			return w.Root(func(r *metadata.RootType) {
				r.Keys[w.Engineers[0].ID] = w.Engineers[0].Key
				r.Roles[metadata.TIMESTAMP].KeyIDs = []string{w.Engineers[0].ID}
			})
		}, "2.root.json", "this server's key"},
		"root for years": {func(w *world) publish.Submission {
			return w.Root(func(r *metadata.RootType) { r.Expires = w.Now.AddDate(3, 0, 0) })
		}, "2.root.json", "at most 365 days"},
		"targets for years": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) { s.Expires = w.Now.AddDate(3, 0, 0) })
		}, "targets", "at most 365 days"},
		"releases for a year": {func(w *world) publish.Submission {
			return w.NextReleases(phone, func(s *metadata.TargetsType) { s.Expires = w.Now.AddDate(1, 0, 0) })
		}, "releases-phone", "at most 120 days"},
		"root that names nobody": {func(w *world) publish.Submission {
			return w.Root(func(r *metadata.RootType) { r.Roles["root"].UnrecognizedFields = nil })
		}, "2.root.json", "x-holders"},
		"one person twice": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) {
				holders := s.Delegations.Roles[1].UnrecognizedFields[layout.FieldHolders].(map[string]any)
				for id := range holders {
					holders[id] = "Dora"
				}
			})
		}, "targets", "holds two keys"},
		"engineer who is a root holder": {func(w *world) publish.Submission {
			return w.NextTargets(func(s *metadata.TargetsType) {
				r, p := &s.Delegations.Roles[1], w.People[0]
				s.Delegations.Keys[p.ID], r.KeyIDs[0] = p.Key, p.ID
			})
		}, "targets", "root or targets"},
		"repeated field": {func(w *world) publish.Submission {
			s := w.NextReleases(phone)
			name := "3.releases-phone.json"
			s.Metadata[name] = []byte(strings.Replace(string(s.Metadata[name]), `"signed":{`, `"signed":{"version":9,`, 1))
			return s
		}, "releases-phone", ""},
		"null where the library panics": {func(w *world) publish.Submission {
			return publish.Submission{Metadata: map[string][]byte{"3.releases-phone.json": []byte(`{"signatures":[],"signed":null}`)}}
		}, "releases-phone", ""},
		"another name": {func(*world) publish.Submission {
			return publish.Submission{Metadata: map[string][]byte{"9.snapshot.json": []byte("{}")}}
		}, "9.snapshot.json", "VERSION"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := ready(t, 42)
			s := c.make(w)
			before := string(w.tree.Tree().File(layout.TimestampFile).Body)
			var refused *release.Refusal
			if err := w.submit(s); !errors.As(err, &refused) || !strings.Contains(refused.Field, c.field) || !strings.Contains(refused.Reason, c.word) {
				t.Fatalf("got %v", err)
			}
			if string(w.tree.Tree().File(layout.TimestampFile).Body) != before {
				t.Error("something was published")
			}
			for name := range s.Metadata {
				if _, err := w.blobs.Stat(ctx, "metadata/"+name); err == nil {
					t.Errorf("%s was stored", name)
				}
			}
		})
	}
}

func mustKeys(t *testing.T) publish.Keys {
	t.Helper()
	k, err := publish.CreateKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestFirstRootMustTrustThisServer(t *testing.T) {
	w := newWorld(t)
	stranger := releasetest.New(t, mustKeys(t))
	var refused *release.Refusal
	if err := w.submit(stranger.Init()); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "this server's key") {
		t.Errorf("got %v", err)
	}
	w.Signers = 1
	if err := w.submit(w.Init()); !errors.As(err, &refused) {
		t.Errorf("a root of one signature: %v", err)
	}
}

func TestSecondFirstRootRefused(t *testing.T) {
	w := ready(t)
	w.RootVersion = 0
	later := func(r *metadata.RootType) { r.Expires = r.Expires.Add(time.Hour) }
	var refused *release.Refusal
	if err := w.submit(w.Root(later)); !errors.As(err, &refused) || refused.Field != "1.root.json" {
		t.Errorf("got %v", err)
	}
}

func TestRootIsRotatedByOldAndNew(t *testing.T) {
	w := ready(t)
	w.must(w.submit(w.Root()))
	if w.tree.Tree().File(layout.MetadataFile("root", 2)) == nil {
		t.Error("root 2 is not published")
	}
}

func TestReplayRefusedAndRepeatIsTheSame(t *testing.T) {
	w := ready(t)
	first := w.Add(w.Release(42))
	w.must(w.submit(first))
	snapshot := w.tree.Tree().Snapshot
	w.must(w.submit(first))
	if w.tree.Tree().Snapshot != snapshot {
		t.Error("the same submission published twice")
	}
	w.must(w.submit(w.NextReleases(phone)))
	var refused *release.Refusal
	if err := w.submit(first); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "does not rise") {
		t.Errorf("replay: %v", err)
	}
}

func TestReleaseWaitsForItsBlobs(t *testing.T) {
	w := ready(t)
	key := layout.BlobFile(manifests.SumSHA256(releasetest.Blob))
	w.must(w.blobs.Delete(ctx, key))
	s := w.Add(w.Release(42))
	var missing *release.MissingBlob
	if err := w.submit(s); !errors.As(err, &missing) || missing.Blob.Size != int64(len(releasetest.Blob)) {
		t.Fatalf("got %v", err)
	}
	w.must(store.PutBytes(ctx, w.blobs, key, releasetest.Blob))
	w.must(w.submit(s))
}

// What a release says about its own making is published with it, or not at all.
func TestReleaseWaitsForProvenanceAndSBOM(t *testing.T) {
	w := ready(t)
	statement, sbom := []byte("a statement"), []byte("a list of what is inside")
	s := w.Add(w.Release(42, func(r *manifests.Release) {
		r.Provenance = &manifests.Blob{SHA256: manifests.SumSHA256(statement), Size: int64(len(statement))}
		r.SBOM = &manifests.SBOM{Format: manifests.SPDX, SHA256: manifests.SumSHA256(sbom), Size: int64(len(sbom))}
	}))
	for _, data := range [][]byte{statement, sbom} {
		var missing *release.MissingBlob
		if err := w.submit(s); !errors.As(err, &missing) || missing.Blob.SHA256 != manifests.SumSHA256(data) {
			t.Fatalf("got %v", err)
		}
		w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(manifests.SumSHA256(data)), data))
	}
	w.must(w.submit(s))
}

// A release with patches is taken once their tables and bodies are there; the
// body's name stands in the table alone.
func TestReleaseWaitsForItsPatches(t *testing.T) {
	w := ready(t)
	body := []byte("patched!")
	image := manifests.Image{Size: 8, SHA256: manifests.SumSHA256([]byte(manifests.Build(42).String()))}
	var out bytes.Buffer
	table, err := patch.Build(ctx, patch.Options{
		Old: strings.NewReader("original"), OldSize: 8, New: bytes.NewReader(body), NewSize: 8, Body: &out,
	})
	w.must(err)
	table.SHA256 = image.SHA256
	file, err := table.MarshalBinary()
	w.must(err)
	signed := manifests.Patch{
		FromSHA256: table.FromSHA256, BodySize: table.BodySize,
		Table: manifests.Blob{SHA256: manifests.SumSHA256(file), Size: int64(len(file))},
	}
	s := w.Add(w.Release(42, func(r *manifests.Release) { r.Images[0].Patches = []manifests.Patch{signed} }))
	for _, blob := range [][]byte{file, out.Bytes()} {
		var missing *release.MissingBlob
		if err := w.submit(s); !errors.As(err, &missing) || missing.Blob.SHA256 != manifests.SumSHA256(blob) {
			t.Fatalf("got %v", err)
		}
		w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(manifests.SumSHA256(blob)), blob))
	}
	w.must(w.submit(s))
}

func TestPatchThatIsNotWhatWasSignedIsRefused(t *testing.T) {
	var body bytes.Buffer
	table, err := patch.Build(ctx, patch.Options{
		Old: strings.NewReader("original"), OldSize: 8, New: strings.NewReader("patched!"), NewSize: 8, Body: &body,
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := table.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		file []byte
		size int64
	}{
		"new image":                  {file, table.BodySize},
		"not a patch table":          {bytes.Repeat([]byte("x"), 200), 8},
		"has 4456585 bytes; at most": {make([]byte, patch.MaxTableBytes+1), 8},
		"patch table: header: 3 by":  {[]byte("abc"), 8},
	} {
		w := ready(t)
		sum := manifests.SumSHA256(c.file)
		w.must(store.PutBytes(ctx, w.blobs, layout.BlobFile(sum), c.file))
		s := w.Add(w.Release(42, func(r *manifests.Release) {
			r.Images[0].Patches = []manifests.Patch{{
				FromSHA256: table.FromSHA256, BodySize: c.size, Table: manifests.Blob{SHA256: sum, Size: int64(len(c.file))},
			}}
		}))
		var refused *release.Refusal
		if err := w.submit(s); !errors.As(err, &refused) || !strings.Contains(refused.Reason, want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestConsentCannotBeSkippedBySkippingABuild(t *testing.T) {
	w := ready(t, 41)
	w.must(w.submit(w.Add(w.Release(42, collecting, func(r *manifests.Release) {
		r.Privacy.Change = manifests.Text{"en": "Messaging is new."}
		r.Consent = manifests.Consent{Required: true, Notice: manifests.Text{"en": "May it?"}}
	}))))
	var refused *release.Refusal
	if err := w.submit(w.Add(w.Release(43, collecting))); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "build 41") {
		t.Errorf("got %v", err)
	}
}

func TestWithdrawnBuildNeverComesBack(t *testing.T) {
	w := ready(t, 42)
	w.must(w.submit(w.Withdraw(phone, 42)))
	r, err := w.ledger.Release(ctx, vote.Ref{Product: phone, Build: 42})
	if err != nil || r.State != store.ReleaseWithdrawn {
		t.Fatalf("%+v, %v", r, err)
	}
	var refused *release.Refusal
	if err := w.submit(w.Add(w.Release(42))); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "withdrawn") {
		t.Errorf("got %v", err)
	}
}

func TestLedgerFollowsTheTree(t *testing.T) {
	w := newWorld(t)
	w.must(w.submit(w.Init()))
	w.must(w.submit(w.Product(phone)))
	primary, spare, err := w.master.Rules(vote.Ref{Product: phone, Build: 42})
	w.must(err)
	w.must(w.submit(w.Add(w.Release(42, func(r *manifests.Release) { r.Votes.Primary, r.Votes.Spare = &primary, &spare }))))
	w.must(w.intake.Reconcile(ctx, "test"))
	if len(w.opened) != 1 {
		t.Errorf("votes opened %d times", len(w.opened))
	}
	if r, err := w.ledger.Release(ctx, vote.Ref{Product: phone, Build: 42}); err != nil || r.State != store.ReleasePublished {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTokenOfAnotherProductRefused(t *testing.T) {
	w := ready(t)
	denied := errors.New("denied")
	_, err := w.intake.Submit(ctx, "test", w.Add(w.Release(42)), func(p manifests.Product) error {
		if p == phone {
			return denied
		}
		return nil
	})
	if !errors.Is(err, denied) {
		t.Errorf("got %v", err)
	}
}
