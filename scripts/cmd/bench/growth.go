package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	voting "github.com/candor-ota/candor/server/votes"
)

// growing is what one act costs the server, in microseconds of CPU.
type growing struct {
	act string
	of  func(*grown, context.Context) (float64, error)
}

var costs = []growing{
	{"poll", (*grown).poll},
	{"publish", (*grown).publish},
	{"dashboard query", (*grown).dashboard},
	{"list of releases", (*grown).releases},
	{"vote", (*grown).vote},
}

// axis is what grows, while the rest stays little.
type axis struct {
	name  string
	sizes []int
	of    func(n int) amount
	// flat are the acts that must not notice.
	flat map[string]bool
}

var axes = []axis{
	{
		"handsets",
		[]int{1e3, 1e4, 1e5, 1e6, 1e7},
		func(n int) amount { return amount{handsets: n, rollouts: 1, releases: 1} },
		map[string]bool{"poll": true, "publish": true, "dashboard query": true, "list of releases": true, "vote": true},
	},
	{
		"releases",
		[]int{1, 1e2, 1e4},
		func(n int) amount { return amount{handsets: 1_000, rollouts: 1, releases: n} },
		map[string]bool{"poll": true, "publish": true, "dashboard query": true, "vote": true}, // a list is as long as it is
	},
}

// flatSlope is the greatest exponent of what must not grow: doubling a fleet
// may cost 3.5 % more, which is a deeper B-tree and noise.
const flatSlope = 0.05

// growth measures each act at each size, and gives the slope of its cost: the
// exponent e where cost is size to the power of e.
func growth(ctx context.Context, dir string) (rows []figure.Row, err error) {
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		return nil, err
	}
	w, err := published(ctx, dir, image)
	if err != nil {
		return nil, err
	}
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		return nil, err
	}
	for _, a := range axes {
		more, err := a.measure(ctx, w)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (a axis) measure(ctx context.Context, w *world.World) ([]figure.Row, error) {
	values := map[string][]float64{}
	for _, n := range a.sizes {
		if err := a.at(ctx, w, n, values); err != nil {
			return nil, fmt.Errorf("%d %s: %w", n, a.name, err)
		}
	}
	var rows []figure.Row
	for _, c := range costs {
		for i, n := range a.sizes {
			rows = append(rows, figure.Of(fmt.Sprintf("%s, 10^%.0f %s", c.act, math.Log10(float64(n)), a.name), values[c.act][i], "µs of CPU"))
		}
		name, s := fmt.Sprintf("%s, slope over %s", c.act, a.name), slope(a.sizes, values[c.act])
		if a.flat[c.act] {
			rows = append(rows, figure.AtMost(name, s, "exponent", flatSlope))
		} else {
			rows = append(rows, figure.Of(name, s, "exponent"))
		}
	}
	return rows, nil
}

// at measures every act at one size.
func (a axis) at(ctx context.Context, w *world.World, n int, values map[string][]float64) (err error) {
	data, err := copyOf(ctx, w, fmt.Sprintf("%s-%d", a.name, n), a.of(n))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	p, err := startServer(w, data)
	if err != nil {
		return err
	}
	g := &grown{data: data, server: p, client: &world.World{Server: "http://" + p.address, Token: w.Token}}
	defer func() {
		if g.server != nil {
			err = errors.Join(err, p.end())
		}
	}()
	for _, c := range costs {
		v, err := c.of(g, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.act, err)
		}
		values[c.act] = append(values[c.act], v)
	}
	return nil
}

// slope is that of the line through the logarithms, by least squares.
func slope(sizes []int, values []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i, n := range sizes {
		x, y := math.Log(float64(n)), math.Log(values[i])
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	n := float64(len(sizes))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// grown is a service of some size. server is nil once it was stopped.
type grown struct {
	data   string
	server *process
	client *world.World
}

func (g *grown) poll(ctx context.Context) (float64, error) {
	t := &target{name: "poll", pid: g.server.pid(), address: g.server.address, path: pollPath, want: http.StatusOK}
	if err := inTurns(ctx, 5, perRound, t); err != nil {
		return 0, err
	}
	return 1e6 / t.perCPUSecond(), nil
}

// times gives the CPU of the server for one of several times, the median of
// five series, in microseconds.
func (g *grown) times(n int, do func() error) (float64, error) {
	var series []float64
	for range 5 {
		before, err := figure.CPUSeconds(g.server.pid())
		if err != nil {
			return 0, err
		}
		for range n {
			if err := do(); err != nil {
				return 0, err
			}
		}
		after, err := figure.CPUSeconds(g.server.pid())
		if err != nil {
			return 0, err
		}
		series = append(series, 1e6*(after-before)/float64(n))
	}
	return middle(series), nil
}

// publish is a change of a rollout that handsets see: signed, stored, served.
func (g *grown) publish(ctx context.Context) (float64, error) {
	id, err := g.rollout(ctx)
	if err != nil {
		return 0, err
	}
	both := []string{"pause", "resume"}
	v, err := g.times(2, func() error {
		for _, action := range both {
			if _, err := g.client.Change(ctx, id, action, "measured"); err != nil {
				return err
			}
		}
		return nil
	})
	return v / float64(len(both)), err
}

// rollout is the newest one.
func (g *grown) rollout(ctx context.Context) (string, error) {
	var list struct {
		Rollouts []world.Rollout `json:"rollouts"`
	}
	if err := g.client.Call(ctx, http.MethodGet, "/v1/rollouts?limit=1", nil, &list); err != nil {
		return "", err
	}
	if len(list.Rollouts) == 0 {
		return "", errors.New("there is no rollout")
	}
	return list.Rollouts[0].ID, nil
}

// dashboard is what the overview, the list of rollouts and the page of one ask
// for.
func (g *grown) dashboard(ctx context.Context) (float64, error) {
	id, err := g.rollout(ctx)
	if err != nil {
		return 0, err
	}
	paths := []string{
		"/v1/overview", "/v1/rollouts?open=true&limit=50", "/v1/rollouts?channel=stable&limit=50", "/v1/rollouts/" + id, "/v1/rollouts/" + id + "/health", "/v1/rollouts/" + id + "/timeline",
		"/v1/products", "/v1/products/" + phoneProduct + "/versions", "/v1/products/" + phoneProduct + "/releases/42/counts",
	}
	return g.times(5, func() error {
		for _, path := range paths {
			if err := g.client.Call(ctx, http.MethodGet, path, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *grown) releases(ctx context.Context) (float64, error) {
	return g.times(5, func() error {
		return g.client.Call(ctx, http.MethodGet, "/v1/products/"+phoneProduct+"/releases", nil, nil)
	})
}

const growthVotes = 512

// vote casts votes at the service itself, over the ledger that has grown; the
// server has to go.
func (g *grown) vote(ctx context.Context) (v float64, err error) {
	err, g.server = g.server.end(), nil
	if err != nil {
		return 0, err
	}
	master, err := config.Dir(g.data).LoadMaster()
	if err != nil {
		return 0, err
	}
	ledger, err := sqlite.Open(ctx, config.Dir(g.data).Ledger())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	never := func(context.Context, vote.Ref) (bool, error) { return false, nil }
	service, err := voting.New(voting.Config{Master: master, Ledger: ledger, Now: time.Now, Random: rand.Reader, FirstStage: never})
	if err != nil {
		return 0, err
	}
	now := time.Now()
	ca, err := voting.NewBatchCA(rand.Reader, "bench", now.Add(-time.Hour))
	if err != nil {
		return 0, err
	}
	batch := store.Batch{Name: "bench", CA: ca.Certificate, DailyCap: 2 * growthVotes, Created: now}
	if err := ledger.AddBatch(ctx, batch, store.Entry{At: now, Who: "bench", What: "bench"}); err != nil {
		return 0, err
	}
	key, err := master.Key(benchRef, vote.Trial, vote.Primary)
	if err != nil {
		return 0, err
	}
	ballots := make([]ballot, growthVotes)
	for i := range ballots {
		if ballots[i], err = newBallot(ctx, service, ca, key); err != nil {
			return 0, err
		}
	}
	cpu, _, err := drive(len(ballots), 64, func(i int) error {
		if _, err := service.Issue(ctx, ballots[i].issue); err != nil {
			return err
		}
		return service.Cast(ctx, &ballots[i].cast)
	})
	return 1e6 * cpu / growthVotes, err
}
