package storetest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

func testBatch(name manifests.Name) store.Batch {
	return store.Batch{Name: name, CA: "pem", DailyCap: 3, Created: epoch}
}

func batchesAreRevoked(t *testing.T, l store.Ledger) {
	b := testBatch("b1")
	b.Lab = true
	ok(t, l.AddBatch(t.Context(), b, entry("batch.add")))
	want(t, l.AddBatch(t.Context(), b, entry("batch.add")), store.ErrExists)
	got, err := l.Batch(t.Context(), "b1")
	ok(t, err)
	if got != b {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		ok(t, l.RevokeBatch(t.Context(), "b1", entry("batch.revoke")))
	}
	want(t, l.RevokeBatch(t.Context(), "b9", entry("batch.revoke")), store.ErrNotFound)
	_, err = l.Batch(t.Context(), "b9")
	want(t, err, store.ErrNotFound)
	all, err := l.Batches(t.Context())
	ok(t, err)
	if len(all) != 1 || !all[0].Revoked.Equal(epoch) || count(t, l) != 2 {
		t.Errorf("got %+v after %d entries", all, count(t, l))
	}
}

func device(n int) (k vote.DeviceKey) {
	binary.BigEndian.PutUint64(k[:], uint64(n)+0xfeedfacecafe0000)
	return k
}

func dailyCapHolds(t *testing.T, l store.Ledger) {
	ok(t, l.AddBatch(t.Context(), testBatch("b1"), entry("batch.add")))
	ok(t, l.AddBatch(t.Context(), testBatch("b2"), entry("batch.add")))
	day := store.DayOf(epoch)
	enrol := func(n int, batch manifests.Name, day store.Day) error {
		return l.Enrol(t.Context(), store.Enrolment{DeviceKey: device(n), Batch: batch, Day: day}, 3)
	}
	won := many(t, store.ErrFull, func(i int) error { return enrol(i, "b1", day) })
	if won != 3 {
		t.Fatalf("%d of at most 3 enrolled", won)
	}
	for i := range 8 { // withdrawing gives no place back
		ok(t, l.Withdraw(t.Context(), device(i)))
	}
	want(t, enrol(100, "b1", day), store.ErrFull)
	ok(t, enrol(101, "b2", day))
	ok(t, enrol(102, "b1", day+1))
	ok(t, enrol(102, "b1", day+9)) // again: nothing changes
	want(t, enrol(102, "b2", day+1), store.ErrConflict)
	got, err := l.Enrolment(t.Context(), device(102))
	ok(t, err)
	if got.Day != day+1 || got.Batch != "b1" || got.DeviceKey != device(102) {
		t.Errorf("got %+v", got)
	}
	want(t, l.Enrol(t.Context(), store.Enrolment{DeviceKey: device(103), Batch: "b2", Day: day + 5}, 0), store.ErrFull)
	if !day.End().Equal(epoch.Truncate(24 * time.Hour).Add(24 * time.Hour)) {
		t.Errorf("the day ends at %v", day.End())
	}
}

func withdrawalForgets(t *testing.T, l store.Ledger) {
	ok(t, l.AddBatch(t.Context(), testBatch("b1"), entry("batch.add")))
	ok(t, l.Enrol(t.Context(), store.Enrolment{DeviceKey: device(1), Batch: "b1"}, 3))
	for range 2 {
		ok(t, l.Withdraw(t.Context(), device(1)))
	}
	_, err := l.Enrolment(t.Context(), device(1))
	want(t, err, store.ErrNotFound)
}

// openVotes adds a release with open votes.
func openVotes(t *testing.T, l store.Ledger) {
	t.Helper()
	want(t, l.OpenVotes(t.Context(), store.VoteRelease{Ref: phone}), store.ErrNotFound)
	seed(t, l)
	for i := range 2 { // the first secret stays
		ok(t, l.OpenVotes(t.Context(), store.VoteRelease{Ref: phone, Secret: [32]byte{byte(i + 1)}, Opened: epoch.Add(time.Duration(i) * time.Hour)}))
	}
	v, err := l.VoteRelease(t.Context(), phone)
	ok(t, err)
	if v.Secret != [32]byte{1} || v.Active != vote.Primary || !v.Opened.Equal(epoch) || !v.Closed.IsZero() || v.Ref != phone {
		t.Fatalf("got %+v", v)
	}
}

func ballot(n int) store.Ballot {
	b := store.Ballot{Ref: phone, Set: vote.Primary, Class: vote.Trial, Cell: vote.Cell(n % 3), Hour: 7}
	binary.BigEndian.PutUint64(b.Nullifier[:], uint64(n)+0xabad1deacafe0000)
	binary.BigEndian.PutUint64(b.Check[:], uint64(n)+1)
	return b
}

func tally(t *testing.T, l store.Ledger, set vote.Set) store.Tally {
	t.Helper()
	v, err := l.Tally(t.Context(), phone, set)
	ok(t, err)
	return v
}

func sameElement(t *testing.T, l store.Ledger) {
	issue := store.Issue{Ref: phone, Set: vote.Primary, Class: vote.Trial, Batch: "b1", Tag: store.Tag{1}, Element: [16]byte{1}}
	want(t, l.RecordIssue(t.Context(), issue), store.ErrNotFound)
	openVotes(t, l)
	for range 3 {
		ok(t, l.RecordIssue(t.Context(), issue))
	}
	other := issue
	other.Element[0] = 2
	want(t, l.RecordIssue(t.Context(), other), store.ErrConflict)
	other.Batch = "b2" // another batch does not make another handset
	want(t, l.RecordIssue(t.Context(), other), store.ErrConflict)
	other.Class = vote.Attempt
	ok(t, l.RecordIssue(t.Context(), other))
	other.Tag = store.Tag{2}
	ok(t, l.RecordIssue(t.Context(), other))
	won := many(t, store.ErrConflict, func(i int) error {
		racer := store.Issue{Ref: phone, Set: vote.Primary, Class: vote.Refusal, Batch: "b1", Element: [16]byte{byte(i)}}
		return l.RecordIssue(t.Context(), racer)
	})
	if won != 1 {
		t.Errorf("one credential drew %d tokens of a class", won)
	}
	got := tally(t, l, vote.Primary).Issued
	if got[vote.Trial]["b1"] != 1 || got[vote.Attempt]["b2"] != 2 || got[vote.Trial]["b2"] != 0 {
		t.Errorf("issued are %v", got)
	}
}

func voteCountedOnce(t *testing.T, l store.Ledger) {
	want(t, l.CastVote(t.Context(), ballot(1)), store.ErrNotFound)
	openVotes(t, l)
	for range 3 {
		ok(t, l.CastVote(t.Context(), ballot(1)))
	}
	other := ballot(1)
	other.Check[0] ^= 1
	want(t, l.CastVote(t.Context(), other), store.ErrConflict)
	attempt := ballot(2)
	attempt.Class, attempt.Cell = vote.Attempt, 0
	ok(t, l.CastVote(t.Context(), attempt))
	ok(t, l.CastVote(t.Context(), ballot(4)))
	got := tally(t, l, vote.Primary)
	if !maps.Equal(got.Cells[vote.Trial], map[vote.Cell]int64{1: 2}) || got.Cells[vote.Attempt][0] != 1 || !maps.Equal(got.Attempts, map[store.Hour]int64{7: 1}) {
		t.Errorf("got %+v", got)
	}
	if spare := tally(t, l, vote.Spare); len(spare.Cells) != 0 {
		t.Errorf("the other set counts %+v", spare)
	}
}

func concurrentVotes(t *testing.T, l store.Ledger) {
	openVotes(t, l)
	const n = 300
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- l.CastVote(t.Context(), ballot(i/2)) }() // each vote twice
	}
	for range n {
		ok(t, <-errs)
	}
	got := tally(t, l, vote.Primary).Cells[vote.Trial]
	if !maps.Equal(got, map[vote.Cell]int64{0: 50, 1: 50, 2: 50}) {
		t.Errorf("counted %v", got)
	}
}

func retiredSet(t *testing.T, l store.Ledger) {
	openVotes(t, l)
	ok(t, l.CastVote(t.Context(), ballot(1)))
	for range 2 {
		ok(t, l.SwitchVotes(t.Context(), phone, vote.Spare, entry("votes.switch")))
	}
	want(t, l.CastVote(t.Context(), ballot(2)), store.ErrRetired)
	want(t, l.RecordIssue(t.Context(), store.Issue{Ref: phone, Set: vote.Primary, Class: vote.Trial}), store.ErrRetired)
	spare := ballot(3)
	spare.Set = vote.Spare
	ok(t, l.CastVote(t.Context(), spare))
	if len(tally(t, l, vote.Spare).Cells[vote.Trial]) != 1 || len(tally(t, l, vote.Primary).Cells[vote.Trial]) != 1 {
		t.Error("the sets are not counted apart")
	}
	list, err := l.VoteReleases(t.Context())
	ok(t, err)
	if len(list) != 1 || list[0].Active != vote.Spare || count(t, l) != 3 {
		t.Errorf("got %+v after %d entries", list, count(t, l))
	}
	want(t, l.SwitchVotes(t.Context(), vote.Ref{Product: "phone", Build: 9}, vote.Spare, entry("x")), store.ErrNotFound)
}

func closedVotes(t *testing.T, l store.Ledger) {
	openVotes(t, l)
	attempt := ballot(1)
	attempt.Class, attempt.Cell = vote.Attempt, 0
	ok(t, l.CastVote(t.Context(), attempt))
	ok(t, l.RecordIssue(t.Context(), store.Issue{Ref: phone, Set: vote.Primary, Class: vote.Trial, Batch: "b1"}))
	for range 2 {
		ok(t, l.CloseVotes(t.Context(), phone, entry("votes.close")))
	}
	want(t, l.CastVote(t.Context(), ballot(2)), store.ErrClosed)
	want(t, l.CastVote(t.Context(), attempt), store.ErrClosed)
	want(t, l.RecordIssue(t.Context(), store.Issue{Ref: phone, Set: vote.Primary}), store.ErrClosed)
	want(t, l.SwitchVotes(t.Context(), phone, vote.Spare, entry("x")), store.ErrClosed)
	want(t, l.CloseVotes(t.Context(), vote.Ref{Product: "phone", Build: 9}, entry("x")), store.ErrNotFound)
	v, err := l.VoteRelease(t.Context(), phone)
	ok(t, err)
	got := tally(t, l, vote.Primary)
	if v.Secret != [32]byte{} || !v.Closed.Equal(epoch) || len(got.Attempts) != 0 || got.Cells[vote.Attempt][0] != 1 || got.Issued[vote.Trial]["b1"] != 1 {
		t.Errorf("got %+v and %+v", v, got)
	}
	ok(t, l.OpenVotes(t.Context(), store.VoteRelease{Ref: phone, Secret: [32]byte{9}, Opened: epoch}))
	if v, err := l.VoteRelease(t.Context(), phone); err != nil || v.Closed.IsZero() || v.Secret != [32]byte{} {
		t.Errorf("closed votes were opened again: %+v, %v", v, err)
	}
}

func labHandsets(t *testing.T, l store.Ledger) {
	r := store.LabReport{Ref: phone, Class: vote.Trial, DeviceKey: device(1), Batch: "lab", Cell: 700, At: epoch}
	want(t, l.AddLabReport(t.Context(), r), store.ErrNotFound)
	seed(t, l)
	for i := range 2 {
		again := r
		again.At = epoch.Add(time.Duration(i) * time.Hour)
		ok(t, l.AddLabReport(t.Context(), again))
	}
	other := r
	other.Cell = 1
	want(t, l.AddLabReport(t.Context(), other), store.ErrConflict)
	second := r
	second.DeviceKey, second.At = device(2), epoch.Add(time.Second)
	ok(t, l.AddLabReport(t.Context(), second))
	before := count(t, l)
	for range 2 {
		ok(t, l.MuteLab(t.Context(), device(1), true, entry("lab.mute")))
	}
	got, err := l.LabReports(t.Context(), phone)
	ok(t, err)
	r.Muted = true
	if len(got) != 2 || got[0] != r || got[1] != second {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		ok(t, l.MuteLab(t.Context(), device(1), false, entry("lab.resume")))
	}
	got, err = l.LabReports(t.Context(), phone)
	ok(t, err)
	if got[0].Muted || count(t, l) != before+2 {
		t.Errorf("got %+v after %d entries", got, count(t, l)-before)
	}
}

func survives(t *testing.T, l store.Ledger, reopen func(*testing.T, store.Ledger) store.Ledger) {
	openVotes(t, l)
	ok(t, l.CastVote(t.Context(), ballot(1)))
	_, err := l.AddRollout(t.Context(), testRollout("r1"), entry("rollout.add"))
	ok(t, err)
	l = reopen(t, l)
	ok(t, l.Ping(t.Context()))
	ok(t, l.VerifyAudit(t.Context()))
	ok(t, l.CastVote(t.Context(), ballot(1)))
	other := ballot(1)
	other.Check[0] ^= 1
	want(t, l.CastVote(t.Context(), other), store.ErrConflict)
	if got := tally(t, l, vote.Primary).Cells[vote.Trial]; fmt.Sprint(got) != "map[1:1]" {
		t.Errorf("counted %v", got)
	}
	if _, err := l.Rollout(t.Context(), "r1"); err != nil {
		t.Error(err)
	}
}
