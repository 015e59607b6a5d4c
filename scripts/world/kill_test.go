package world_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
)

var (
	kills = flag.Int("kills", 200, "how often the server is killed")
	seed  = flag.Uint64("seed", 1, "what is asked for, and when the server is killed, follows from it")
)

// killsPerWorld bounds what one data directory has to bear: the halted and the
// complete stay published, and a document holds so many.
const killsPerWorld = 200

// Done when (rollouts): whenever the server is killed, no step is taken twice,
// no approval is lost, and handsets and ledger agree.
func TestKilledAtAnyMomentNothingIsLostNorDoneTwice(t *testing.T) {
	for left, n := *kills, uint64(0); left > 0; left, n = left-killsPerWorld, n+1 {
		t.Run(fmt.Sprintf("seed=%d", *seed+n), func(t *testing.T) {
			d := newDrama(t, *seed+n)
			begun := time.Now()
			for d.figures.kills < min(left, killsPerWorld) {
				d.scene()
			}
			d.end()
			t.Logf("%+v in %s", d.figures, time.Since(begun).Round(time.Second))
		})
	}
}

// figures are counted for the report.
type figures struct {
	kills, inRecovery, idle, restarts int
	acknowledged, refused             int
	lostWhole, lostAbsent, repeated   int
	rows, documents, engineSteps      int
	slowest                           time.Duration // restart
	agreed                            time.Duration // the longest until log and handsets agreed
}

// drama is one world, its people and all that they ever asked for.
type drama struct {
	t       *testing.T
	w       *world.World
	servers servers
	seed    uint64
	random  *rand.Rand
	figures figures

	change, start usual

	cast    []*actor
	built   int // channels, which tell rollouts apart
	asked   map[string]*request
	lost    []*request
	ballots uint64
	ledger  book
	handset *watcher
	crowd   []*watcher // who poll while servers die
}

// servers are what is killed.
type servers interface {
	// kill ends one as a power cut would.
	kill() error
	// spawn starts it again, and ready waits for it.
	spawn() error
	ready() error
	// end ends all for good.
	end() error
	// book opens the ledger beside them.
	book() (ballots, error)
	// patience is how long log, rollouts and what handsets read may take to
	// agree; zero: what people did agrees at once.
	patience() time.Duration
}

// ballots counts votes.
type ballots interface {
	CastVote(ctx context.Context, b store.Ballot) error
	Close() error
}

// alone is one server, with a ledger that nobody opens beside it.
type alone struct{ w *world.World }

func (a alone) kill() error             { return a.w.KillServer() }
func (a alone) spawn() error            { return a.w.SpawnServer() }
func (a alone) ready() error            { return a.w.WaitReady(ctx) }
func (a alone) end() error              { return a.w.KillServer() }
func (a alone) patience() time.Duration { return 0 }

func (a alone) book() (ballots, error) {
	return sqlite.Open(ctx, filepath.Join(a.w.Path("data"), "ledger.db"))
}

func newDrama(t *testing.T, seed uint64) *drama {
	t.Helper()
	w, err := world.New(ctx, t.TempDir(), "rollouts: {lookEvery: 1s}\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	d := begin(t, w, alone{w}, seed)
	d.crowd = []*watcher{d.handset}
	d.kill()
	d.vote(goodBuild, wellCell(t), 400)
	d.revive(0)
	d.check(nil)
	d.figures = figures{}
	return d
}

// begin makes a drama in a world that runs and is empty.
func begin(t *testing.T, w *world.World, s servers, seed uint64) *drama {
	t.Helper()
	if err := w.Ceremony(ctx, product); err != nil {
		t.Fatal(err)
	}
	for _, build := range []manifests.Build{goodBuild, newerBuild, badBuild} {
		release(t, w, build, atOnce)
		if err := w.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	d := &drama{t: t, w: w, servers: s, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), asked: map[string]*request{}}
	d.change, d.start = usual(30*time.Millisecond), usual(100*time.Millisecond)
	d.handset = newWatcher(d, func() string { return w.Server })
	return d
}

func (d *drama) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("-seed %d, kill %d: %v", d.seed, d.figures.kills, err)
	}
}

func (d *drama) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("-seed %d, kill %d: %s", d.seed, d.figures.kills, fmt.Sprintf(format, args...))
}

// usual is how long something takes on this machine, so that kills fall into it.
type usual time.Duration

func (u *usual) saw(took time.Duration) { *u += (usual(min(took, time.Second)) - *u) / 8 }

// within gives a moment while something is under way, or just after.
func (d *drama) within(u usual) time.Duration {
	return time.Duration(d.random.Int64N(int64(u) * 5 / 4))
}

func (d *drama) chance(percent int) bool { return d.random.IntN(100) < percent }

// request is one change that somebody asks for, perhaps more than once.
type request struct {
	token, who   string
	action       string // create, or of the contract
	path, key    string
	match        int64 // If-Match; 0: none
	body         []byte
	why          string // unique, so that its row in the audit log is known
	copies       int    // sent at once
	sent         time.Time
	repeated     bool
	acknowledged bool
	refused      *contract.Problem
	answer       contract.Rollout
	kept         bool // the answer is the one of then
}

// reply is what one sending of a request came to.
type reply struct {
	r       *request
	status  int
	header  http.Header
	body    []byte
	failure error
}

// each connection is for one request: a client that repeats by itself would
// hide what was lost.
var onceEach = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

func (d *drama) send(r *request, replies chan<- reply) {
	out := reply{r: r}
	defer func() { replies <- out }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.w.Server+r.path, bytes.NewReader(r.body))
	if err != nil {
		out.failure = err
		return
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", r.key)
	if r.match != 0 {
		req.Header.Set("If-Match", fmt.Sprintf(`"%d"`, r.match))
	}
	resp, err := onceEach.Do(req)
	if err != nil {
		out.failure = err
		return
	}
	out.status, out.header = resp.StatusCode, resp.Header
	out.body, err = io.ReadAll(resp.Body)
	out.failure = errors.Join(err, resp.Body.Close())
}

// hear takes a reply to what is known about its request. What is the server's
// own fault leaves open whether the change was made, like no answer at all.
func (d *drama) hear(a reply) {
	r := a.r
	switch {
	case a.failure != nil || a.status >= 500:
		return
	case a.status < 300:
		d.must(json.Unmarshal(a.body, &r.answer))
		r.acknowledged, r.kept, r.refused = true, a.header.Get("Idempotency-Replayed") != "", nil
		return
	}
	var p contract.Problem
	d.must(json.Unmarshal(a.body, &p))
	switch {
	case p.Code == contract.CodeInProgress: // another copy of it, or its own claim from before the crash
	case a.status == http.StatusUnauthorized || a.status == http.StatusBadRequest || a.status == http.StatusNotFound:
		d.fail("%s by %s: %d %s", r.path, r.who, a.status, a.body)
	case !r.acknowledged:
		r.refused = &p
	}
}

// scene is a few changes at once and, in half of them, a kill among them.
func (d *drama) scene() {
	requests := d.script()
	replies := make(chan reply, 8)
	sent := 0
	polled, begun := d.poll(), time.Now()
	for _, r := range requests {
		r.sent = time.Now()
		for range r.copies {
			sent++
			go d.send(r, replies)
		}
	}
	if sent == 0 {
		d.figures.idle++
	}
	if d.chance(50) {
		for range sent {
			d.hear(<-replies)
			d.change.saw(time.Since(begun))
		}
		polled()
		d.check(requests)
		return
	}
	answered := d.pause(d.within(d.change), replies, sent)
	d.kill()
	for range sent - answered {
		d.hear(<-replies)
	}
	polled()
	due := d.temptEngine()
	d.revive(30)
	d.check(requests)
	if due {
		d.halted()
	}
}

// pause waits for the moment of the kill and hears replies meanwhile.
func (d *drama) pause(delay time.Duration, replies <-chan reply, most int) (heard int) {
	moment := time.NewTimer(delay)
	defer moment.Stop()
	for {
		select {
		case a := <-replies:
			d.hear(a)
			heard++
		case <-moment.C:
			return heard
		}
		if heard == most {
			replies = nil
		}
	}
}

func (d *drama) kill() {
	d.t.Helper()
	d.must(d.servers.kill())
	d.figures.kills++
}

// revive starts the server, and kills it on its way up with a chance in
// percent, again and again.
func (d *drama) revive(percent int) {
	for {
		begun := time.Now()
		d.must(d.servers.spawn())
		d.figures.restarts++
		if !d.chance(percent) {
			d.must(d.servers.ready())
			d.figures.slowest = max(d.figures.slowest, time.Since(begun))
			d.start.saw(time.Since(begun))
			return
		}
		d.pause(d.within(d.start), nil, -1)
		d.kill()
		d.figures.inRecovery++
	}
}

// end repeats what may be repeated by now, lets everything come to rest, and
// looks at the log with the server's own program.
func (d *drama) end() {
	d.t.Helper()
	d.repeatSome()
	d.check(nil)
	for _, r := range d.asked {
		d.judge(r)
	}
	if d.figures.lostWhole == 0 || d.figures.lostAbsent == 0 || d.figures.engineSteps == 0 || d.figures.refused == 0 {
		d.t.Errorf("the kills met too little: %+v", d.figures)
	}
	d.must(d.servers.end())
	if _, err := d.w.Exec(ctx, "server", "audit", "verify", "--data", d.w.Path("data")); err != nil {
		d.t.Error(err)
	}
}

// enough is how many lost requests are repeated at least: a fast machine is
// through before the first claim runs out.
const enough = 20

func (d *drama) repeatSome() {
	d.t.Helper()
	for d.figures.repeated < enough && len(d.lost) > 0 {
		claims := time.NewTimer(time.Until(d.lost[0].sent.Add(store.ClaimLife + time.Second)))
		select {
		case <-d.t.Context().Done():
			claims.Stop()
			return
		case <-claims.C:
		}
		replies := make(chan reply, 1)
		r := d.repeatable()
		if r == nil {
			continue
		}
		r.sent = time.Now()
		d.send(r, replies)
		d.hear(<-replies)
		d.check([]*request{r})
		if !r.acknowledged && r.refused == nil {
			d.fail("%s: repeated to a server that nobody kills, and not answered", r.why)
		}
	}
}

// repeatable are lost requests whose claims have run out.
func (d *drama) repeatable() *request {
	if len(d.lost) == 0 || time.Since(d.lost[0].sent) < store.ClaimLife+time.Second {
		return nil
	}
	r := d.lost[0]
	d.lost = d.lost[1:]
	r.repeated, r.copies = true, 1
	d.figures.repeated++
	return r
}
