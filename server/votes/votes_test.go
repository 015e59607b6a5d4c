package votes_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
	"github.com/candor-ota/candor/server/votes"
)

var (
	ref     = vote.Ref{Product: "phone", Build: 43}
	noon    = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	healthy = vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	rolled  = vote.Vote{V: 1, Outcome: vote.RolledBack, Reason: vote.BootLoop, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	begun   = vote.Vote{V: 1}
)

// world is a service over a real ledger, with one batch and one open release.
type world struct {
	*votes.Service
	ledger *sqlite.Ledger
	ca     votes.KeyPair
	mu     sync.Mutex
	now    time.Time
	first  bool
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) entry(what string) store.Entry {
	return store.Entry{At: w.clock(), Who: "li", What: what}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: noon}
	l := sqlitetest.NewLedger(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { must(t, l.Close()) })
	w.ledger = l
	var err error
	w.Service, err = votes.New(votes.Config{
		Master: vote.Master{1}, Ledger: l, Now: w.clock, Random: rand.Reader,
		FirstStage: func(context.Context, vote.Ref) (bool, error) { return w.first, nil },
		MinKeyAge:  votes.DefaultMinKeyAge, Grace: votes.DefaultGrace, ShowEvery: votes.DefaultShowEvery,
	})
	must(t, err)
	must(t, l.AddProduct(t.Context(), store.Product{Name: "phone", Created: noon}, w.entry("product.add")))
	w.release(t, ref)
	w.ca = w.batch(t, "spring", false, 1000)
	return w
}

func (w *world) release(t testing.TB, ref vote.Ref) {
	t.Helper()
	must(t, w.ledger.AddRelease(t.Context(), store.Release{Product: ref.Product, Build: ref.Build, State: store.ReleasePublished, Submitted: noon}, w.entry("release.add")))
	must(t, w.OpenRelease(t.Context(), ref))
}

func (w *world) batch(t testing.TB, name manifests.Name, lab bool, limit int) votes.KeyPair {
	t.Helper()
	ca, err := votes.NewBatchCA(rand.Reader, name, noon)
	must(t, err)
	must(t, w.ledger.AddBatch(t.Context(), store.Batch{Name: name, CA: ca.Certificate, Lab: lab, DailyCap: limit, Created: noon}, w.entry("batch.add")))
	return ca
}

// handset is what a handset holds.
type handset struct {
	pem        string
	credential ed25519.PrivateKey
	device     ed25519.PrivateKey
	id         vote.DeviceKey
}

func newHandset(t testing.TB, ca votes.KeyPair) *handset {
	t.Helper()
	pair, err := votes.IssueCredential(rand.Reader, ca)
	must(t, err)
	key, err := votes.ParseKey(pair.PrivateKey)
	must(t, err)
	h := &handset{pem: pair.Certificate, credential: key}
	h.reset(t)
	return h
}

// reset is a factory reset: a new device key, the same credential.
func (h *handset) reset(t testing.TB) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	h.device, h.id = private, vote.DeviceKey(public)
}

func (h *handset) enrolRequest() *vote.EnrolRequest {
	r := &vote.EnrolRequest{DeviceKey: h.id, Credential: h.pem}
	r.Sign(h.credential)
	return r
}

func (h *handset) withdrawRequest() *vote.WithdrawRequest {
	r := &vote.WithdrawRequest{DeviceKey: h.id}
	r.Sign(h.device)
	return r
}

func (h *handset) issueRequest(t testing.TB, class vote.Class, set vote.Set, p vote.Pending) *vote.IssueRequest {
	t.Helper()
	b, err := p.Blinded()
	must(t, err)
	r := &vote.IssueRequest{Product: ref.Product, Build: ref.Build, Class: class, Set: set, Blinded: b, DeviceKey: h.id, Credential: h.pem}
	r.Sign(h.device, h.credential)
	return r
}

func pending(t testing.TB) vote.Pending {
	t.Helper()
	p, err := vote.NewPending(rand.Reader)
	must(t, err)
	return p
}

// draw gets a token of a class under the primary keys.
func (w *world) draw(t testing.TB, h *handset, class vote.Class) vote.Token {
	t.Helper()
	return w.drawSet(t, h, class, vote.Primary)
}

func (w *world) drawSet(t testing.TB, h *handset, class vote.Class, set vote.Set) vote.Token {
	t.Helper()
	p := pending(t)
	answer, err := w.Issue(t.Context(), h.issueRequest(t, class, set, p))
	must(t, err)
	primary, spare, err := w.PublicKeys(ref)
	must(t, err)
	public, _ := vote.KeyOf(manifests.VoteRules{Primary: &primary, Spare: &spare}, class, set)
	token, err := p.Finish(public, answer)
	must(t, err)
	return token
}

func spend(t testing.TB, token vote.Token, class vote.Class, v vote.Vote) *vote.CastRequest {
	t.Helper()
	r, err := token.Cast(ref, class, vote.Primary, v)
	must(t, err)
	return &r
}

// says draws a token with a handset of its own and casts.
func (w *world) says(t testing.TB, class vote.Class, v vote.Vote) {
	t.Helper()
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	must(t, w.Cast(t.Context(), spend(t, w.draw(t, h, class), class, v)))
}

func (w *world) counts(t testing.TB) votes.Counts {
	t.Helper()
	c, err := w.Counts(t.Context(), ref)
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, err error, code string) {
	t.Helper()
	var e *votes.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v; want a refusal %s", err, code)
	}
}

func TestVoteIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	for range 2 {
		must(t, w.Enrol(t.Context(), h.enrolRequest()))
	}
	token := w.draw(t, h, vote.Trial)
	for range 3 {
		must(t, w.Cast(t.Context(), spend(t, token, vote.Trial, healthy)))
	}
	refused(t, w.Cast(t.Context(), spend(t, token, vote.Trial, rolled)), api.CodeAlreadyVoted)
	if c := w.counts(t); c.Trials != 1 || c.Healthy != 1 || c.Failures != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestFactoryResetDrawsNoSecondToken(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	w.draw(t, h, vote.Trial)
	for range 3 {
		must(t, w.Withdraw(t.Context(), h.withdrawRequest()))
		h.reset(t)
		must(t, w.Enrol(t.Context(), h.enrolRequest()))
		_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, pending(t)))
		refused(t, err, api.CodeAlreadyIssued)
	}
	w.draw(t, h, vote.Attempt) // a class of its own
}

func TestLostAnswerIsGivenAgain(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	p := pending(t)
	first, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, p))
	must(t, err)
	second, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, p))
	must(t, err)
	if first.Evaluated != second.Evaluated {
		t.Error("the same element got another answer")
	}
	_, err = w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, pending(t)))
	refused(t, err, api.CodeAlreadyIssued)
	if c := w.counts(t); c.Issued != 1 {
		t.Errorf("%d tokens were counted", c.Issued)
	}
}

func TestMadeUpVoteRefused(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	token := w.draw(t, h, vote.Trial)
	for name, change := range map[string]func(*vote.CastRequest){
		"mac":   func(r *vote.CastRequest) { r.MAC[0] ^= 1 },
		"vote":  func(r *vote.CastRequest) { r.Vote = rolled },
		"nonce": func(r *vote.CastRequest) { r.Nonce[0] ^= 1 },
		"class": func(r *vote.CastRequest) { r.Class, r.Vote = vote.Attempt, begun },
	} {
		r := spend(t, token, vote.Trial, healthy)
		change(r)
		t.Run(name, func(t *testing.T) { refused(t, w.Cast(t.Context(), r), api.CodeBadToken) })
	}
	must(t, w.Cast(t.Context(), spend(t, token, vote.Trial, healthy)))
	bad := spend(t, token, vote.Trial, healthy)
	bad.MAC[15] ^= 1 // a part that the ledger does not keep
	refused(t, w.Cast(t.Context(), bad), api.CodeBadToken)
}

func TestUnknownReleaseTakesNoVotes(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	issue := h.issueRequest(t, vote.Trial, vote.Primary, pending(t))
	issue.Build = 99
	issue.Sign(h.device, h.credential)
	_, err := w.Issue(t.Context(), issue)
	refused(t, err, api.CodeNotFound)
	cast := spend(t, w.draw(t, h, vote.Trial), vote.Trial, healthy)
	cast.Build = 99
	refused(t, w.Cast(t.Context(), cast), api.CodeNotFound)
	if _, err := w.Shown(t.Context(), vote.Ref{Product: "phone", Build: 99}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestBadElementUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	r := h.issueRequest(t, vote.Trial, vote.Primary, pending(t))
	r.Blinded = vote.Blinded{}
	r.Sign(h.device, h.credential)
	_, err := w.Issue(t.Context(), r)
	refused(t, err, api.CodeBadElement)
	w.draw(t, h, vote.Trial)
}

func TestTokenNeedsBothKeys(t *testing.T) {
	w := newWorld(t)
	h, other := newHandset(t, w.ca), newHandset(t, w.ca)
	_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, pending(t)))
	refused(t, err, api.CodeNotEnrolled)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))

	r := h.issueRequest(t, vote.Trial, vote.Primary, pending(t))
	r.Sign(other.device, h.credential)
	_, err = w.Issue(t.Context(), r)
	refused(t, err, api.CodeBadCredential)
	r.Sign(h.device, other.credential)
	_, err = w.Issue(t.Context(), r)
	refused(t, err, api.CodeBadCredential)

	// A credential of another batch cannot use this enrolment.
	r = h.issueRequest(t, vote.Trial, vote.Primary, pending(t))
	foreign := newHandset(t, w.batch(t, "autumn", false, 10))
	r.Credential = foreign.pem
	r.Sign(h.device, foreign.credential)
	_, err = w.Issue(t.Context(), r)
	refused(t, err, api.CodeBadCredential)
}

func TestWithdrawalNeedsTheDeviceKey(t *testing.T) {
	w := newWorld(t)
	h, other := newHandset(t, w.ca), newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	r := h.withdrawRequest()
	r.Sign(other.device)
	refused(t, w.Withdraw(t.Context(), r), api.CodeBadCredential)
	for range 2 {
		must(t, w.Withdraw(t.Context(), h.withdrawRequest()))
	}
	_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Primary, pending(t)))
	refused(t, err, api.CodeNotEnrolled)
}

func TestYoungKeyGetsNoTokenInTheFirstStage(t *testing.T) {
	w := newWorld(t)
	w.first = true
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	r := h.issueRequest(t, vote.Trial, vote.Primary, pending(t))
	_, err := w.Issue(t.Context(), r)
	refused(t, err, api.CodeTooYoung)
	w.pass(60*time.Hour - time.Second) // noon, the end of that day, and 48 h
	_, err = w.Issue(t.Context(), r)
	refused(t, err, api.CodeTooYoung)
	w.pass(time.Second)
	_, err = w.Issue(t.Context(), r)
	must(t, err)

	young := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), young.enrolRequest()))
	w.first = false
	w.draw(t, young, vote.Trial)
}

func TestBatchIsCappedByTheDay(t *testing.T) {
	w := newWorld(t)
	ca := w.batch(t, "small", false, 2)
	for range 2 {
		must(t, w.Enrol(t.Context(), newHandset(t, ca).enrolRequest()))
	}
	late := newHandset(t, ca)
	refused(t, w.Enrol(t.Context(), late.enrolRequest()), api.CodeBatchFull)
	w.pass(12 * time.Hour)
	must(t, w.Enrol(t.Context(), late.enrolRequest()))
}

func TestRevokedBatchGetsNothing(t *testing.T) {
	w := newWorld(t)
	h, idle := newHandset(t, w.ca), newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	w.draw(t, h, vote.Trial)
	must(t, w.ledger.RevokeBatch(t.Context(), "spring", w.entry("batch.revoke")))
	refused(t, w.Enrol(t.Context(), idle.enrolRequest()), api.CodeBatchRevoked)
	_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Attempt, vote.Primary, pending(t)))
	refused(t, err, api.CodeBatchRevoked)
	if c := w.counts(t); c.Issued != 1 || c.Revoked != 1 {
		t.Errorf("%d of %d tokens stand as revoked", c.Revoked, c.Issued)
	}
}

func TestClosedReleaseForgets(t *testing.T) {
	w := newWorld(t)
	w.says(t, vote.Attempt, begun)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	token := w.draw(t, h, vote.Trial)
	for range 2 {
		must(t, w.CloseRelease(t.Context(), ref, w.entry("votes.close")))
	}
	refused(t, w.Cast(t.Context(), spend(t, token, vote.Trial, healthy)), api.CodeVotingClosed)
	_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Attempt, vote.Primary, pending(t)))
	refused(t, err, api.CodeVotingClosed)
	must(t, w.OpenRelease(t.Context(), ref)) // changes nothing
	v, err := w.ledger.VoteRelease(t.Context(), ref)
	must(t, err)
	if v.Closed.IsZero() || v.Secret != [32]byte{} || w.counts(t).Attempts != 1 {
		t.Errorf("after closing: %+v", v)
	}
}

func TestLeakedKeysAreReplacedByTheSpare(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	old := w.draw(t, h, vote.Trial)
	unspent := w.draw(t, h, vote.Attempt)
	must(t, w.Cast(t.Context(), spend(t, old, vote.Trial, healthy)))
	_, err := w.Issue(t.Context(), h.issueRequest(t, vote.Trial, vote.Spare, pending(t)))
	refused(t, err, api.CodeKeyRetired)

	e := w.entry("votes.switch")
	e.Subject = ref.String()
	for range 2 {
		must(t, w.UseSpare(t.Context(), ref, e))
	}
	must(t, w.UseSpare(t.Context(), vote.Ref{Product: "phone", Build: 9}, e)) // takes no votes
	refused(t, w.Cast(t.Context(), spend(t, unspent, vote.Attempt, begun)), api.CodeKeyRetired)
	token := w.drawSet(t, h, vote.Trial, vote.Spare)
	r, err := token.Cast(ref, vote.Trial, vote.Spare, rolled)
	must(t, err)
	must(t, w.Cast(t.Context(), &r))
	if c := w.counts(t); c.Trials != 1 || c.RolledBack != 1 {
		t.Errorf("counted %+v; want the spare set only", c)
	}
	log, err := w.ledger.Entries(t.Context(), store.EntryQuery{Subject: ref.String()})
	must(t, err)
	if len(log) != 1 {
		t.Errorf("%d entries about the switch", len(log))
	}
}

func TestLabHandsetReportsByName(t *testing.T) {
	w := newWorld(t)
	lab, plain := newHandset(t, w.batch(t, "lab", true, 10)), newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), plain.enrolRequest()))
	report := func(h *handset, v vote.Vote) *vote.LabReport {
		r := &vote.LabReport{Product: ref.Product, Build: ref.Build, Class: vote.Trial, Vote: v, DeviceKey: h.id}
		must(t, r.Sign(h.device))
		return r
	}
	refused(t, w.ReportLab(t.Context(), report(lab, rolled)), api.CodeNotEnrolled)
	must(t, w.Enrol(t.Context(), lab.enrolRequest()))
	_, err := w.Issue(t.Context(), lab.issueRequest(t, vote.Trial, vote.Primary, pending(t)))
	refused(t, err, api.CodeForbidden)
	refused(t, w.ReportLab(t.Context(), report(plain, rolled)), api.CodeForbidden)
	forged := report(lab, rolled)
	forged.Vote = healthy
	refused(t, w.ReportLab(t.Context(), forged), api.CodeBadCredential)
	for range 2 {
		must(t, w.ReportLab(t.Context(), report(lab, rolled)))
	}
	refused(t, w.ReportLab(t.Context(), report(lab, healthy)), api.CodeAlreadyVoted)
	got, err := w.ledger.LabReports(t.Context(), ref)
	must(t, err)
	if len(got) != 1 || got[0].DeviceKey != lab.id || w.counts(t).Trials != 0 {
		t.Errorf("got %+v", got)
	}
	must(t, w.ledger.RevokeBatch(t.Context(), "lab", w.entry("batch.revoke")))
	refused(t, w.ReportLab(t.Context(), report(lab, rolled)), api.CodeBatchRevoked)
}

func TestServiceNeedsItsParts(t *testing.T) {
	if _, err := votes.New(votes.Config{}); err == nil {
		t.Error("a service without a master was made")
	}
}

// The vote must not show in what is kept of it: two worlds that differ only in
// the vote differ only in the cell.
func TestLedgerRowDoesNotTellTheVote(t *testing.T) {
	w := newWorld(t)
	h := newHandset(t, w.ca)
	must(t, w.Enrol(t.Context(), h.enrolRequest()))
	token := w.draw(t, h, vote.Trial)
	key, err := w.Master.Key(ref, vote.Trial, vote.Primary)
	must(t, err)
	a, b := spend(t, token, vote.Trial, healthy), spend(t, token, vote.Trial, rolled)
	if key.Nullifier(a.Nonce) != key.Nullifier(b.Nonce) {
		t.Error("the nullifier depends on the vote")
	}
	if fmt.Sprint(a.MAC) != fmt.Sprint(b.MAC) {
		t.Error("a MAC prints")
	}
}

// Section 5.5: when a release is over, nothing but the counts remains.
func TestVotesCloseOnceTheReleaseIsOver(t *testing.T) {
	w := newWorld(t)
	w.says(t, vote.Attempt, begun)
	var ended time.Time
	over := func(context.Context, vote.Ref) (time.Time, error) { return ended, nil }
	closed := func() bool {
		must(t, w.CloseOver(t.Context(), 30*24*time.Hour, over))
		v, err := w.ledger.VoteRelease(t.Context(), ref)
		must(t, err)
		return !v.Closed.IsZero()
	}
	w.pass(365 * 24 * time.Hour)
	if closed() {
		t.Fatal("closed while its rollout runs")
	}
	ended = w.clock()
	w.pass(30*24*time.Hour - time.Second)
	if closed() {
		t.Fatal("closed before its time")
	}
	w.pass(time.Second)
	if !closed() {
		t.Fatal("open after its time")
	}
	if c := w.counts(t); c.Attempts != 1 {
		t.Fatalf("the counts went too: %+v", c)
	}
}
