package world_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/postgres"
	"github.com/candor-ota/candor/server/store/storetest"
)

var replicaKills = flag.Int("replicakills", 100, "how often one of three servers is killed")

// Done when (replicas): three servers on one PostgreSQL and one bucket are
// killed, frozen and cut off from their ledger at random, while releases are
// published, votes cast and rollouts changed by way of all of them. Nothing that
// was acknowledged is lost, nothing is done or decided twice, and each server
// shows a handset one tree after the other, never a mixture and never an older
// one.
func TestKilledAtAnyMomentReplicasLoseNothingAndDecideOnce(t *testing.T) {
	c := newCluster(t)
	begun := time.Now()
	for c.drama.figures.kills < *replicaKills {
		c.disturb()
		c.submit(false)
		c.cast(8)
		c.drama.scene()
		c.hear()
	}
	c.submit(true)
	c.rest()
	t.Logf("%+v, %+v, %d submissions in %s", c.drama.figures, c.figures, c.submissions.Load(), time.Since(begun).Round(time.Second))
}

// cluster is a drama that is played by three servers.
type cluster struct {
	t        *testing.T
	drama    *drama
	replicas *world.Replicas
	engine   *storetest.Postgres
	database string
	dead     int // the server that was killed last
	frozen   int // -1: none
	thawed   chan error

	master  vote.Master
	waiting [][]byte // votes that nobody acknowledged yet
	heard   chan ballot
	sent    int

	submitted chan error // of the release that is on its way; nil: none
	newest    manifests.Build

	figures     struct{ pauses, cuts, votes, repeatedVotes, releases int }
	submissions atomic.Int64 // tries
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, frozen: -1, heard: make(chan ballot, 1024), thawed: make(chan error, 1)}
	c.replicas, c.engine, c.database = newReplicas(t, 3)
	var err error
	if c.master, err = config.Dir(c.replicas.Path("data")).LoadMaster(); err != nil {
		t.Fatal(err)
	}
	c.drama = begin(t, c.replicas.World, c, *seed)
	c.drama.vote(goodBuild, wellCell(t), 400)
	for _, one := range c.replicas.All {
		h := newWatcher(c.drama, func() string { return one.Server })
		h.patient = true
		c.drama.crowd = append(c.drama.crowd, h)
	}
	c.drama.check(nil)
	c.drama.figures = figures{}
	return c
}

func (c *cluster) patience() time.Duration { return time.Minute }

func (c *cluster) kill() error {
	for c.dead = c.drama.random.IntN(len(c.replicas.All)); c.dead == c.frozen; {
		c.dead = c.drama.random.IntN(len(c.replicas.All))
	}
	return c.replicas.All[c.dead].KillServer()
}

func (c *cluster) spawn() error { return c.replicas.All[c.dead].SpawnServer() }
func (c *cluster) ready() error { return c.replicas.All[c.dead].WaitReady(ctx) }

func (c *cluster) end() error {
	c.thaw(true)
	var errs []error
	for _, one := range c.replicas.All {
		errs = append(errs, one.KillServer())
	}
	return errors.Join(errs...)
}

func (c *cluster) book() (ballots, error) {
	return postgres.Open(ctx, postgres.Config{URL: c.engine.URL(c.database), Password: c.engine.Password, Connections: 4})
}

// freeze is longer than a lease lives.
const freeze = 8 * time.Second

// disturb freezes a server, or cuts connections to the ledger, at times.
func (c *cluster) disturb() {
	c.t.Helper()
	c.thaw(false)
	// At random, and once in every 25 kills whatever chance says.
	if c.frozen < 0 && (c.drama.chance(4) || c.drama.figures.kills >= 25*(c.figures.pauses+1)) {
		c.frozen = c.drama.random.IntN(len(c.replicas.All))
		one := c.replicas.All[c.frozen]
		c.drama.must(one.Pause())
		time.AfterFunc(freeze, func() { c.thawed <- one.Continue() })
		c.figures.pauses++
	}
	if c.drama.chance(10) {
		c.drama.must(c.engine.Do(ctx, c.database,
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'candor-server' AND random() < 0.6`))
		c.figures.cuts++
	}
}

// submit keeps a release on its way while servers die: it is uploaded and
// submitted until the signer is told that it is there. At the end it waits for
// the last one, and looks for all.
func (c *cluster) submit(end bool) {
	c.t.Helper()
	if c.submitted != nil && !end {
		select {
		case err := <-c.submitted:
			c.drama.must(err)
			c.submitted = nil
		default:
			return
		}
	}
	if !end && !c.drama.chance(20) {
		return
	}
	if !end {
		c.newest = max(c.newest, 100) + 1
		manifest, err := world.Example(product, c.newest, atOnce)
		c.drama.must(err)
		path := image(c.t, "system.img", 12<<20) // several pieces
		c.submitted = make(chan error, 1)
		c.figures.releases++
		build, done := c.newest, c.submitted
		go func() { done <- c.bring(build, manifest, path) }()
		return
	}
	if c.submitted != nil {
		c.drama.must(<-c.submitted)
	}
	for b := manifests.Build(101); b <= c.newest; b++ {
		if _, err := c.replicas.Published(ctx, product, b); err != nil {
			c.t.Errorf("acknowledged, and lost: %v", err)
		}
	}
}

func (c *cluster) bring(b manifests.Build, manifest []byte, path string) error {
	const most = 50 // tries
	sign := func() error {
		return errors.Join(os.RemoveAll(c.replicas.Path("out")), c.replicas.SignRelease(ctx, product, b, manifest, path))
	}
	send := func() error { c.submissions.Add(1); return c.replicas.SubmitRelease(ctx, product, b) }
	for _, step := range []func() error{sign, send} {
		err := step()
		for range most {
			if err == nil || c.t.Context().Err() != nil {
				break
			}
			err = step()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// thaw takes note of a server that goes on again.
func (c *cluster) thaw(wait bool) {
	c.t.Helper()
	if c.frozen < 0 {
		return
	}
	select {
	case err := <-c.thawed:
		c.drama.must(err)
		c.frozen = -1
	default:
		if wait {
			c.drama.must(<-c.thawed)
			c.frozen = -1
		}
	}
}

// ballot is what one sending of a vote came to.
type ballot struct {
	body   []byte
	status int // 0: no answer
}

// cast sends new votes, and again those that nobody acknowledged.
func (c *cluster) cast(n int) {
	c.t.Helper()
	out := c.waiting
	c.waiting = nil
	c.figures.repeatedVotes += len(out)
	for range n {
		out = append(out, c.vote())
		c.figures.votes++
	}
	c.sent = len(out)
	for _, body := range out {
		go func() { c.heard <- ballot{body, c.post(body)} }()
	}
}

func (c *cluster) vote() []byte {
	c.t.Helper()
	must := c.drama.must
	ref := vote.Ref{Product: product, Build: goodBuild}
	k, err := c.master.Key(ref, vote.Trial, vote.Primary)
	must(err)
	p, err := vote.NewPending(rand.Reader)
	must(err)
	blinded, err := p.Blinded()
	must(err)
	answer, err := k.Evaluate(blinded)
	must(err)
	token, err := p.Finish(k.Public(), answer)
	must(err)
	r, err := token.Cast(ref, vote.Trial, vote.Primary, vote.Vote{
		V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour,
	})
	must(err)
	body, err := json.Marshal(r)
	must(err)
	return body
}

func (c *cluster) post(body []byte) int {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.replicas.Server+"/v1/votes", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := onceEach.Do(req)
	if err != nil {
		return 0
	}
	if resp.Body.Close() != nil {
		return 0
	}
	return resp.StatusCode
}

// hear waits for the answers to all votes that were sent.
func (c *cluster) hear() {
	c.t.Helper()
	for ; c.sent > 0; c.sent-- {
		switch b := <-c.heard; {
		case b.status == http.StatusNoContent:
		case b.status == 0 || b.status >= 500:
			c.waiting = append(c.waiting, b.body)
		default:
			c.drama.fail("a vote was answered with %d", b.status)
		}
	}
}

// rest lets everything come to its end, and counts.
func (c *cluster) rest() {
	c.t.Helper()
	c.thaw(true)
	for len(c.waiting) > 0 {
		c.cast(0)
		c.hear()
	}
	counts, err := c.replicas.Counts(ctx, product, goodBuild)
	c.drama.must(err)
	if want := 400 + c.figures.votes; counts.Trials != want {
		c.t.Errorf("%d votes were acknowledged, %d are counted", want, counts.Trials)
	}
	c.drama.end()
}

// TestReplicasFollowAndTakeOver says how fast: from a change's answer at one
// server until the others show it, and how much longer than usual a change takes
// that finds the lease with a publisher that has just died.
func TestReplicasFollowAndTakeOver(t *testing.T) {
	c := newCluster(t)
	one, must := c.replicas.All[0], c.drama.must
	plan := c.drama.plan(&actor{role: manual, channel: "measured", build: goodBuild})
	var r world.Rollout
	must(one.Call(ctx, http.MethodPost, "/v1/rollouts", plan, &r))
	_, err := one.Change(ctx, r.ID, "start", "")
	must(err)
	stamp := func(of *world.World) (data []byte) {
		must(of.Call(ctx, http.MethodGet, "/"+layout.TimestampFile, nil, &data))
		return data
	}
	var lags []time.Duration
	var usual time.Duration // the longest that a change took until all showed it
	for i := range 30 {
		asked := time.Now()
		_, err := one.Change(ctx, r.ID, []string{"pause", "resume"}[i%2], "measured")
		must(err)
		begun, want := time.Now(), stamp(one)
		for _, other := range c.replicas.All[1:] {
			for !bytes.Equal(stamp(other), want) {
				if t.Context().Err() != nil {
					return
				}
			}
		}
		lags, usual = append(lags, time.Since(begun)), max(usual, time.Since(asked))
	}
	slices.Sort(lags)
	ledger, err := postgres.Open(ctx, postgres.Config{URL: c.engine.URL(c.database), Password: c.engine.Password, Connections: 4})
	must(err)
	for err = store.ErrConflict; errors.Is(err, store.ErrConflict); { // a server is publishing
		_, err = ledger.Acquire(ctx, store.LeaseRequest{Name: publish.LeaseName, Holder: "dead", Now: time.Now(), For: lease.Life})
	}
	must(err)
	must(ledger.Close())
	died := time.Now()
	_, err = one.Change(ctx, r.ID, "pause", "the publisher died")
	must(err)
	t.Logf("followed after %s (median), %s (most of %d)", lags[len(lags)/2], lags[len(lags)-1], len(lags))
	storetest.RecoveredBeyond(t, "the publisher died with its lease", usual, died)
	must(c.engine.Kill())
	if _, err := one.Change(ctx, r.ID, "resume", ""); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("without a ledger: %v", err)
	}
	stamp(one) // handsets go on
	must(c.engine.Start(ctx))
	ended := time.Now()
	for err = errors.New("not yet"); err != nil && time.Since(ended) < time.Minute; {
		_, err = one.Change(ctx, r.ID, "resume", "the ledger is back")
	}
	must(err)
	for _, other := range c.replicas.All[1:] {
		for want := stamp(one); !bytes.Equal(stamp(other), want) && t.Context().Err() == nil; {
			want = stamp(one)
		}
	}
	storetest.RecoveredBeyond(t, "PostgreSQL crashed under three servers: a change is made, published and followed", usual, ended)
}

// TestReplicaWithOtherSecretsOrRulesIsNoticed changes what one of three servers
// goes by, as a hand that copies files may.
func TestReplicaWithOtherSecretsOrRulesIsNoticed(t *testing.T) {
	c := newCluster(t)
	odd, must := c.replicas.All[2], c.drama.must
	must(odd.StopServer(syscall.SIGTERM))
	text, err := os.ReadFile(odd.Path("data", "config.yaml"))
	must(err)
	text = bytes.Replace(text, []byte("lookEvery: 1s"), []byte("approvalSharePPM: 1000000, lookEvery: 1s"), 1)
	must(os.WriteFile(odd.Path("data", "config.yaml"), text, 0o600))
	must(odd.StartServer(ctx))
	log, err := os.ReadFile(odd.Path("server.log"))
	must(err)
	if !bytes.Contains(log, []byte("configured differently")) || !bytes.Contains(log, []byte("rollouts.approvalSharePPM")) {
		t.Errorf("nobody says that one person may open more here:\n%s", log)
	}
	must(odd.StopServer(syscall.SIGTERM))
	must(os.WriteFile(odd.Path("data", "keys", "vote-master"), []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"), 0o600))
	_, err = odd.Exec(ctx, "server", "run", "--data", odd.Path("data"))
	if err == nil || !strings.Contains(err.Error(), "cannot work beside another server") || !strings.Contains(err.Error(), "another vote master") {
		t.Errorf("got %v", err)
	}
	must(c.replicas.All[0].WaitReady(ctx))
}
