package carry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
)

// house is a whole service that backups are made of, and restored as.
type house struct {
	t      *testing.T
	makers *releasetest.Makers
	keys   publish.Keys
	reader *releasetest.Reader // a handset: it keeps what it has seen
	now    time.Time
	ledger ledger
	blobs  *disk.Blobs
	api    *api.API
}

var li = rollout.Person{ID: "li", Name: "Li"}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: releasetest.Start}
	keys, err := publish.CreateKeys(t.TempDir())
	must(t, err)
	h.keys, h.makers = keys, releasetest.New(t, keys)
	h.ledger, h.blobs = newSQLite(t), newDisk(t)
	h.reader = &releasetest.Reader{Now: func() time.Time { return h.now }}
	must(t, store.PutBytes(t.Context(), h.blobs, layout.BlobFile(manifests.SumSHA256(releasetest.Blob)), releasetest.Blob))
	h.serve()
	h.submit(h.makers.Init())
	h.submit(h.makers.Product(releasetest.Phone))
	h.submit(h.makers.Add(h.makers.Release(42)))
	return h
}

// serve starts a server on what is there, as after a restart.
func (h *house) serve() {
	h.t.Helper()
	a, err := api.Assemble(h.t.Context(), api.Parts{
		Ledger: h.ledger, Blobs: h.blobs, Keys: h.keys, Master: vote.Master{1}, UploadDir: h.t.TempDir(),
		Now: func() time.Time { return h.now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), ApprovalShare: manifests.WholeFleet,
	})
	must(h.t, err)
	h.api, h.reader.Blobs = a, h.blobs
	h.t.Cleanup(func() { must(h.t, a.Close()) })
}

func (h *house) submit(s publish.Submission) {
	h.t.Helper()
	_, err := h.api.Intake.Submit(h.t.Context(), "li", s, func(manifests.Product) error { return nil })
	must(h.t, err)
}

func (h *house) rollout(build manifests.Build) manifests.Name {
	h.t.Helper()
	r, err := h.api.Rollouts.Create(h.t.Context(), li, &policy.Plan{
		Product: releasetest.Phone, Build: build, Channel: "stable", Kind: manifests.KindNormal, Stages: []policy.Stage{{Share: 1000}},
	})
	must(h.t, err)
	h.change(r.ID, rollout.Start)
	return r.ID
}

func (h *house) change(id manifests.Name, a rollout.Action) {
	h.t.Helper()
	h.now = h.now.Add(time.Minute)
	_, err := h.api.Rollouts.Change(h.t.Context(), rollout.Change{ID: id, Action: a, By: li, Reason: "because"})
	must(h.t, err)
}

func (h *house) state(id manifests.Name) policy.State {
	h.t.Helper()
	r, err := h.api.Rollouts.Get(h.t.Context(), id)
	must(h.t, err)
	return r.State
}

func (h *house) read() *policy.Document {
	h.t.Helper()
	doc, _, err := h.reader.Read(h.t, releasetest.Phone)
	if err != nil {
		h.t.Fatalf("a handset that has seen it all before: %v", err)
	}
	return doc
}

func (h *house) backup(images bool) *bytes.Reader {
	h.t.Helper()
	s := carry.Source{Ledger: h.ledger, Blobs: h.blobs, Now: func() time.Time { return h.now }}
	if images {
		s.Images = h.blobs
	}
	var b bytes.Buffer
	_, err := carry.Backup(h.t.Context(), s, &b)
	must(h.t, err)
	return bytes.NewReader(b.Bytes())
}

func (h *house) target() carry.Target {
	return carry.Target{Ledger: h.ledger, Blobs: h.blobs, Keys: h.keys, Now: h.now, Who: "li"}
}

func (h *house) restore(from io.ReadSeeker) carry.Restored {
	h.t.Helper()
	done, err := carry.Restore(h.t.Context(), from, h.target())
	must(h.t, err)
	return done
}

func TestRestoredLedgerGoesOnWhereTheTreeIs(t *testing.T) {
	h := newHouse(t)
	id, other := h.rollout(42), manifests.Name("")
	file := h.backup(false)
	h.change(id, rollout.Halt)
	h.submit(h.makers.Add(h.makers.Release(43)))
	other = h.rollout(43)
	seen := h.read()
	snapshot := h.api.Tree.Tree().Snapshot

	h.ledger = newSQLite(t) // the disk with the ledger is gone; the bucket is not
	done := h.restore(file)
	if !done.Adopted || done.Objects != 0 || len(done.Halted) != 1 || len(done.Held) != 0 {
		t.Errorf("%+v", done)
	}
	if doc := h.read(); doc.Counter != seen.Counter {
		t.Error("a restore publishes")
	}
	h.serve()
	doc := h.read()
	if doc.Counter != seen.Counter+1 || h.api.Tree.Tree().Snapshot <= snapshot {
		t.Errorf("document %d after %d, snapshot %d after %d", doc.Counter, seen.Counter, h.api.Tree.Tree().Snapshot, snapshot)
	}
	if h.state(id) != policy.Halted {
		t.Errorf("what was halted after the backup is %s", h.state(id))
	}
	if _, err := h.api.Rollouts.Get(t.Context(), other); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a rollout from after the backup: %v", err)
	}
	if _, err := h.ledger.Release(t.Context(), vote.Ref{Product: releasetest.Phone, Build: 43}); err != nil {
		t.Errorf("a release from after the backup, which is published: %v", err)
	}
	h.rollout(43)
	h.read()
	must(t, h.ledger.VerifyAudit(t.Context()))
}

func TestRestoreWithoutTheTreeMovesPastWhatHandsetsSaw(t *testing.T) {
	h := newHouse(t)
	id := h.rollout(42)
	file := h.backup(true)
	for _, a := range []rollout.Action{rollout.Pause, rollout.Resume, rollout.Pause, rollout.Resume} {
		h.change(id, a)
	}
	seen := h.read()

	h.ledger, h.blobs = newSQLite(t), newDisk(t) // all is gone
	done := h.restore(file)
	if done.Adopted || done.Objects < 5 || len(done.Held) != 1 || len(done.Missing) != 0 {
		t.Errorf("%+v", done)
	}
	h.serve()
	if doc := h.read(); doc.Counter <= seen.Counter || len(doc.Rollouts) != 1 || doc.Rollouts[0].State != policy.Held {
		t.Errorf("document %d after %d: %+v", doc.Counter, seen.Counter, doc.Rollouts)
	}
	h.change(id, rollout.Resume)
	first := h.read().Counter
	h.change(id, rollout.Halt)
	if next := h.read().Counter; next != first+1 {
		t.Errorf("documents %d and %d: the jump is made once", first, next)
	}
	blob, _, err := h.blobs.Open(t.Context(), layout.BlobFile(manifests.SumSHA256(releasetest.Blob)))
	must(t, err)
	must(t, blob.Close())
}

func TestRestoreSaysWhichImagesAreMissing(t *testing.T) {
	h := newHouse(t)
	file := h.backup(false)
	h.ledger, h.blobs = newSQLite(t), newDisk(t)
	if done := h.restore(file); len(done.Missing) != 1 || !strings.HasPrefix(done.Missing[0], "blobs/") {
		t.Errorf("%+v", done)
	}
}

func TestRestoreBringsNobodyBack(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	leaves, stays := vote.DeviceKey{1, 2, 3, 4, 5, 6, 7, 8}, vote.DeviceKey{8, 7, 6, 5, 4, 3, 2, 1}
	ref, late := vote.Ref{Product: releasetest.Phone, Build: 42}, vote.Ref{Product: releasetest.Phone, Build: 43}
	h.submit(h.makers.Add(h.makers.Release(43)))
	must(t, h.ledger.AddBatch(ctx, store.Batch{Name: "b1", CA: "pem", DailyCap: 5, Created: h.now}, line))
	for _, k := range []vote.DeviceKey{leaves, stays} {
		must(t, h.ledger.Enrol(ctx, store.Enrolment{DeviceKey: k, Batch: "b1", Day: 1}, 5))
	}
	secret := [32]byte{9, 9, 9, 9, 9, 9, 9, 9, 9}
	tag := store.Tag{7, 7, 7, 7, 7, 7, 7, 7}
	spent := vote.Nullifier{6, 6, 6, 6, 6, 6, 6, 6}
	for _, r := range []vote.Ref{ref, late} {
		must(t, h.ledger.OpenVotes(ctx, store.VoteRelease{Ref: r, Secret: secret, Opened: h.now}))
	}
	must(t, h.ledger.SwitchVotes(ctx, late, vote.Spare, line))
	must(t, h.ledger.RecordIssue(ctx, store.Issue{Ref: ref, Set: vote.Primary, Class: vote.Attempt, Batch: "b1", Tag: tag}))
	ballot := store.Ballot{Ref: ref, Set: vote.Primary, Class: vote.Attempt, Cell: 1, Nullifier: spent, Hour: 5}
	must(t, h.ledger.CastVote(ctx, ballot))
	must(t, h.ledger.AddToken(ctx, store.Token{ID: "t", Name: "ci", Owner: "local:ci", Role: "admin", Created: h.now}, line))
	must(t, h.ledger.AddSession(ctx, store.Session{ID: "s", Person: "p", Issuer: "i", Created: h.now, Seen: h.now, Expires: h.now.Add(time.Hour)}, line))
	file := h.backup(true)
	raw, err := io.ReadAll(file)
	must(t, err)
	for what, never := range map[string][]byte{"device key": leaves[:8], "another": stays[:8], "secret of tags": secret[:8], "tag": tag[:8], "nullifier": spent[:8]} {
		if bytes.Contains(raw, never) {
			t.Errorf("the backup holds a %s", what)
		}
	}
	after := ballot
	after.Nullifier = vote.Nullifier{5}
	must(t, h.ledger.CastVote(ctx, after))
	must(t, h.ledger.Withdraw(ctx, leaves))

	h.ledger = newSQLite(t)
	done := h.restore(bytes.NewReader(raw))
	h.serve()
	for _, k := range []vote.DeviceKey{leaves, stays} {
		if _, err := h.ledger.Enrolment(ctx, k); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an enrolment came back: %v", err)
		}
	}
	must(t, h.ledger.Enrol(ctx, store.Enrolment{DeviceKey: stays, Batch: "b1", Day: 2}, 5))
	for _, b := range []store.Ballot{ballot, after} {
		if err := h.ledger.CastVote(ctx, b); !errors.Is(err, store.ErrRetired) {
			t.Errorf("a vote that was counted counts again: %v", err)
		}
	}
	v, err := h.ledger.VoteRelease(ctx, ref)
	if err != nil || v.Active != vote.Spare || v.Secret == secret || v.Secret == [32]byte{} {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := h.ledger.VoteRelease(ctx, late); err != nil || v.Closed.IsZero() {
		t.Errorf("a release without unused keys takes votes: %+v, %v", v, err)
	}
	tokens, err := h.ledger.Tokens(ctx)
	must(t, err)
	for _, k := range tokens {
		if k.Revoked.IsZero() {
			t.Errorf("token %s works, which may have been revoked since", k.Name)
		}
	}
	sessions, err := h.ledger.SessionList(ctx, store.SessionQuery{})
	if err != nil || len(sessions) > 0 {
		t.Errorf("sessions came back: %v, %v", sessions, err)
	}
	if len(done.Spare) != 1 || len(done.Closed) != 1 || done.Revoked != 1 {
		t.Errorf("%+v", done)
	}
	list, err := h.ledger.Entries(ctx, store.EntryQuery{After: done.Audit.Seq - 1, Limit: 1})
	if err != nil || len(list) != 1 || list[0].What != "ledger.restore" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSpareKeysThatWereUsedSinceTheBackupAreUsedUp: the published tree knows of
// a switch that the backup does not, and tokens of the spare keys were spent.
func TestSpareKeysThatWereUsedSinceTheBackupAreUsedUp(t *testing.T) {
	h := newHouse(t)
	ref := vote.Ref{Product: releasetest.Phone, Build: 42}
	must(t, h.ledger.OpenVotes(t.Context(), store.VoteRelease{Ref: ref, Opened: h.now}))
	file := h.backup(false)
	h.submit(h.makers.NextReleases(releasetest.Phone, func(s *metadata.TargetsType) {
		s.UnrecognizedFields = layout.WithSpareVotes(s.UnrecognizedFields, []manifests.Build{42})
	}))
	if v, err := h.ledger.VoteRelease(t.Context(), ref); err != nil || v.Active != vote.Spare {
		t.Fatalf("%+v, %v", v, err)
	}
	h.ledger = newSQLite(t)
	done := h.restore(file)
	if v, err := h.ledger.VoteRelease(t.Context(), ref); err != nil || v.Closed.IsZero() || !done.Adopted || len(done.Closed) != 1 || len(done.Spare) != 0 {
		t.Errorf("%+v, %v; %+v", v, err, done)
	}
	h.serve() // and the switch that is signed opens nothing again
	if v, err := h.ledger.VoteRelease(t.Context(), ref); err != nil || v.Closed.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestDamagedBackupWritesNothing(t *testing.T) {
	h := newHouse(t)
	h.rollout(42)
	raw, err := io.ReadAll(h.backup(true))
	must(t, err)
	h.ledger, h.blobs = newSQLite(t), newDisk(t)
	refused := func(what string, data []byte) {
		t.Helper()
		if _, err := carry.Restore(t.Context(), bytes.NewReader(data), h.target()); !errors.Is(err, carry.ErrBackup) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for at := 0; at < len(raw); at += len(raw)/150 + 1 {
		flipped := bytes.Clone(raw)
		flipped[at] ^= 4
		refused("a flipped bit", flipped)
		refused("half a file", raw[:at])
	}
	refused("a file with more behind it", append(bytes.Clone(raw), 0))
	refused("another file", []byte("not a backup"))
	products, err := h.ledger.Products(t.Context())
	if err != nil || len(products) > 0 {
		t.Errorf("%v, %v", products, err)
	}
	for info, err := range h.blobs.List(t.Context(), "") {
		t.Errorf("%s was written, %v", info.Key, err)
	}
	h.restore(bytes.NewReader(raw))
}

func TestRestoreIntoSomethingElseRefused(t *testing.T) {
	h := newHouse(t)
	file := h.backup(true)
	if _, err := carry.Restore(t.Context(), file, h.target()); !errors.Is(err, carry.ErrTaken) {
		t.Errorf("over a ledger: %v", err)
	}
	mine := *h
	h.ledger, h.blobs = newSQLite(t), newHouse(t).blobs
	if _, err := carry.Restore(t.Context(), file, h.target()); !errors.Is(err, publish.ErrOtherTree) {
		t.Errorf("beside another installation's tree: %v", err)
	}
	h.blobs = mine.blobs
	keys, err := publish.CreateKeys(t.TempDir())
	must(t, err)
	wrong := h.target()
	wrong.Keys = keys
	if _, err := carry.Restore(t.Context(), file, wrong); err == nil || !strings.Contains(err.Error(), "is the one that the published root lists") {
		t.Errorf("with other keys: %v", err)
	}
	h.restore(file)
}

func TestRestoreKilledAnywhereIsRunAgain(t *testing.T) {
	h := newHouse(t)
	file := h.backup(true)
	h.ledger, h.blobs = newSQLite(t), newDisk(t)
	for n := range 6 {
		target := h.target()
		target.Blobs = &refusing{h.blobs, n}
		target.Ledger = &dying{h.ledger, 2, false}
		if _, err := carry.Restore(t.Context(), file, target); !errors.Is(err, errKilled) {
			t.Fatalf("%d: %v", n, err)
		}
	}
	h.restore(file)
	h.serve()
	h.read()
}

func TestBackupFileIsWholeOrNotThere(t *testing.T) {
	h := newHouse(t)
	name := filepath.Join(t.TempDir(), "backup")
	s := carry.Source{Ledger: h.ledger, Blobs: h.blobs, Now: func() time.Time { return h.now }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := carry.BackupFile(ctx, s, name); err == nil {
		t.Error("a cancelled backup was made")
	}
	if list, err := os.ReadDir(filepath.Dir(name)); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	saved, err := carry.BackupFile(t.Context(), s, name)
	if err != nil || saved.Objects < 4 || saved.Blobs {
		t.Errorf("%+v, %v", saved, err)
	}
	st, err := os.Stat(name)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if _, err := carry.BackupFile(t.Context(), s, name); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("over another: %v", err)
	}
}

// A backup of damaged files would be found out when it is needed.
func TestDamagedTreeIsNotBackedUp(t *testing.T) {
	h := newHouse(t)
	s := carry.Source{Ledger: h.ledger, Blobs: h.blobs, Now: func() time.Time { return h.now }}
	for _, data := range []string{"", strings.Repeat("x", 10_000)} {
		path := layout.MetadataFile("root", 1)
		must(t, h.blobs.Delete(t.Context(), path))
		if data != "" {
			must(t, store.PutBytes(t.Context(), h.blobs, path, []byte(data)))
		}
		if _, err := carry.Backup(t.Context(), s, io.Discard); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
}
