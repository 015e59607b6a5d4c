package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

var (
	ref   = vote.Ref{Product: "phone", Build: 43}
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	line  = store.Entry{At: epoch, Who: "li", What: "test"}
)

func fresh(t testing.TB) (string, *Ledger) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "odd name?#%41 ü", "ledger.db")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Create(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return file, l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func withVotes(t testing.TB, l *Ledger) {
	t.Helper()
	must(t, l.AddProduct(t.Context(), store.Product{Name: ref.Product, Created: epoch}, line))
	must(t, l.AddRelease(t.Context(), store.Release{Product: ref.Product, Build: ref.Build, State: store.ReleaseStaged, Submitted: epoch}, line))
	must(t, l.OpenVotes(t.Context(), store.VoteRelease{Ref: ref, Secret: [32]byte([]byte("secret of the release, 32 bytes!")), Opened: epoch}))
}

func ballot(n uint64) store.Ballot {
	b := store.Ballot{Ref: ref, Set: vote.Primary, Class: vote.Trial, Cell: vote.Cell(n % 7)}
	copy(b.Nullifier[:], fmt.Appendf(nil, "%016x", n*0x9e3779b97f4a7c15))
	return b
}

func TestConformance(t *testing.T) {
	files := map[store.Ledger]string{}
	open := func(t *testing.T) store.Ledger {
		file, l := fresh(t)
		files[l] = file
		return l
	}
	storetest.Ledger(t, open, func(t *testing.T, l store.Ledger) store.Ledger {
		must(t, l.Close())
		again, err := Open(t.Context(), files[l])
		must(t, err)
		t.Cleanup(func() { must(t, again.Close()) })
		return again
	})
}

func TestNothingIsCreatedImplicitly(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), filepath.Join(dir, "ledger.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want a refusal", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	file, _ := fresh(t)
	if _, err := Create(t.Context(), file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an existing ledger was created again: %v", err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestDamagedFileRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	must(t, os.WriteFile(file, bytes.Repeat([]byte("no database "), 1000), 0o600))
	if l, err := Open(t.Context(), file); err == nil {
		t.Errorf("a damaged file was opened: %v", l.Close())
	}
}

func TestLedgerThatCouldLoseWritesRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	for _, weak := range []string{"_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", "_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)"} {
		weak := "file:" + file + "?" + weak
		if _, err := connect(t.Context(), weak, weak); err == nil || !strings.Contains(err.Error(), "could be lost") {
			t.Errorf("%s: got %v; want a refusal", weak, err)
		}
	}
}

// What was acknowledged is in the files at that moment, whatever happens to
// the process.
func TestAcknowledgedVoteSurvivesKill(t *testing.T) {
	file, l := fresh(t)
	withVotes(t, l)
	must(t, l.CastVote(t.Context(), ballot(1)))
	copied := filepath.Join(t.TempDir(), "ledger.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + suffix)
		must(t, err)
		must(t, os.WriteFile(copied+suffix, data, 0o600))
	}
	after, err := Open(t.Context(), copied)
	must(t, err)
	tally, err := after.Tally(t.Context(), ref, vote.Primary)
	must(t, errors.Join(err, after.Close()))
	if tally.Cells[vote.Trial][1] != 1 {
		t.Errorf("counted %v", tally.Cells)
	}
}

func TestChangedAuditLogIsFound(t *testing.T) {
	for name, change := range map[string]string{
		"changed":  `UPDATE audit SET why = 'for fun' WHERE seq = 2`,
		"removed":  `DELETE FROM audit WHERE seq = 2`,
		"in front": `DELETE FROM audit WHERE seq = 1`,
		"relinked": `UPDATE audit SET prev = hash WHERE seq = 3`,
	} {
		file, l := fresh(t)
		for range 3 {
			_, err := l.Append(t.Context(), line)
			must(t, err)
		}
		must(t, l.VerifyAudit(t.Context()))
		db, err := sql.Open("sqlite", dsn(file, "_txlock=immediate"))
		must(t, err)
		_, err = db.ExecContext(t.Context(), change)
		must(t, errors.Join(err, db.Close()))
		if l.VerifyAudit(t.Context()) == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

// onDisk tells whether bytes stand anywhere in the files.
func onDisk(t *testing.T, file string, what []byte) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + suffix)
		must(t, err)
		if bytes.Contains(data, what) {
			return true
		}
	}
	return false
}

func TestWithdrawnKeyIsNowhereOnDisk(t *testing.T) {
	file, l := fresh(t)
	must(t, l.AddBatch(t.Context(), store.Batch{Name: "b1", Created: epoch}, line))
	key := vote.DeviceKey([]byte("this is the key of one handset.."))
	must(t, l.Enrol(t.Context(), store.Enrolment{DeviceKey: key, Batch: "b1"}, 9))
	if !onDisk(t, file, key[:]) {
		t.Fatal("the key was never written, so the test shows nothing")
	}
	must(t, l.Withdraw(t.Context(), key))
	if onDisk(t, file, key[:]) {
		t.Error("the key is still in the files")
	}
}

func TestClosedVotesLeaveNothingOnDisk(t *testing.T) {
	file, l := fresh(t)
	withVotes(t, l)
	v, err := l.VoteRelease(t.Context(), ref)
	must(t, err)
	b, issue := ballot(5), store.Issue{Ref: ref, Set: vote.Primary, Class: vote.Trial, Tag: store.Tag([]byte("tag of a handset"))}
	must(t, l.CastVote(t.Context(), b))
	must(t, l.RecordIssue(t.Context(), issue))
	traces := map[string][]byte{"secret": v.Secret[:], "nullifier": b.Nullifier[:8], "tag": issue.Tag[:]}
	for name, trace := range traces {
		if !onDisk(t, file, trace) {
			t.Fatalf("the %s was never written, so the test shows nothing", name)
		}
	}
	must(t, l.CloseVotes(t.Context(), ref, line))
	for name, trace := range traces {
		if onDisk(t, file, trace) {
			t.Errorf("the %s is still in the files", name)
		}
	}
}

// BenchmarkDurableVotes measures accepted votes with 256 callers, on all CPUs
// and on one.
func BenchmarkDurableVotes(b *testing.B) {
	for _, cpus := range []int{1, runtime.NumCPU()} {
		b.Run(fmt.Sprintf("cpus=%d", cpus), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
			_, l := fresh(b)
			withVotes(b, l)
			var n atomic.Uint64
			b.SetParallelism(256 / cpus)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					must(b, l.CastVote(b.Context(), ballot(n.Add(1))))
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "votes/s")
		})
	}
}
