package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/storetest"
)

const (
	// The votes of an engine: as fast as the server takes them from 256
	// connections, and then at 80 % of that.
	votesFlatOut = 16_000
	votesSteady  = 8_000
	votesOneCore = 4_000 // by a server that has one processor to run on
	voters       = 256
	steadyShare  = 0.8
)

// benchLimits let one address be a whole fleet.
const benchLimits = "limits: {connectionsPerAddress: 10000, reportsPerAddress: {burst: 1000000, perSecond: 1000000}}\n"

var benchRef = vote.Ref{Product: phoneProduct, Build: 42}

// votes measures the real server, a process of its own, with its ledger in
// SQLite and in PostgreSQL: what arrives are votes of handsets over HTTP, what
// counts is an answer, which the server gives once the vote is durable.
func votes(ctx context.Context, dir string) ([]figure.Row, error) {
	rows, err := issuing(ctx, dir)
	if err != nil {
		return nil, err
	}
	more, err := votesOn(ctx, filepath.Join(dir, "sqlite"), onSQLite())
	if err != nil {
		return nil, fmt.Errorf("SQLite: %w", err)
	}
	rows = append(rows, more...)
	p, err := storetest.RunPostgres(ctx)
	if err != nil {
		return nil, err
	}
	e, err := onPostgres(ctx, p, filepath.Join(dir, "password"))
	if err == nil {
		more, err = votesOn(ctx, filepath.Join(dir, "postgres"), e)
		rows = append(rows, more...)
	}
	return rows, errors.Join(err, p.Close())
}

func votesOn(ctx context.Context, dir string, e engine) (rows []figure.Row, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	w, err := world.New(ctx, dir, benchLimits, e.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	key, err := openVotes(ctx, config.Dir(w.Path("data")))
	if err != nil {
		return nil, err
	}
	_, probe, err := newCast(key)
	if err != nil {
		return nil, err
	}
	requests, err := castRequests(key, strings.TrimPrefix(w.Server, "http://"), votesFlatOut+votesSteady+votesOneCore)
	if err != nil {
		return nil, err
	}
	check, _, err := drive(1000, 1, func(int) error {
		if !key.Accepts(&probe) {
			return errors.New("a good vote was refused")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	flatOut, steady := requests[:votesFlatOut], requests[votesFlatOut:votesFlatOut+votesSteady]
	full, err := castAll(ctx, w, flatOut, 0)
	if err != nil {
		return nil, err
	}
	calm, err := castAll(ctx, w, steady, steadyShare*full.perSecond())
	if err != nil {
		return nil, err
	}
	rows = []figure.Row{
		figure.AtLeast("durable votes by HTTP, "+e.name, full.perCPUSecond(), "votes/CPU-s of the server", 8000),
		figure.Of("CPU of a vote, "+e.name, 1e6/full.perCPUSecond(), "µs"),
		figure.Of("of which the token check, alone on this machine at that time", 1000*check, "µs"),
		figure.Of("the same in time, the load on the same cores", full.perSecond(), "votes/s"),
		figure.Of("p99 flat out", full.p99()*1000, "ms"),
		figure.AtMost("p99 at 80 % of that", calm.p99()*1000, "ms", 250),
	}
	kept, err := e.kept(ctx, w)
	if err != nil {
		return nil, err
	}
	one, err := onOneProcessor(ctx, w, requests[votesFlatOut+votesSteady:])
	return append(append(rows, kept...), one...), err
}

// onOneProcessor casts votes at a server with GOMAXPROCS=1, where a group commit
// that drains what is queued and writes at once would collapse into groups of
// one.
func onOneProcessor(ctx context.Context, w *world.World, requests [][]byte) ([]figure.Row, error) {
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		return nil, err
	}
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil { // of what is started from here
		return nil, err
	}
	err := w.StartServer(ctx)
	if err = errors.Join(err, os.Unsetenv("GOMAXPROCS")); err != nil {
		return nil, err
	}
	p, err := castAll(ctx, w, requests, 0)
	if err != nil {
		return nil, err
	}
	return []figure.Row{
		figure.Of(fmt.Sprintf("GOMAXPROCS=1, %d connections", voters), p.perSecond(), "votes/s"),
		figure.AtMost("p99 of that", p.p99()*1000, "ms", 500),
	}, nil
}

// openVotes opens the votes of a release beside the server that runs.
func openVotes(ctx context.Context, d config.Dir) (*vote.Key, error) {
	f, err := d.Load()
	if err != nil {
		return nil, err
	}
	master, err := d.LoadMaster()
	if err != nil {
		return nil, err
	}
	ledger, err := d.OpenLedger(ctx, f)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	entry := store.Entry{At: now, Who: "bench", What: "bench"}
	err = errors.Join(
		ledger.AddProduct(ctx, store.Product{Name: benchRef.Product, Created: now}, entry),
		ledger.AddRelease(ctx, store.Release{Product: benchRef.Product, Build: benchRef.Build, State: store.ReleasePublished, Submitted: now}, entry),
		ledger.OpenVotes(ctx, store.VoteRelease{Ref: benchRef, Secret: [32]byte{1}, Opened: now}),
		ledger.Close(),
	)
	if err != nil {
		return nil, err
	}
	return master.Key(benchRef, vote.Trial, vote.Primary)
}

// castRequests makes votes as they go over the wire; the handsets' own work,
// and that of the signer of tokens, is not measured.
func castRequests(key *vote.Key, host string, n int) ([][]byte, error) {
	all := make([][]byte, n)
	_, _, err := drive(n, 4, func(i int) error {
		_, cast, err := newCast(key)
		if err != nil {
			return err
		}
		body, err := json.Marshal(cast)
		if err != nil {
			return err
		}
		all[i] = fmt.Appendf(nil, "POST /v1/votes HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body)
		return nil
	})
	return all, err
}

// polled is what votes cost the server, and how long each waited, sorted.
type polled struct {
	cpu, took float64 // seconds
	waits     []time.Duration
}

func (p polled) perCPUSecond() float64 { return float64(len(p.waits)) / p.cpu }
func (p polled) perSecond() float64    { return float64(len(p.waits)) / p.took }
func (p polled) p99() float64          { return p.waits[len(p.waits)*99/100].Seconds() }

// castAll sends votes over keep-alive connections: each as soon as one is free,
// or, with a rate, at moments of its own; a vote that had to wait for a
// connection waited.
func castAll(ctx context.Context, w *world.World, requests [][]byte, rate float64) (polled, error) {
	before, err := figure.CPUSeconds(w.ServerID())
	if err != nil {
		return polled{}, err
	}
	p := polled{waits: make([]time.Duration, len(requests))}
	began := time.Now()
	due := func(i int) time.Time {
		if rate == 0 {
			return time.Now()
		}
		at := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		time.Sleep(time.Until(at))
		return at
	}
	var next atomic.Int64
	errs := make([]error, voters)
	var wg sync.WaitGroup
	for v := range voters {
		wg.Go(func() {
			errs[v] = voter(ctx, strings.TrimPrefix(w.Server, "http://"), func(send func([]byte) error) error {
				for i := int(next.Add(1)) - 1; i < len(requests); i = int(next.Add(1)) - 1 {
					at := due(i)
					if err := send(requests[i]); err != nil {
						return err
					}
					p.waits[i] = time.Since(at)
				}
				return nil
			})
		})
	}
	wg.Wait()
	p.took = time.Since(began).Seconds()
	after, err := figure.CPUSeconds(w.ServerID())
	p.cpu = after - before
	slices.Sort(p.waits)
	return p, cmp.Or(cmp.Or(errs...), err) // one says enough
}

// voter hands work a way to send requests over one connection.
func voter(ctx context.Context, address string, work func(send func([]byte) error) error) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	a := newAnswers(conn, http.StatusNoContent)
	err = work(func(request []byte) error {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		return a.next()
	})
	return errors.Join(err, conn.Close())
}
