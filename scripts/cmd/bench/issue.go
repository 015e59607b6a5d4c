package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	voting "github.com/candor-ota/candor/server/votes"
)

// benchIssues is how many tokens are given out.
const benchIssues = 2000

// ballot is one handset's token and vote: what the service is asked, in order.
type ballot struct {
	issue *vote.IssueRequest
	cast  vote.CastRequest
}

// issuing measures what a token costs, in this process: the service with its
// ledger, SQLite on disk, called as the front calls it.
func issuing(ctx context.Context, dir string) ([]figure.Row, error) {
	ledger, err := sqlite.Create(ctx, filepath.Join(dir, "issuing.db"))
	if err != nil {
		return nil, err
	}
	rows, err := benchIssuing(ctx, ledger)
	return rows, errors.Join(err, ledger.Close())
}

func benchIssuing(ctx context.Context, ledger *sqlite.Ledger) ([]figure.Row, error) {
	var master vote.Master
	if _, err := rand.Read(master[:]); err != nil {
		return nil, err
	}
	never := func(context.Context, vote.Ref) (bool, error) { return false, nil }
	service, err := voting.New(voting.Config{Master: master, Ledger: ledger, Now: time.Now, Random: rand.Reader, FirstStage: never})
	if err != nil {
		return nil, err
	}
	ballots, err := prepare(ctx, service, ledger, master)
	if err != nil {
		return nil, err
	}
	crypto, err := cryptoCost(master, ballots[:1000])
	if err != nil {
		return nil, err
	}
	cpu, _, err := drive(len(ballots), 32, func(i int) error {
		_, err := service.Issue(ctx, ballots[i].issue)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	return []figure.Row{
		figure.AtMost("issue and verify (evaluation, proof, MAC), CPU", crypto, "µs/vote", 450),
		figure.Of("issue with its ledger and signatures, CPU", 1e6*cpu/float64(len(ballots)), "µs/token"),
	}, nil
}

// cryptoCost is what a vote costs beyond the ledger: on one goroutine, so that
// CPU time is elapsed time.
func cryptoCost(master vote.Master, ballots []ballot) (float64, error) {
	key, err := master.Key(benchRef, vote.Trial, vote.Primary)
	if err != nil {
		return 0, err
	}
	cpu, _, err := drive(len(ballots), 1, func(i int) error {
		if _, err := key.Evaluate(ballots[i].issue.Blinded); err != nil {
			return err
		}
		if !key.Accepts(&ballots[i].cast) {
			return errors.New("a good vote was refused")
		}
		return nil
	})
	return 1e6 * cpu / float64(len(ballots)), err
}

// drive calls do n times from some goroutines, and gives the CPU and the time
// that it took, in seconds.
func drive(n, goroutines int, do func(int) error) (cpu, took float64, err error) {
	var next atomic.Int64
	errs := make([]error, goroutines)
	began, before := time.Now(), processCPU()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[g] == nil; i = int(next.Add(1)) - 1 {
				errs[g] = do(i)
			}
		})
	}
	wg.Wait()
	return processCPU() - before, time.Since(began).Seconds(), errors.Join(errs...)
}

func processCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// prepare makes enrolled handsets with everything that they will send; the
// handsets' own work is not measured.
func prepare(ctx context.Context, service *voting.Service, ledger *sqlite.Ledger, master vote.Master) ([]ballot, error) {
	now := time.Now()
	entry := store.Entry{At: now, Who: "bench", What: "bench"}
	ca, err := voting.NewBatchCA(rand.Reader, "bench", now.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		ledger.AddProduct(ctx, store.Product{Name: benchRef.Product, Created: now}, entry),
		ledger.AddRelease(ctx, store.Release{Product: benchRef.Product, Build: benchRef.Build, State: store.ReleasePublished, Submitted: now}, entry),
		ledger.AddBatch(ctx, store.Batch{Name: "bench", CA: ca.Certificate, DailyCap: 2 * benchIssues, Created: now}, entry),
		service.OpenRelease(ctx, benchRef),
	); err != nil {
		return nil, err
	}
	key, err := master.Key(benchRef, vote.Trial, vote.Primary)
	if err != nil {
		return nil, err
	}
	all := make([]ballot, benchIssues)
	_, _, err = drive(len(all), 4, func(i int) (err error) {
		all[i], err = newBallot(ctx, service, ca, key)
		return err
	})
	return all, err
}

func newBallot(ctx context.Context, service *voting.Service, ca voting.KeyPair, key *vote.Key) (ballot, error) {
	pair, err := voting.IssueCredential(rand.Reader, ca)
	if err != nil {
		return ballot{}, err
	}
	credential, err := voting.ParseKey(pair.PrivateKey)
	if err != nil {
		return ballot{}, err
	}
	public, device, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return ballot{}, err
	}
	enrol := &vote.EnrolRequest{DeviceKey: vote.DeviceKey(public), Credential: pair.Certificate}
	enrol.Sign(credential)
	if err := service.Enrol(ctx, enrol); err != nil {
		return ballot{}, err
	}
	b := ballot{issue: &vote.IssueRequest{
		Product: benchRef.Product, Build: benchRef.Build, Class: vote.Trial, Set: vote.Primary,
		DeviceKey: enrol.DeviceKey, Credential: pair.Certificate,
	}}
	if b.issue.Blinded, b.cast, err = newCast(key); err != nil {
		return ballot{}, err
	}
	b.issue.Sign(device, credential)
	return b, nil
}

// newCast makes a vote with a good token, and the element that drew it.
func newCast(key *vote.Key) (blinded vote.Blinded, cast vote.CastRequest, err error) {
	pending, err := vote.NewPending(rand.Reader)
	if err != nil {
		return blinded, cast, err
	}
	if blinded, err = pending.Blinded(); err != nil {
		return blinded, cast, err
	}
	answer, err := key.Evaluate(blinded)
	if err != nil {
		return blinded, cast, err
	}
	token, err := pending.Finish(key.Public(), answer)
	if err != nil {
		return blinded, cast, err
	}
	healthy := vote.Vote{
		V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious,
		Attempts: vote.AttemptsOne, Duration: vote.UnderHour,
	}
	cast, err = token.Cast(benchRef, vote.Trial, vote.Primary, healthy)
	return blinded, cast, err
}
