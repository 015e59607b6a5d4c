package postgres_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

func withVotes(t testing.TB, l *postgres.Ledger) {
	t.Helper()
	must(t, l.AddProduct(t.Context(), store.Product{Name: ref.Product, Created: epoch}, line))
	must(t, l.AddRelease(t.Context(), store.Release{Product: ref.Product, Build: ref.Build, State: store.ReleaseStaged, Submitted: epoch}, line))
	must(t, l.OpenVotes(t.Context(), store.VoteRelease{Ref: ref, Secret: [32]byte{1}, Opened: epoch}))
}

func ballot(n int) store.Ballot {
	b := store.Ballot{Ref: ref, Set: vote.Primary, Class: vote.Trial, Cell: vote.Cell(n % 7)}
	binary.BigEndian.PutUint64(b.Nullifier[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(b.Check[:], uint64(n))
	return b
}

// counted is how many votes the ledger has, which must all be trials.
func counted(t testing.TB, l *postgres.Ledger) (n int64) {
	t.Helper()
	tally, err := l.Tally(t.Context(), ref, vote.Primary)
	must(t, err)
	for _, c := range tally.Cells[vote.Trial] {
		n += c
	}
	return n
}

// voting is how many votes are on their way at once.
const voting = 32

// voters cast votes as handsets do: each again and again until it is taken.
// They tell of each vote that was.
func voters(t *testing.T, l *postgres.Ledger, first, n int) (taken *atomic.Int64, wait func()) {
	taken = new(atomic.Int64)
	next := atomic.Int64{}
	next.Store(int64(first))
	var all sync.WaitGroup
	for range voting {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < first+n; i = int(next.Add(1)) - 1 {
				for {
					err := l.CastVote(t.Context(), ballot(i))
					if err == nil {
						break
					}
					if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrBusy) || t.Context().Err() != nil {
						t.Errorf("vote %d: %v", i, err)
						return
					}
				}
				taken.Add(1)
			}
		})
	}
	return taken, all.Wait
}

func reach(t *testing.T, taken *atomic.Int64, n int64) {
	t.Helper()
	for taken.Load() < n && !t.Failed() {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
}

// The engine crashes and is restarted amid votes: each that was acknowledged
// is there once, and so is each that was repeated because its answer was lost.
func TestRestartUnderLoadLosesNothing(t *testing.T) {
	p := storetest.StartPostgres(t)
	l := open(t, p, p.Database(t))
	withVotes(t, l)
	const n = 3000
	taken, wait := voters(t, l, 0, n)
	reach(t, taken, n/4)
	goesOn := func(cause string) {
		t.Helper()
		must(t, p.Start(t.Context()))
		ended := time.Now()
		reach(t, taken, min(taken.Load()+voting+1, n)) // one of them was sent after the start
		storetest.Recovered(t, cause, ended)
	}
	must(t, p.Kill())
	goesOn("PostgreSQL crashed under load")
	reach(t, taken, n/2)
	must(t, p.Stop())
	goesOn("PostgreSQL was restarted under load")
	wait()
	if got := counted(t, l); got != n || taken.Load() != n {
		t.Errorf("%d votes are counted, %d were acknowledged, of %d", got, taken.Load(), n)
	}
	must(t, l.VerifyAudit(t.Context()))
}

// The file of the marks is put on a device that is full, so PostgreSQL itself
// hears from the kernel that there is no space.
func TestFullDiskIsNamedAndCountsNothing(t *testing.T) {
	p := storetest.StartPostgres(t)
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	l := open(t, p, p.URL(name))
	withVotes(t, l)
	conn, err := p.Connect(t.Context(), name)
	must(t, err)
	var path string
	must(t, conn.QueryRow(t.Context(), `SELECT pg_relation_filepath('vote_marks')`).Scan(&path))
	must(t, conn.Close(t.Context()))
	file := filepath.Join(p.Dir, path)
	must(t, p.Stop())
	must(t, os.Rename(file, file+".aside"))
	must(t, os.Symlink("/dev/full", file))
	must(t, p.Start(t.Context()))
	err = l.CastVote(t.Context(), ballot(1))
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "No space left") {
		t.Errorf("got %v; want that the disk is full", err)
	}
	if got := counted(t, l); got != 0 {
		t.Errorf("%d votes are counted that were refused", got)
	}
	must(t, p.Stop())
	must(t, os.Rename(file+".aside", file))
	must(t, p.Start(t.Context()))
	ended := time.Now()
	must(t, l.CastVote(t.Context(), ballot(1)))
	storetest.Recovered(t, "PostgreSQL's disk was full", ended)
	if got := counted(t, l); got != 1 {
		t.Errorf("%d votes are counted", got)
	}
}

// Others take every connection that the engine gives.
func TestExhaustedEngineIsNamedAndRecovers(t *testing.T) {
	p := storetest.StartPostgres(t, "max_connections=12")
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	l := open(t, p, p.URL(name))
	withVotes(t, l)
	must(t, l.CastVote(t.Context(), ballot(0)))
	var hogs []*pgx.Conn
	own := []int32{}
	hog := func() {
		for {
			conn, err := p.Connect(t.Context(), name)
			if err != nil {
				return
			}
			hogs, own = append(hogs, conn), append(own, int32(conn.PgConn().PID()))
		}
	}
	hog()
	// They take the connections of the ledger too, once those are cut.
	_, err = hogs[0].Exec(t.Context(), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> ALL($1)`, own)
	must(t, err)
	hog()
	errs := make(chan error, 64)
	for range cap(errs) {
		go func() { _, err := l.Tally(t.Context(), ref, vote.Primary); errs <- err }()
	}
	refused := 0
	for range cap(errs) {
		if err := <-errs; err != nil {
			refused++
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "too many clients") {
				t.Errorf("got %v; want that the engine has no connection to give", err)
			}
		}
	}
	if refused == 0 {
		t.Error("nobody was refused, so the test shows nothing")
	}
	if err := l.CastVote(t.Context(), ballot(1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v; want that the engine has no connection to give", err)
	}
	for _, c := range hogs {
		must(t, c.Close(t.Context()))
	}
	ended := time.Now()
	// Whoever hung up is gone a moment later.
	for errors.Is(l.CastVote(t.Context(), ballot(1)), store.ErrUnavailable) {
	}
	for range cap(errs) {
		go func() { _, err := l.Tally(t.Context(), ref, vote.Primary); errs <- err }()
	}
	for range cap(errs) {
		must(t, <-errs)
	}
	storetest.Recovered(t, "others held all connections of PostgreSQL", ended)
	if n := counted(t, l); n != 2 {
		t.Errorf("%d votes are counted", n)
	}
}

// Under the strictest isolation PostgreSQL refuses whatever could not have
// happened one after the other. Two replicas write at once; whoever loses
// begins again, and everybody gets the right answer.
func TestSerializationFailuresAreRepeated(t *testing.T) {
	p := storetest.StartPostgres(t)
	url := p.Database(t) + "&default_transaction_isolation=serializable"
	replicas := []*postgres.Ledger{open(t, p, url), open(t, p, url)}
	withVotes(t, replicas[0])
	const n = 40
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			l := replicas[i%2]
			if _, err := l.Append(t.Context(), line); err != nil {
				t.Errorf("append: %v", err)
			}
			if err := l.CastVote(t.Context(), ballot(i/2)); err != nil {
				t.Errorf("cast: %v", err)
			}
		})
	}
	all.Wait()
	must(t, replicas[0].VerifyAudit(t.Context()))
	head, err := replicas[1].AuditHead(t.Context())
	must(t, err)
	if got := counted(t, replicas[1]); got != n/2 || head.Seq != n+2 {
		t.Errorf("%d votes of %d, %d entries of %d", got, n/2, head.Seq, n+2)
	}
	log, err := os.ReadFile(filepath.Join(filepath.Dir(p.Dir), "log"))
	must(t, err)
	if !bytes.Contains(log, []byte("could not serialize")) && !bytes.Contains(log, []byte("duplicate key")) {
		t.Errorf("nothing was ever refused, so the test shows nothing:\n%s", log)
	}
}

// Handsets repeat themselves, and a balancer sends the second try elsewhere.
func TestVoteOnTwoReplicasIsCountedOnce(t *testing.T) {
	p := storetest.StartPostgres(t)
	url := p.Database(t)
	replicas := []*postgres.Ledger{open(t, p, url), open(t, p, url), open(t, p, url)}
	withVotes(t, replicas[0])
	const n = 600
	var all sync.WaitGroup
	var first [n]atomic.Int64 // of two bodies under one nonce, one is taken
	for i := range n {
		for r, l := range replicas {
			all.Go(func() {
				if err := l.CastVote(t.Context(), ballot(i)); err != nil {
					t.Errorf("replica %d, vote %d: %v", r, i, err)
				}
			})
			all.Go(func() {
				b := ballot(n + i)
				b.Check[0] = byte(r)
				if err := l.CastVote(t.Context(), b); err == nil {
					first[i].Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					t.Errorf("replica %d, vote %d: %v", r, i, err)
				}
			})
		}
	}
	all.Wait()
	for i := range first {
		if got := first[i].Load(); got != 1 {
			t.Errorf("nonce %d was spent on %d votes", i, got)
		}
	}
	if got := counted(t, replicas[0]); got != 2*n {
		t.Errorf("%d votes are counted of %d", got, 2*n)
	}
}
