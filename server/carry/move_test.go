package carry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/relational"
	"github.com/candor-ota/candor/server/store/s3"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
	"github.com/candor-ota/candor/server/store/storetest"
)

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ref   = vote.Ref{Product: "phone", Build: 43}
	line  = store.Entry{At: epoch, Who: "li", What: "test"}
)

// ledger is one whose rows can be carried, with the rest of what a server
// does with it.
type ledger interface {
	store.Ledger
	carry.Ledger
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSQLite(t testing.TB) ledger {
	t.Helper()
	l := sqlitetest.NewLedger(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func newPostgres(t testing.TB, p *storetest.Postgres) ledger {
	t.Helper()
	l, err := postgres.Open(t.Context(), postgres.Config{URL: p.Database(t), Password: p.Password})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func newDisk(t testing.TB) *disk.Blobs {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, disk.Create(dir))
	b, err := disk.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// lived fills a ledger with a row at least in every table, and with texts that
// engines sort differently.
func lived(t testing.TB, l ledger) {
	t.Helper()
	ctx := t.Context()
	for _, p := range []manifests.Product{"phone", "a-b", "ab", "a1"} {
		must(t, l.AddProduct(ctx, store.Product{Name: p, Created: epoch}, line))
	}
	must(t, l.AddRelease(ctx, store.Release{Product: "phone", Build: 43, Version: "4.3", Path: "releases/phone/43.json", State: store.ReleaseStaged, Submitted: epoch, SubmittedBy: "li"}, line))
	_, err := l.AddRollout(ctx, store.Rollout{ID: "r1", Product: "phone", Build: 43, State: "draft", Document: []byte(`{}`), Created: epoch, Updated: epoch}, line)
	must(t, err)
	lease, err := l.Acquire(ctx, store.LeaseRequest{Name: "publish", Holder: "x", Now: epoch, For: time.Hour})
	must(t, err)
	_, err = l.ReserveVersion(ctx, lease, "snapshot", 7)
	must(t, err)
	must(t, l.SetHead(ctx, lease, 0, store.Head{Name: "submission", Version: 1, ETag: "x", Document: nil, Updated: epoch}))
	must(t, l.AddToken(ctx, store.Token{ID: "t", Name: "ci", Owner: "local:ci", Role: "admin", Created: epoch}, line))
	must(t, l.AddLogin(ctx, store.Login{Hash: manifests.SumSHA256([]byte("l")), Next: "/", Expires: epoch.Add(time.Hour)}, 10, epoch))
	must(t, l.AddSession(ctx, store.Session{ID: "s", Person: "p", Issuer: "i", Name: "Zoë", Created: epoch, Seen: epoch, Expires: epoch.Add(time.Hour)}, line))
	change := store.KeyedChange{Who: "li", Key: manifests.SumSHA256([]byte("k")), Claim: "c", Now: epoch}
	_, _, err = l.BeginChange(ctx, change)
	must(t, err)
	_, err = l.OpenHook(ctx, "chat")
	must(t, err)
	must(t, l.AddUpload(ctx, store.Upload{ID: "u", Owner: "t", Size: 5, Created: epoch, Updated: epoch}))
	must(t, l.AddBatch(ctx, store.Batch{Name: "b1", CA: "pem", DailyCap: 5000, Created: epoch}, line))
	must(t, l.OpenVotes(ctx, store.VoteRelease{Ref: ref, Secret: [32]byte{1}, Opened: epoch}))
	for i := range 3 {
		key := vote.DeviceKey{byte(i), 9}
		must(t, l.Enrol(ctx, store.Enrolment{DeviceKey: key, Batch: "b1", Day: store.DayOf(epoch)}, 5000))
		must(t, l.RecordIssue(ctx, store.Issue{Ref: ref, Set: vote.Primary, Class: vote.Attempt, Batch: "b1", Tag: store.Tag{byte(i)}, Element: [16]byte{2}}))
		must(t, l.CastVote(ctx, store.Ballot{Ref: ref, Set: vote.Primary, Class: vote.Attempt, Cell: 1, Nullifier: vote.Nullifier{byte(i)}, Hour: 5}))
	}
	_, err = l.Show(ctx, store.Shown{Ref: ref, Period: epoch, Counts: []byte("{}"), Hours: []byte("{}"), Totals: store.Totals{Attempts: 3}})
	must(t, err)
	must(t, l.AddLabReport(ctx, store.LabReport{Ref: ref, Class: vote.Trial, DeviceKey: vote.DeviceKey{7}, Batch: "b1", Cell: 1, At: epoch}))
	must(t, l.MuteLab(ctx, vote.DeviceKey{7}, true, line))
	_, err = l.AddEvent(ctx, store.Event{
		ID: "e1", Kind: "release", Product: "phone", Build: 43, State: store.EventOpen, Facts: []byte("{}"), Body: []byte{0, 1}, Opened: epoch, Owner: "li",
		Words: []store.EventWord{{KeyID: "k", Said: []byte("{}"), At: epoch, By: "li"}},
	}, line)
	must(t, err)
	must(t, l.AddRemark(ctx, "e1", store.EventRemark{At: epoch, By: "li", Person: "li", Reject: true, Text: "no"}, line))
}

func quiet(carry.Count) {}

// many adds so many audit entries that they take several transactions.
func many(t testing.TB, l ledger, n int) {
	t.Helper()
	must(t, l.Fill(t.Context(), "test", func(f *relational.Filling) error {
		var e store.Entry
		var rows []relational.Row
		last, err := l.AuditHead(t.Context())
		if err != nil {
			return err
		}
		e.Seq, e.Hash = last.Seq, last.Hash
		for range n {
			e.At, e.Who, e.What, e.Seq, e.Prev = epoch, "li", "test", e.Seq+1, e.Hash
			e.Hash = e.Sum()
			prev, hash := e.Prev, e.Hash
			rows = append(rows, relational.Row{e.Seq, e.At.Unix(), e.Who, e.What, "", "", "", prev[:], hash[:]})
		}
		return f.Insert(t.Context(), relational.Table{Name: "audit"},
			[]string{"seq", "at", "who", "what", "subject", "why", "detail", "prev", "hash"}, rows)
	}))
}

func TestEveryRowMovesBetweenAnyTwoEngines(t *testing.T) {
	p := storetest.StartPostgres(t)
	engines := map[string]func() ledger{
		"sqlite":   func() ledger { return newSQLite(t) },
		"postgres": func() ledger { return newPostgres(t, p) },
	}
	for from, open := range engines {
		for to, create := range engines {
			t.Run(from+" to "+to, func(t *testing.T) {
				a, b := open(), create()
				lived(t, a)
				many(t, a, 4500)
				moved, err := carry.MoveLedger(t.Context(), a, b, false, func(c carry.Count) {
					if c.Rows == 0 {
						t.Errorf("table %s is not tested: it has no row", c.Table)
					}
				})
				must(t, err)
				head, err := a.AuditHead(t.Context())
				must(t, err)
				if len(moved.Tables) != len(relational.Tables()) || moved.Audit != head || moved.Rows < 4500 {
					t.Errorf("%+v; the log ends at %v", moved, head)
				}
				must(t, carry.Ready(t.Context(), b))
				again, err := carry.MoveLedger(t.Context(), a, b, false, quiet)
				if err != nil || again.Rows != moved.Rows {
					t.Errorf("a finished move, run again: %d rows, %v", again.Rows, err)
				}
				// It lives on where the other ended.
				must(t, b.AddProduct(t.Context(), store.Product{Name: "next", Created: epoch}, line))
				must(t, b.VerifyAudit(t.Context()))
				if err := b.CastVote(t.Context(), store.Ballot{Ref: ref, Set: vote.Primary, Class: vote.Attempt, Cell: 2, Nullifier: vote.Nullifier{1}, Check: [8]byte{1}, Hour: 5}); !errors.Is(err, store.ErrConflict) {
					t.Errorf("a spent nullifier is forgotten: %v", err)
				}
				if _, err := carry.MoveLedger(t.Context(), a, b, false, quiet); !errors.Is(err, carry.ErrTaken) {
					t.Errorf("a target that has gone on: %v", err)
				}
			})
		}
	}
}

// dying is a ledger whose process is killed at the nth transaction, before it
// or just after.
type dying struct {
	ledger
	left  int
	after bool
}

var errKilled = errors.New("killed")

func (d *dying) Fill(ctx context.Context, what string, f func(*relational.Filling) error) error {
	if d.left--; d.left > 0 {
		return d.ledger.Fill(ctx, what, f)
	}
	if d.left == 0 && d.after {
		if err := d.ledger.Fill(ctx, what, f); err != nil {
			return err
		}
	}
	return errKilled
}

func TestMoveKilledAnywhereGoesOn(t *testing.T) {
	a := newSQLite(t)
	lived(t, a)
	many(t, a, 2100)
	for _, after := range []bool{false, true} {
		b := newSQLite(t)
		kills := 0
		for ; ; kills++ {
			// Each run gets one transaction further than the one before.
			_, err := carry.MoveLedger(t.Context(), a, &dying{b, 2, after}, false, quiet)
			if err == nil {
				break
			}
			if !errors.Is(err, errKilled) || kills > 200 {
				t.Fatalf("kill %d: %v", kills, err)
			}
			if after && kills == 0 {
				if err := carry.Ready(t.Context(), b); !errors.Is(err, carry.ErrFilling) {
					t.Errorf("half a ledger may be served: %v", err)
				}
			}
		}
		if kills < 12 {
			t.Errorf("killed %d times only", kills)
		}
		must(t, carry.Ready(t.Context(), b))
		must(t, b.VerifyAudit(t.Context()))
	}
}

func TestMoveIntoSomethingElseRefused(t *testing.T) {
	a, b := newSQLite(t), newSQLite(t)
	lived(t, a)
	must(t, b.AddProduct(t.Context(), store.Product{Name: "other", Created: epoch}, store.Entry{At: epoch, Who: "su", What: "test"}))
	if _, err := carry.MoveLedger(t.Context(), a, b, false, quiet); !errors.Is(err, carry.ErrTaken) {
		t.Errorf("got %v", err)
	}
	if _, err := carry.MoveLedger(t.Context(), a, b, true, quiet); !errors.Is(err, carry.ErrTaken) {
		t.Errorf("--again into another ledger: %v", err)
	}
	list, err := b.Products(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("the target has changed: %v, %v", list, err)
	}
	c := newSQLite(t)
	if _, err := carry.MoveLedger(t.Context(), a, &dying{c, 2, true}, false, quiet); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if _, err := carry.MoveLedger(t.Context(), b, c, false, quiet); !errors.Is(err, carry.ErrTaken) {
		t.Errorf("what another move began: %v", err)
	}
	if _, err := carry.MoveLedger(t.Context(), c, newSQLite(t), false, quiet); !errors.Is(err, carry.ErrFilling) {
		t.Errorf("half a ledger was moved on: %v", err)
	}
}

func TestSourceThatIsWrittenToMeanwhileIsNoticed(t *testing.T) {
	a, b := newSQLite(t), newSQLite(t)
	lived(t, a)
	if _, err := carry.MoveLedger(t.Context(), a, &dying{b, 4, true}, false, quiet); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	must(t, a.AddProduct(t.Context(), store.Product{Name: "a0", Created: epoch}, line)) // before the last key
	if _, err := carry.MoveLedger(t.Context(), a, b, false, quiet); !errors.Is(err, carry.ErrChanged) {
		t.Errorf("got %v", err)
	}
	if err := carry.Ready(t.Context(), b); !errors.Is(err, carry.ErrFilling) {
		t.Errorf("a target that differs may be served: %v", err)
	}
	_, err := carry.MoveLedger(t.Context(), a, b, true, quiet)
	must(t, err)
	must(t, carry.Ready(t.Context(), b))
}

func fillBlobs(t testing.TB, b store.Blobs) {
	t.Helper()
	for i := range 5 {
		data := fmt.Appendf(nil, "image %d", i)
		must(t, store.PutBytes(t.Context(), b, layout.BlobFile(manifests.SumSHA256(data)), data))
		must(t, store.PutBytes(t.Context(), b, layout.MetadataFile("snapshot", int64(i+1)), data))
	}
	_, err := b.Replace(t.Context(), layout.TimestampFile, []byte("now"), "")
	must(t, err)
}

// refusing is a store that takes n objects and then is gone.
type refusing struct {
	store.Blobs
	left int
}

func (r *refusing) Put(ctx context.Context, o store.Object, body io.Reader) error {
	if r.left--; r.left < 0 {
		return errKilled
	}
	return r.Blobs.Put(ctx, o, body)
}

func TestEveryObjectMovesToABucketAndBack(t *testing.T) {
	server := storetest.StartS3(t)
	bucket, err := s3.New(t.Context(), server.Config(t, "bucket"))
	must(t, err)
	a, c := newDisk(t), newDisk(t)
	fillBlobs(t, a)
	var done carry.Objects
	kills := 0
	for ; ; kills++ {
		done, err = carry.MoveBlobs(t.Context(), a, &refusing{bucket, 2}, func(string) {})
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) || kills > 20 {
			t.Fatal(err)
		}
		if _, err := bucket.Stat(t.Context(), layout.TimestampFile); !errors.Is(err, store.ErrNotFound) {
			t.Error("a tree that is not whole has a timestamp")
		}
	}
	if kills < 4 || done.Objects != 11 {
		t.Errorf("killed %d times; %+v", kills, done)
	}
	back, err := carry.MoveBlobs(t.Context(), bucket, c, func(string) {})
	if err != nil || back.Objects != 11 || back.Sent != 10 || back.Bytes != done.Bytes {
		t.Errorf("back: %+v, %v", back, err)
	}
	data, _, err := c.Load(t.Context(), layout.TimestampFile)
	if err != nil || string(data) != "now" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestTargetObjectsThatDifferAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(b store.Blobs) error{
		"one more": func(b store.Blobs) error { return store.PutBytes(context.Background(), b, "other", nil) },
		"other bytes": func(b store.Blobs) error {
			return store.PutBytes(context.Background(), b, layout.MetadataFile("snapshot", 1), []byte("Image 0"))
		},
		"another length": func(b store.Blobs) error {
			return store.PutBytes(context.Background(), b, layout.MetadataFile("snapshot", 1), nil)
		},
		"another head": func(b store.Blobs) error {
			_, err := b.Replace(context.Background(), layout.TimestampFile, []byte("x"), "")
			return err
		},
	} {
		a, b := newDisk(t), newDisk(t)
		fillBlobs(t, a)
		must(t, spoil(b))
		if _, err := carry.MoveBlobs(t.Context(), a, b, func(string) {}); !errors.Is(err, carry.ErrTaken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	a, b := newDisk(t), newDisk(t)
	must(t, store.PutBytes(t.Context(), a, layout.BlobFile(manifests.SumSHA256([]byte("x"))), []byte("y")))
	if _, err := carry.MoveBlobs(t.Context(), a, b, func(string) {}); !errors.Is(err, store.ErrMismatch) || !strings.Contains(err.Error(), "blobs/") {
		t.Errorf("a damaged image: %v", err)
	}
}
