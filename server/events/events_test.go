package events_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/release/releasetest"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

const phone = releasetest.Phone

var (
	ctx  = context.Background()
	li   = events.Person{ID: "local:li", Name: "Li"}
	wei  = events.Person{ID: "local:wei", Name: "Wei"}
	root = events.Person{ID: "local:root", Name: "Root", Admin: true}
)

func anyRelease(*release.Proposal) error { return nil }
func anyProduct(manifests.Product) error { return nil }

type noRollouts struct{}

func (noRollouts) Rollouts(context.Context, manifests.Product, map[manifests.Build]rollout.Reference) ([]rollout.Rollout, error) {
	return nil, nil
}

// world is a server with a product and three engineers, of whom two sign.
type world struct {
	*releasetest.Makers
	t      *testing.T
	ledger *sqlite.Ledger
	tree   *publish.Publisher
	s      *events.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	dir := t.TempDir()
	keys, err := publish.CreateKeys(dir)
	w.must(err)
	w.Makers = releasetest.New(t, keys)
	w.Engineers = append(w.Engineers, releasetest.New(t, keys).Engineers[0])
	now := func() time.Time { return w.Now }
	w.must(disk.Create(filepath.Join(dir, "tree")))
	blobs, err := disk.Open(filepath.Join(dir, "tree"))
	w.must(err)
	w.ledger = sqlitetest.NewLedger(t, filepath.Join(dir, "ledger.db"))
	t.Cleanup(func() { w.must(errors.Join(w.ledger.Close(), blobs.Close())) })
	w.tree, err = publish.Open(ctx, publish.Options{
		Ledger: w.ledger, Blobs: blobs, Keys: keys, Rollouts: noRollouts{}, Now: now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	w.must(err)
	intake, err := release.New(release.Options{
		Ledger: w.ledger, Blobs: blobs, Tree: w.tree, Keys: keys, Now: now, OpenVotes: func(context.Context, vote.Ref) error { return nil },
	})
	w.must(err)
	w.must(store.PutBytes(ctx, blobs, layout.BlobFile(manifests.SumSHA256(releasetest.Blob)), releasetest.Blob))
	w.s = events.New(events.Options{Ledger: w.ledger, Intake: intake, Now: now})
	for _, s := range []func() publish.Submission{func() publish.Submission { return w.Init() }, func() publish.Submission { return w.Product(phone) }} {
		_, err = intake.Submit(ctx, "test", s(), anyProduct)
		w.must(err)
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) propose(build manifests.Build, edit ...func(*metadata.TargetsType)) *event.Proposal {
	w.t.Helper()
	state, err := w.tree.State(ctx)
	w.must(err)
	return w.Propose(state, w.Release(build), edit...)
}

func bytesOf(t *testing.T, p *event.Proposal) []byte {
	t.Helper()
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *world) open(p *event.Proposal) events.Event {
	w.t.Helper()
	v, opened, err := w.s.Open(ctx, li, bytesOf(w.t, p), anyRelease)
	w.must(err)
	if !opened {
		w.t.Error("it was here before")
	}
	return v
}

// sign brings the signatures of engineers, by their place.
func (w *world) sign(p *event.Proposal, who ...int) events.Event {
	w.t.Helper()
	var v events.Event
	for _, i := range who {
		var err error
		v, err = w.s.Add(ctx, wei, hashOf(w.t, p), []event.Said{w.Says(p, w.Engineers[i], event.ImageRecomputed)})
		w.must(err)
	}
	return v
}

func hashOf(t *testing.T, p *event.Proposal) string {
	t.Helper()
	id, err := p.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func codeOf(err error) string {
	var r *events.Refusal
	var signed *release.Refusal
	switch {
	case errors.As(err, &r):
		return r.Code
	case errors.As(err, &signed):
		return api.CodeNotVerified
	}
	return fmt.Sprint(err)
}

func (w *world) entries() (out []string) {
	w.t.Helper()
	list, err := w.ledger.Entries(ctx, store.EntryQuery{})
	w.must(err)
	for _, e := range list {
		if strings.HasPrefix(e.What, "event.") {
			out = append(out, e.What)
		}
	}
	return out
}

func TestEventIsSignedAndPublishedOnce(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	if v.State != events.Open || v.ID != hashOf(t, p) {
		t.Fatalf("got %+v", v)
	}
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct); codeOf(err) != api.CodeEventIncomplete {
		t.Errorf("published unsigned: %v", err)
	}
	v = w.sign(p, 0)
	again := w.sign(p, 0)
	if again.Version != v.Version || v.State != events.Open {
		t.Errorf("a word that is here changed %+v to %+v", v, again)
	}
	if v = w.sign(p, 2); v.State != events.Complete {
		t.Errorf("got %s", v.State)
	}
	if _, _, err := w.s.Publish(ctx, li, v.ID, v.Version-1, anyProduct); codeOf(err) != api.CodeStale {
		t.Errorf("published past somebody's word: %v", err)
	}
	no := errors.New("no")
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, func(manifests.Product) error { return no }); !errors.Is(err, no) {
		t.Errorf("published without the right: %v", err)
	}
	for range 2 {
		got, done, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct)
		if w.must(err); got.State != events.Published || len(done.Accepted) != 2 {
			t.Errorf("got %s, %v", got.State, done)
		}
	}
	state, err := w.tree.State(ctx)
	if w.must(err); state.Documents["releases/phone/42.json"] == nil {
		t.Error("it is not published")
	}
	data, _, err := w.s.File(ctx, v.ID)
	w.must(err)
	if file, err := event.Parse(data); err != nil || len(file.Statements) != 2 {
		t.Errorf("the file: %v", err)
	}
	if got := strings.Join(w.entries(), " "); got != "event.open event.sign event.sign event.published" {
		t.Errorf("the log says %s", got)
	}
}

func TestWordsOfTheSameInstantAreAllKept(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	var all sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		who := w.Engineers[i%3]
		said := w.Says(p, who, event.ImageRecomputed)
		all.Go(func() { _, errs[i] = w.s.Add(ctx, li, v.ID, []event.Said{said}) })
	}
	all.Wait()
	w.must(errors.Join(errs...))
	v, err := w.s.Get(ctx, v.ID)
	if w.must(err); len(v.Said) != 3 || v.Version != 4 {
		t.Errorf("%d words in version %d", len(v.Said), v.Version)
	}
}

// Two who each say that they built it can not both be right; whoever comes
// second is told so, however close.
func TestSecondBuilderIsRefusedHoweverClose(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		said := w.Says(p, w.Engineers[i], event.ImageBuilder)
		all.Go(func() { _, errs[i] = w.s.Add(ctx, li, v.ID, []event.Said{said}) })
	}
	all.Wait()
	refused := 0
	for _, err := range errs {
		if err != nil && strings.Contains(err.Error(), "signed as the builder") {
			refused++
		}
	}
	if _, _, err := w.s.File(ctx, v.ID); err != nil || refused != 2 {
		t.Errorf("%d refused, %v; %v", refused, errs, err)
	}
}

func TestJunkIsNotKept(t *testing.T) {
	w := newWorld(t)
	signed := func(p *event.Proposal, who int) *event.Proposal {
		return p.With(w.Says(p, w.Engineers[who], event.ImageRecomputed))
	}
	foreign := newWorld(t)
	altered := signed(w.propose(42), 0)
	altered.Documents[0].Body = strings.Replace(altered.Documents[0].Body, "fix", "fox", 1)
	otherBytes := signed(w.propose(42), 0)
	otherBytes.Roles[0].Signatures[0].Sig = signed(w.propose(43), 0).Roles[0].Signatures[0].Sig
	stranger := w.propose(42)
	stranger = stranger.With(w.Says(stranger, w.People[0], event.ImageRecomputed))
	future, late := w.propose(42), w.propose(42, func(s *metadata.TargetsType) { s.Expires = w.Now })
	future.Created = w.Now.AddDate(0, 0, 2).Format(time.RFC3339)
	forever := w.propose(42, func(s *metadata.TargetsType) { s.Expires = w.Now.AddDate(3, 0, 0) })
	for want, data := range map[string][]byte{
		"unexpected end":                 []byte(`{"format`),
		"at most 8388608":                make([]byte, event.MaxProposal+1),
		"another root than the one":      bytesOf(t, foreign.propose(42)),
		"what differs is the release do": bytesOf(t, altered),
		"is not valid":                   bytesOf(t, otherBytes),
		"may not sign this":              bytesOf(t, stranger),
		"comes from the future: it says": bytesOf(t, future),
		"expired on":                     bytesOf(t, late),
		"more than 400 days":             bytesOf(t, forever),
	} {
		_, _, err := w.s.Open(ctx, li, data, anyRelease)
		if err == nil || codeOf(err) != api.CodeNotVerified || !strings.Contains(err.Error(), want) && want[0] != 'u' && want[0] != 'a' {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if list, err := w.s.List(ctx, store.EventQuery{}); err != nil || len(list) != 0 || len(w.entries()) != 0 {
		t.Errorf("kept are %d, %v", len(list), err)
	}
}

func TestOnePersonUnderTwoKeysIsRefused(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	targets, err := metadata.Targets().FromBytes([]byte(p.Base.Targets))
	w.must(err)
	roles := targets.Signed.Delegations.Roles
	roles[len(roles)-1].UnrecognizedFields = map[string]any{layout.FieldHolders: map[string]any{
		w.Engineers[0].ID: "Emil Novak", w.Engineers[1].ID: "emil  NOVAK", w.Engineers[2].ID: "Fay Wong",
	}}
	data, err := targets.ToBytes(false)
	w.must(err)
	p.Base.Targets = string(data)
	if _, _, err := w.s.Open(ctx, li, bytesOf(t, p), anyRelease); err == nil || !strings.Contains(err.Error(), "one person has one key in a role") {
		t.Errorf("got %v", err)
	}
}

func TestEventWhoseBaseMovedSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	first, second := w.propose(42), w.propose(43)
	w.open(first)
	v := w.open(second)
	w.sign(second, 1, 2)
	w.sign(first, 0, 1)
	if _, _, err := w.s.Publish(ctx, li, hashOf(t, first), 0, anyProduct); err != nil {
		t.Fatal(err)
	}
	v, err := w.s.Get(ctx, v.ID)
	if w.must(err); v.State != events.Superseded || v.Event.State != store.EventSuperseded || !strings.Contains(v.State.Sentence(), "event renew") {
		t.Errorf("got %s, recorded %s", v.State, v.Event.State)
	}
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct); codeOf(err) != api.CodeEventSuperseded {
		t.Errorf("published: %v", err)
	}
	if _, err := w.s.Add(ctx, li, v.ID, []event.Said{w.Says(second, w.Engineers[0], event.ImageRecomputed)}); codeOf(err) != api.CodeEventSuperseded {
		t.Errorf("signed: %v", err)
	}
	late := w.propose(44)
	late.Base = second.Base
	if _, _, err := w.s.Open(ctx, li, bytesOf(t, late), anyRelease); codeOf(err) != api.CodeEventSuperseded {
		t.Errorf("opened: %v", err)
	}
	if n, _, err := w.s.Waiting(ctx); err != nil || n != 0 {
		t.Errorf("%d wait, %v", n, err)
	}
}

func TestRejectionsEndAnEventWhenTheOthersAreTooFew(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	no := func(i int) events.Event {
		v, err := w.s.Add(ctx, wei, v.ID, []event.Said{w.Rejects(p, w.Engineers[i], "the notes are wrong")})
		w.must(err)
		return v
	}
	if v := no(0); v.State != events.Open {
		t.Errorf("one of three: %s", v.State)
	}
	if v := w.sign(p, 0); v.State != events.Open || len(v.Said) != 1 {
		t.Errorf("signing takes it back: %+v", v)
	}
	if v := no(1); v.State != events.Open {
		t.Errorf("one of three: %s", v.State)
	}
	if v := no(2); v.State != events.Rejected || v.Event.State != store.EventRejected {
		t.Errorf("two of three: %s", v.State)
	}
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct); codeOf(err) != api.CodeEventClosed {
		t.Errorf("published: %v", err)
	}
	if got := strings.Join(w.entries(), " "); got != "event.open event.reject event.sign event.reject event.reject event.rejected" {
		t.Errorf("the log says %s", got)
	}
}

func TestTokenAloneEndsOnlyItsOwnEvents(t *testing.T) {
	w := newWorld(t)
	for who, want := range map[events.Person]events.State{wei: events.Open, li: events.Rejected, root: events.Rejected} {
		p := w.propose(42)
		p.Created = w.Now.Add(time.Duration(len(who.Name)) * time.Second).Format(time.RFC3339)
		v := w.open(p)
		if _, err := w.s.Remark(ctx, who, v.ID, " ", true); codeOf(err) != api.CodeReasonNeeded {
			t.Errorf("%s: no reason: %v", who.Name, err)
		}
		v, err := w.s.Remark(ctx, who, v.ID, "not this one", true)
		if w.must(err); v.State != want || len(v.Remarks) != 1 || len(v.Said) != 0 {
			t.Errorf("%s: %s, %+v", who.Name, v.State, v.Remarks)
		}
	}
}

// forgets fails to record that something has ended.
type forgets struct{ ledger }

type ledger interface{ store.Events }

func (forgets) MoveEvent(context.Context, string, int64, store.EventState, store.Entry) error {
	return errors.New("power cut")
}

func TestCrashBetweenPublishingAndSayingSoHeals(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	w.sign(p, 0, 1)
	whole := w.s.Ledger
	w.s.Ledger = forgets{whole}
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct); err == nil {
		t.Fatal("the test cuts nothing")
	}
	w.s.Ledger = whole
	if v, err := w.s.Get(ctx, v.ID); err != nil || v.State != events.Published || v.Event.State != store.EventOpen {
		t.Errorf("%s, %v", v.State, err)
	}
	w.must(w.s.Settle(ctx))
	if v, err := w.s.Get(ctx, v.ID); err != nil || v.Event.State != store.EventPublished {
		t.Errorf("%s, %v", v.Event.State, err)
	}
	if _, _, err := w.s.Publish(ctx, li, v.ID, 0, anyProduct); err != nil {
		t.Error(err)
	}
}

// The tree has it, but the server died before the ledger said so.
func TestPublishingAgainRecordsWhatACrashLeftUnrecorded(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	w.sign(p, 0, 1)
	signed, _, err := w.s.File(ctx, v.ID)
	w.must(err)
	whole, err := event.Parse(signed)
	w.must(err)
	files, err := whole.Files()
	w.must(err)
	_, err = w.tree.Submit(ctx, func(publish.State) (publish.Submission, error) {
		return publish.Submission{Metadata: files.Metadata, Targets: files.Targets}, nil
	})
	w.must(err)
	if list, err := w.ledger.Releases(ctx, phone); err != nil || len(list) != 0 {
		t.Fatalf("the test cuts nothing: %v, %v", list, err)
	}
	v, _, err = w.s.Publish(ctx, li, v.ID, 0, anyProduct)
	if w.must(err); v.Event.State != store.EventPublished {
		t.Errorf("it is %s", v.Event.State)
	}
	if list, err := w.ledger.Releases(ctx, phone); err != nil || len(list) != 1 || list[0].Build != 42 {
		t.Errorf("recorded: %v, %v", list, err)
	}
}

func TestProposalThatWasNotSignedInTimeExpires(t *testing.T) {
	w := newWorld(t)
	p := w.propose(42)
	v := w.open(p)
	w.Now = w.Now.AddDate(0, 5, 0)
	if _, err := w.s.Add(ctx, li, v.ID, []event.Said{w.Says(p, w.Engineers[0], event.ImageRecomputed)}); codeOf(err) != api.CodeEventClosed {
		t.Errorf("signed: %v", err)
	}
	w.must(w.s.Settle(ctx))
	if v, err := w.s.Get(ctx, v.ID); err != nil || v.Event.State != store.EventExpired {
		t.Errorf("%s, %v", v.Event.State, err)
	}
}
