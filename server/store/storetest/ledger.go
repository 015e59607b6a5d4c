package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// Ledger holds a ledger to the contract of package store. open gives an empty
// one; reopen closes a ledger that open gave and opens it again.
func Ledger(t *testing.T, open func(t *testing.T) store.Ledger, reopen func(t *testing.T, l store.Ledger) store.Ledger) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, store.Ledger)
	}{
		{"ProductsAreKept", productsAreKept},
		{"OneReleasePerBuild", oneReleasePerBuild},
		{"ReleaseMovesFromKnownState", releaseMoves},
		{"RolloutIsComparedAndSwapped", rolloutIsSwapped},
		{"OneOfManyEditorsWins", oneEditorWins},
		{"NoChangeWithoutItsEntry", noChangeWithoutEntry},
		{"AuditLogIsAChain", auditIsAChain},
		{"AuditLogIsSearched", auditIsSearched},
		{"OneHolderOfALease", oneHolder},
		{"FormerHolderIsFencedOff", formerHolderFencedOff},
		{"HeadOnlyRises", headOnlyRises},
		{"TokensAreFoundByHash", tokensByHash},
		{"LoginIsTakenOnce", loginIsTakenOnce},
		{"LoginsAreBounded", loginsAreBounded},
		{"SessionsAreFoundByHash", sessionsAreFoundByHash},
		{"SessionsEnd", sessionsEnd},
		{"UploadAdvancesOnce", uploadAdvances},
		{"BatchesAreRevoked", batchesAreRevoked},
		{"DailyCapHolds", dailyCapHolds},
		{"WithdrawalForgets", withdrawalForgets},
		{"SameElementSameAnswer", sameElement},
		{"VoteIsCountedOnce", voteCountedOnce},
		{"ConcurrentVotesAllCount", concurrentVotes},
		{"GroupsAreTold", groupsAreTold},
		{"RetiredKeySetTakesNoVotes", retiredSet},
		{"ClosedVotesKeepOnlyCounts", closedVotes},
		{"OneThingIsShownAtATime", oneThingIsShown},
		{"WhatWasShownIsKept", historyIsKept},
		{"HistoryIsBounded", historyIsBounded},
		{"RolloutsArePaged", rolloutsArePaged},
		{"LabHandsetsAreHeardByName", labHandsets},
		{"HookIsRemembered", hookIsRemembered},
		{"ServersKnowOfEachOther", serversKnowOfEachOther},
		{"ChangeIsAnsweredOnce", changeIsAnsweredOnce},
		{"ClaimPassesOnAfterACrash", claimPassesOnAfterACrash},
		{"KeptAnswersAreBounded", keptAnswersAreBounded},
		{"SigningEventsAreKept", signingEventsAreKept},
		{"WordsMeetInAnyOrder", wordsMeetInAnyOrder},
		{"SigningEventEndsOnce", signingEventEndsOnce},
		{"SigningEventsAreBounded", signingEventsAreBounded},
	} {
		t.Run(c.promise, func(t *testing.T) { c.check(t, open(t)) })
	}
	t.Run("EverythingSurvivesReopening", func(t *testing.T) { survives(t, open(t), reopen) })
}

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	phone = vote.Ref{Product: "phone", Build: 43}
)

func entry(what string) store.Entry {
	return store.Entry{At: epoch, Who: "li", What: what, Subject: "test", Why: "because", Detail: json.RawMessage(`{"n":1}`)}
}

func testRelease(ref vote.Ref) store.Release {
	return store.Release{
		Product: ref.Product, Build: ref.Build, Version: "4.3", Path: fmt.Sprintf("releases/%s/%d.json", ref.Product, ref.Build),
		SHA256: manifests.SumSHA256([]byte(ref.String())), Length: 1234, State: store.ReleaseStaged, Submitted: epoch, SubmittedBy: "wei",
	}
}

// seed adds the product and a release of it.
func seed(t *testing.T, l store.Ledger) {
	t.Helper()
	ok(t, l.AddProduct(t.Context(), store.Product{Name: "phone", Created: epoch}, entry("product.add")))
	ok(t, l.AddRelease(t.Context(), testRelease(phone), entry("release.add")))
}

func count(t *testing.T, l store.Ledger) int {
	t.Helper()
	list, err := l.Entries(t.Context(), store.EntryQuery{})
	ok(t, err)
	return len(list)
}

func productsAreKept(t *testing.T, l store.Ledger) {
	p := store.Product{Name: "phone", Created: epoch}
	ok(t, l.AddProduct(t.Context(), p, entry("product.add")))
	want(t, l.AddProduct(t.Context(), p, entry("product.add")), store.ErrExists)
	ok(t, l.AddProduct(t.Context(), store.Product{Name: "band", Created: epoch}, entry("product.add")))
	got, err := l.Product(t.Context(), "phone")
	ok(t, err)
	all, err := l.Products(t.Context())
	ok(t, err)
	if got != p || len(all) != 2 || all[0].Name != "band" || all[1] != p {
		t.Errorf("got %+v and %+v", got, all)
	}
	_, err = l.Product(t.Context(), "watch")
	want(t, err, store.ErrNotFound)
	if count(t, l) != 2 {
		t.Error("a refused product left an entry")
	}
}

func oneReleasePerBuild(t *testing.T, l store.Ledger) {
	want(t, l.AddRelease(t.Context(), testRelease(phone), entry("release.add")), store.ErrNotFound)
	seed(t, l)
	before := count(t, l)
	ok(t, l.AddRelease(t.Context(), testRelease(phone), entry("release.add")))
	if count(t, l) != before {
		t.Error("the same submission again left an entry")
	}
	other := testRelease(phone)
	other.SHA256[0] ^= 1
	want(t, l.AddRelease(t.Context(), other, entry("release.add")), store.ErrExists)
	next := testRelease(vote.Ref{Product: "phone", Build: 1 << 52})
	ok(t, l.AddRelease(t.Context(), next, entry("release.add")))
	got, err := l.Release(t.Context(), phone)
	ok(t, err)
	all, err := l.Releases(t.Context(), "phone")
	ok(t, err)
	if got != testRelease(phone) || len(all) != 2 || all[0] != next || all[1] != got {
		t.Errorf("got %+v and %+v", got, all)
	}
	_, err = l.Release(t.Context(), vote.Ref{Product: "phone", Build: 1})
	want(t, err, store.ErrNotFound)
}

func releaseMoves(t *testing.T, l store.Ledger) {
	seed(t, l)
	ok(t, l.MoveRelease(t.Context(), phone, store.ReleaseStaged, store.ReleasePublished, entry("release.publish")))
	want(t, l.MoveRelease(t.Context(), phone, store.ReleaseStaged, store.ReleasePublished, entry("release.publish")), store.ErrStale)
	want(t, l.MoveRelease(t.Context(), vote.Ref{Product: "phone", Build: 9}, store.ReleaseStaged, store.ReleasePublished, entry("x")), store.ErrNotFound)
	got, err := l.Release(t.Context(), phone)
	ok(t, err)
	if got.State != store.ReleasePublished {
		t.Errorf("state is %s", got.State)
	}
}

func testRollout(id string) store.Rollout {
	return store.Rollout{
		ID: id, Product: "phone", Build: 43, State: "draft", Document: json.RawMessage(`{"stages":[1,2]}`),
		Created: epoch, Updated: epoch,
	}
}

func rolloutIsSwapped(t *testing.T, l store.Ledger) {
	_, err := l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	want(t, err, store.ErrNotFound)
	seed(t, l)
	first, err := l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	ok(t, err)
	_, err = l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	want(t, err, store.ErrExists)
	second, err := l.AddRollout(t.Context(), testRollout("r2"), entry("rollout.add"))
	ok(t, err)
	if first.Version != 1 || first.Sequence != 1 || second.Sequence != 2 {
		t.Errorf("got %+v and %+v", first, second)
	}
	changed := first
	changed.State, changed.Document, changed.Updated = "active", json.RawMessage(`{}`), epoch.Add(time.Hour)
	changed, err = l.UpdateRollout(t.Context(), changed, entry("rollout.start"))
	ok(t, err)
	_, err = l.UpdateRollout(t.Context(), first, entry("rollout.halt"))
	want(t, err, store.ErrStale)
	_, err = l.UpdateRollout(t.Context(), testRollout("r9"), entry("rollout.halt"))
	want(t, err, store.ErrNotFound)
	got, err := l.Rollout(t.Context(), "r1")
	ok(t, err)
	if got.Version != 2 || got.State != "active" || string(got.Document) != "{}" || !got.Updated.Equal(changed.Updated) || !got.Created.Equal(epoch) {
		t.Errorf("got %+v", got)
	}
	all, err := l.Rollouts(t.Context(), "phone")
	ok(t, err)
	if len(all) != 2 || all[0].ID != "r2" {
		t.Errorf("got %+v; want the newest first", all)
	}
	_, err = l.Rollout(t.Context(), "r9")
	want(t, err, store.ErrNotFound)
}

func oneEditorWins(t *testing.T, l store.Ledger) {
	seed(t, l)
	r, err := l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	ok(t, err)
	won := many(t, store.ErrStale, func(int) error {
		_, err := l.UpdateRollout(t.Context(), r, entry("rollout.edit"))
		return err
	})
	if won != 1 {
		t.Errorf("%d editors were told that their edit stands", won)
	}
}

// A change whose entry cannot be written must not happen.
func noChangeWithoutEntry(t *testing.T, l store.Ledger) {
	seed(t, l)
	r, err := l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	ok(t, err)
	nobody := entry("rollout.halt")
	nobody.Who = ""
	halted := r
	halted.State = "halted"
	if _, err := l.UpdateRollout(t.Context(), halted, nobody); err == nil {
		t.Fatal("an entry by nobody was written")
	}
	if err := l.MoveRelease(t.Context(), phone, store.ReleaseStaged, store.ReleasePublished, nobody); err == nil {
		t.Fatal("an entry by nobody was written")
	}
	got, err := l.Rollout(t.Context(), "r1")
	ok(t, err)
	release, err := l.Release(t.Context(), phone)
	ok(t, err)
	if got.State != "draft" || got.Version != 1 || release.State != store.ReleaseStaged {
		t.Error("a change happened without its entry")
	}
}

func auditIsAChain(t *testing.T, l store.Ledger) {
	for i := range 5 {
		e := entry("test.step")
		e.Subject = fmt.Sprintf("s%d", i%2)
		if i == 3 {
			e.Detail, e.Why = nil, ""
		}
		got, err := l.Append(t.Context(), e)
		ok(t, err)
		if got.Seq != int64(i+1) || got.Hash != got.Sum() {
			t.Errorf("entry %d came back as %+v", i, got)
		}
	}
	for _, bad := range []store.Entry{
		{What: "x", At: epoch},
		{Who: "x", At: epoch},
		{Who: "x", What: "x"},
		{Who: "x", What: "x", At: epoch, Detail: json.RawMessage("{")},
		{Who: "x", What: "x", At: epoch, Why: "not \xff UTF-8"},
		{Who: "x", What: "x", At: epoch, Why: "nul \x00"},
	} {
		if _, err := l.Append(t.Context(), bad); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
	ok(t, l.VerifyAudit(t.Context()))
	all, err := l.Entries(t.Context(), store.EntryQuery{})
	ok(t, err)
	var prev manifests.SHA256
	for _, e := range all {
		if e.Prev != prev || e.Hash != e.Sum() || !e.At.Equal(epoch) {
			t.Errorf("entry %+v does not follow", e)
		}
		prev = e.Hash
	}
	head, err := l.AuditHead(t.Context())
	if ok(t, err); head.Seq != 5 || head.Hash != prev {
		t.Errorf("head %+v", head)
	}
	var walked []int64
	ok(t, l.Walk(t.Context(), 2, func(e store.Entry) error { walked = append(walked, e.Seq); return nil }))
	if !slices.Equal(walked, []int64{3, 4, 5}) {
		t.Errorf("walked over %v", walked)
	}
	part, err := l.Entries(t.Context(), store.EntryQuery{Subject: "s0", After: 1, Limit: 1})
	ok(t, err)
	if len(all) != 5 || len(part) != 1 || part[0].Seq != 3 {
		t.Errorf("got %d entries and %+v", len(all), part)
	}
}

func oneHolder(t *testing.T, l store.Ledger) {
	ask := func(holder string, at time.Duration) (store.Lease, error) {
		return l.Acquire(t.Context(), store.LeaseRequest{Name: "publish", Holder: holder, Now: epoch.Add(at), For: time.Minute})
	}
	a, err := ask("a", 0)
	ok(t, err)
	held, err := ask("b", 30*time.Second)
	want(t, err, store.ErrConflict)
	if held.Holder != "a" {
		t.Errorf("held by %q", held.Holder)
	}
	renewed, err := ask("a", 30*time.Second)
	ok(t, err)
	if renewed.Fence != a.Fence || !renewed.Expires.Equal(epoch.Add(90*time.Second)) {
		t.Errorf("renewed as %+v", renewed)
	}
	b, err := ask("b", 90*time.Second)
	ok(t, err)
	if b.Fence <= a.Fence {
		t.Error("the fence did not rise")
	}
	ok(t, l.Yield(t.Context(), a)) // has passed on: left alone
	_, err = ask("a", 91*time.Second)
	want(t, err, store.ErrConflict)
	ok(t, l.Yield(t.Context(), b))
	c, err := ask("c", 92*time.Second)
	ok(t, err)
	late, err := ask("c", 10*time.Minute)
	ok(t, err)
	if c.Fence <= b.Fence || late.Fence <= c.Fence {
		t.Error("a lease that had run out came back with the old fence")
	}
	if won := many(t, store.ErrConflict, func(i int) error { _, err := ask(fmt.Sprint("racer", i), time.Hour); return err }); won != 1 {
		t.Errorf("%d hold one lease", won)
	}
}

func formerHolderFencedOff(t *testing.T, l store.Ledger) {
	ask := func(holder string, at time.Duration) store.Lease {
		v, err := l.Acquire(t.Context(), store.LeaseRequest{Name: "publish", Holder: holder, Now: epoch.Add(at), For: time.Minute})
		ok(t, err)
		return v
	}
	a := ask("a", 0)
	for i, least := range []int64{0, 0, 10, 0} {
		n, err := l.ReserveVersion(t.Context(), a, "snapshot", least)
		ok(t, err)
		if n != []int64{1, 2, 10, 11}[i] {
			t.Errorf("reserved %d", n)
		}
	}
	ok(t, l.SetHead(t.Context(), a, 0, store.Head{Name: "timestamp", Version: 1, ETag: "x", Updated: epoch}))
	b := ask("b", time.Hour)
	_, err := l.ReserveVersion(t.Context(), a, "snapshot", 0)
	want(t, err, store.ErrStale)
	want(t, l.SetHead(t.Context(), a, 1, store.Head{Name: "timestamp", Version: 2, ETag: "y", Updated: epoch}), store.ErrStale)
	_, err = l.ReserveVersion(t.Context(), store.Lease{Name: "none"}, "snapshot", 0)
	want(t, err, store.ErrNotFound)
	n, err := l.ReserveVersion(t.Context(), b, "snapshot", 0)
	ok(t, err)
	all, err := l.ReservedVersions(t.Context())
	ok(t, err)
	if n != 12 || len(all) != 1 || all["snapshot"] != 12 {
		t.Errorf("reserved %d of %v", n, all)
	}
}

func headOnlyRises(t *testing.T, l store.Ledger) {
	_, err := l.Head(t.Context(), "timestamp")
	want(t, err, store.ErrNotFound)
	v, err := l.Acquire(t.Context(), store.LeaseRequest{Name: "publish", Holder: "a", Now: epoch, For: time.Minute})
	ok(t, err)
	head := func(n int64, tag string) store.Head {
		return store.Head{Name: "timestamp", Version: n, ETag: store.ETag(tag), Document: []byte(tag), Updated: epoch}
	}
	ok(t, l.SetHead(t.Context(), v, 0, head(5, "five")))
	ok(t, l.SetHead(t.Context(), v, 0, head(5, "five"))) // repeated
	want(t, l.SetHead(t.Context(), v, 0, head(6, "six")), store.ErrStale)
	want(t, l.SetHead(t.Context(), v, 5, head(5, "other five")), store.ErrStale)
	want(t, l.SetHead(t.Context(), v, 5, head(4, "four")), store.ErrStale)
	ok(t, l.SetHead(t.Context(), v, 5, head(9, "nine")))
	got, err := l.Head(t.Context(), "timestamp")
	ok(t, err)
	if got.Version != 9 || got.ETag != "nine" || string(got.Document) != "nine" || got.Fence != v.Fence {
		t.Errorf("got %+v", got)
	}
}

func tokensByHash(t *testing.T, l store.Ledger) {
	a := store.Token{ID: "a", Name: "CI", Owner: "local:li", Hash: manifests.SumSHA256([]byte("a")), Role: "operator", Products: []manifests.Product{"phone"}, Scope: []string{"read", "halt"}, Created: epoch, Expires: epoch.Add(time.Hour)}
	b := store.Token{ID: "b", Name: "Li", Hash: manifests.SumSHA256([]byte("b")), Role: "admin", Created: epoch.Add(time.Second)}
	ok(t, l.AddToken(t.Context(), a, entry("token.add")))
	ok(t, l.AddToken(t.Context(), b, entry("token.add")))
	same := b
	same.ID = "c"
	want(t, l.AddToken(t.Context(), same, entry("token.add")), store.ErrExists)
	same = b
	same.Hash[0] ^= 1
	want(t, l.AddToken(t.Context(), same, entry("token.add")), store.ErrExists)
	got, err := l.TokenByHash(t.Context(), a.Hash)
	ok(t, err)
	if got.ID != "a" || got.Owner != "local:li" || !slices.Equal(got.Products, a.Products) || !slices.Equal(got.Scope, a.Scope) || !got.Expires.Equal(a.Expires) || !got.Revoked.IsZero() {
		t.Errorf("got %+v", got)
	}
	_, err = l.TokenByHash(t.Context(), manifests.SumSHA256([]byte("nobody")))
	want(t, err, store.ErrNotFound)
	for range 2 {
		ok(t, l.RevokeToken(t.Context(), "a", entry("token.revoke")))
	}
	want(t, l.RevokeToken(t.Context(), "z", entry("token.revoke")), store.ErrNotFound)
	all, err := l.Tokens(t.Context())
	ok(t, err)
	if len(all) != 2 || all[0].ID != "b" || !all[1].Revoked.Equal(epoch) || count(t, l) != 3 {
		t.Errorf("got %+v after %d entries", all, count(t, l))
	}
}

func uploadAdvances(t *testing.T, l store.Ledger) {
	u := store.Upload{ID: "u", Owner: "a", SHA256: manifests.SumSHA256(nil), Size: 100, Created: epoch, Updated: epoch}
	ok(t, l.AddUpload(t.Context(), u))
	want(t, l.AddUpload(t.Context(), u), store.ErrExists)
	var turn atomic.Int64
	won := many(t, store.ErrStale, func(int) error {
		return l.AdvanceUpload(t.Context(), "u", 0, turn.Add(1), epoch.Add(time.Minute))
	})
	if won != 1 {
		t.Errorf("%d pieces were taken at one offset", won)
	}
	got, err := l.Upload(t.Context(), "u")
	ok(t, err)
	if got.Offset == 0 || !got.Updated.Equal(epoch.Add(time.Minute)) || got.Size != 100 || got.SHA256 != u.SHA256 {
		t.Errorf("got %+v", got)
	}
	for _, to := range []int64{101, got.Offset - 1} {
		if l.AdvanceUpload(t.Context(), "u", got.Offset, to, epoch) == nil {
			t.Errorf("the offset moved to %d of 100", to)
		}
	}
	all, err := l.Uploads(t.Context())
	ok(t, err)
	if len(all) != 1 {
		t.Errorf("got %+v", all)
	}
	for range 2 {
		ok(t, l.DeleteUpload(t.Context(), "u"))
	}
	want(t, l.AdvanceUpload(t.Context(), "u", 0, 1, epoch), store.ErrNotFound)
	_, err = l.Upload(t.Context(), "u")
	want(t, err, store.ErrNotFound)
}
