package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/scripts/figure"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/config"
)

const (
	// Polls come at moments of their own, whatever became of those before.
	pollers      = 64
	pollsASecond = 100
	pollTime     = 5 * time.Second

	drowners     = 256 // connections of each kind of work
	drownVotes   = 2_000
	drownUpload  = 1 << 20
	drownWarm    = time.Second
	worstOfPolls = 250 // ms, at p99, on a machine that the load itself keeps busy
)

// overload measures how long polls wait while votes, uploads and dashboards are
// asked for by more connections than the server has turns for, beside a server
// that has nothing else to do. The load runs on the same cores, which the polls
// have to share with it: the figures are what is left to them.
func overload(ctx context.Context, dir string) (rows []figure.Row, err error) {
	w, err := world.New(ctx, dir, benchLimits)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.Ceremony(ctx, "tablet"); err != nil {
		return nil, err
	}
	key, err := openVotes(ctx, config.Dir(w.Path("data")))
	if err != nil {
		return nil, err
	}
	requests, err := castRequests(key, strings.TrimPrefix(w.Server, "http://"), drownVotes)
	if err != nil {
		return nil, err
	}
	d := &drowning{w: w, votes: requests}
	all := []func(context.Context, int) error{d.vote, d.upload, d.look}
	for _, phase := range []struct {
		name  string
		kinds []func(context.Context, int) error
	}{
		{"nothing else", nil}, {"votes", all[:1]}, {"uploads", all[1:2]}, {"dashboards", all[2:]}, {"all three", all},
	} {
		p, turned, err := d.while(ctx, phase.kinds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", phase.name, err)
		}
		rows = append(rows,
			figure.Of("p50 of a poll, beside "+phase.name, p.p50()*1000, "ms"),
			figure.AtMost("p99 of a poll, beside "+phase.name, p.p99()*1000, "ms", worstOfPolls),
		)
		if len(phase.kinds) > 0 {
			rows = append(rows, figure.Of("other requests served, beside "+phase.name, float64(turned.served)/p.took, "req/s"),
				figure.Of("other requests sent away, beside "+phase.name, float64(turned.away)/p.took, "req/s"))
		}
	}
	return rows, nil
}

func (p polled) p50() float64 { return p.waits[len(p.waits)/2].Seconds() }

// drowning is the load beside the polls.
type drowning struct {
	w            *world.World
	votes        [][]byte
	served, away atomic.Int64
}

type turned struct{ served, away int64 }

// while polls while kinds of work are asked for.
func (d *drowning) while(ctx context.Context, kinds []func(context.Context, int) error) (polled, turned, error) {
	running, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, kind := range kinds {
		for i := range drowners {
			wg.Go(func() {
				if err := kind(running, i); err != nil && running.Err() == nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			})
		}
	}
	if len(kinds) > 0 {
		time.Sleep(drownWarm)
	}
	d.served.Store(0)
	d.away.Store(0)
	p, err := pollSteadily(ctx, d.w)
	t := turned{d.served.Load(), d.away.Load()}
	end()
	wg.Wait()
	return p, t, errors.Join(err, failed)
}

// pollSteadily polls at a rate over keep-alive connections. A poll that had to
// wait for a connection waited.
func pollSteadily(ctx context.Context, w *world.World) (polled, error) {
	n := int(pollsASecond * pollTime.Seconds())
	p := polled{waits: make([]time.Duration, n)}
	address := strings.TrimPrefix(w.Server, "http://")
	request := []byte("GET " + pollPath + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	began := time.Now()
	var next atomic.Int64
	errs := make([]error, pollers)
	var wg sync.WaitGroup
	for v := range pollers {
		wg.Go(func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				errs[v] = err
				return
			}
			a := newAnswers(conn, http.StatusOK)
			for i := int(next.Add(1)) - 1; i < n && errs[v] == nil; i = int(next.Add(1)) - 1 {
				at := began.Add(time.Duration(i) * time.Second / pollsASecond)
				time.Sleep(time.Until(at))
				if _, err := conn.Write(request); err != nil {
					errs[v] = err
				} else if errs[v] = a.next(); errs[v] == nil {
					p.waits[i] = time.Since(at)
				}
			}
			errs[v] = errors.Join(errs[v], conn.Close())
		})
	}
	wg.Wait()
	p.took = time.Since(began).Seconds()
	slices.Sort(p.waits)
	return p, errors.Join(errs...)
}

// vote casts the same votes again and again, which the server has to look up
// like new ones.
func (d *drowning) vote(ctx context.Context, i int) error {
	client := d.client()
	defer client.CloseIdleConnections()
	for ; ctx.Err() == nil; i++ {
		_, body, _ := bytes.Cut(d.votes[i%len(d.votes)], []byte("\r\n\r\n"))
		if err := d.ask(ctx, client, http.MethodPost, "/v1/votes", body, http.StatusNoContent, nil); err != nil {
			return err
		}
	}
	return nil
}

// upload sends blobs that nobody needs.
func (d *drowning) upload(ctx context.Context, _ int) error {
	client := d.client()
	defer client.CloseIdleConnections()
	blob := make([]byte, drownUpload)
	for ctx.Err() == nil {
		if _, err := rand.Read(blob[:32]); err != nil {
			return err
		}
		in, err := json.Marshal(api.UploadRequest{Sha256: manifests.SumSHA256(blob).String(), Size: drownUpload})
		if err != nil {
			return err
		}
		var state api.Upload
		if err := d.ask(ctx, client, http.MethodPost, "/v1/uploads", in, http.StatusOK, &state); err != nil || state.Id == "" {
			if err != nil {
				return err
			}
			continue
		}
		if err := d.ask(ctx, client, http.MethodPatch, "/v1/uploads/"+state.Id, blob, http.StatusOK, nil); err != nil {
			return err
		}
	}
	return nil
}

// look asks for what a dashboard shows.
func (d *drowning) look(ctx context.Context, i int) error {
	client := d.client()
	defer client.CloseIdleConnections()
	pages := []string{"/v1/products", "/v1/rollouts", "/v1/audit?limit=100", "/v1/products/" + phoneProduct + "/releases/42/counts"}
	for ; ctx.Err() == nil; i++ {
		if err := d.ask(ctx, client, http.MethodGet, pages[i%len(pages)], nil, http.StatusOK, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *drowning) client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
}

// ask makes a request that the server serves or sends away; anything else is a
// failure of the bench.
func (d *drowning) ask(ctx context.Context, client *http.Client, method, path string, body []byte, want int, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, d.w.Server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if path != "/v1/votes" {
		r.Header.Set("Authorization", "Bearer "+d.w.Token)
	}
	if method == http.MethodPatch {
		r.Header.Set("Upload-Offset", "0")
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil || method == http.MethodPatch { // sent away before it was all sent
			d.away.Add(1)
			return nil
		}
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	switch resp.StatusCode {
	case want:
		d.served.Add(1)
		if into != nil {
			return json.Unmarshal(data, into)
		}
		return nil
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		d.away.Add(1)
		return nil
	}
	return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
}
