package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const connections = 32

// target is one server under load.
type target struct {
	name    string
	pid     int
	address string // host:port
	path    string
	etag    string // sent as If-None-Match, if set
	want    int    // status
	// handsets, if set, has each request name one of so many, as systems ask
	// for that count them.
	handsets uint64

	rates []float64 // per CPU-second, one for each round
}

func (t *target) perCPUSecond() float64 { return middle(t.rates) }

// against gives the median of the ratios to another target, round by round:
// what else runs on the machine hits both.
func (t *target) against(other *target) float64 {
	var ratios []float64
	for i, r := range t.rates {
		ratios = append(ratios, r/other.rates[i])
	}
	return middle(ratios)
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// inTurns puts load on each target, one after the other, in every round.
func inTurns(ctx context.Context, rounds int, d time.Duration, targets ...*target) error {
	for range rounds {
		for _, t := range targets {
			if err := t.load(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// load sends requests over keep-alive connections for a while and notes what
// they cost the server.
func (t *target) load(ctx context.Context, d time.Duration) error {
	conns := make([]net.Conn, connections)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", t.address); err != nil {
			return err
		}
	}
	return t.cost(func() (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		var done atomic.Int64
		errs := make([]error, connections)
		var wg sync.WaitGroup
		for i := range connections {
			wg.Go(func() { errs[i] = t.connection(ctx, conns[i], uint64(i), &done) })
		}
		wg.Wait()
		return done.Load(), errors.Join(errs...)
	})
}

func (t *target) connection(ctx context.Context, conn net.Conn, seed uint64, done *atomic.Int64) error {
	wire := []byte("GET " + t.path + " HTTP/1.1\r\nHost: " + t.address + "\r\n")
	if t.etag != "" {
		wire = append(wire, "If-None-Match: "+t.etag+"\r\n"...)
	}
	head, a := len(wire), newAnswers(conn, t.want)
	for n := int64(0); ; n++ {
		if n%64 == 0 && ctx.Err() != nil {
			done.Add(n)
			return conn.Close()
		}
		wire = wire[:head]
		if t.handsets > 0 {
			seed = seed*6364136223846793005 + 1442695040888963407 // any full-period sequence
			wire = strconv.AppendUint(append(wire, "X-Handset: "...), (seed>>20)%t.handsets, 10)
			wire = append(wire, '\r', '\n')
		}
		wire = append(wire, '\r', '\n')
		if _, err := conn.Write(wire); err != nil {
			return errors.Join(err, conn.Close())
		}
		if err := a.next(); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
}

// answers reads the answers of one connection. They are all of one length, as
// dates in headers are, so only the first is taken apart: the load must cost
// less than what it measures.
type answers struct {
	r      *bufio.Reader
	want   []byte // how each begins
	length int
}

func newAnswers(conn net.Conn, status int) *answers {
	return &answers{r: bufio.NewReaderSize(conn, 16<<10), want: []byte("HTTP/1.1 " + strconv.Itoa(status))}
}

func (a *answers) next() error {
	if a.length == 0 {
		if err := a.first(); err != nil {
			return err
		}
	}
	got, err := a.r.Peek(len(a.want))
	if err != nil {
		return err
	}
	if string(got) != string(a.want) {
		return fmt.Errorf("answered %q instead of %q", got, a.want)
	}
	_, err = a.r.Discard(a.length)
	return err
}

// first learns the length of an answer, and leaves it to be read.
func (a *answers) first() error {
	for n := 1; ; n++ {
		if _, err := a.r.Peek(n); err != nil {
			return err
		}
		all, err := a.r.Peek(a.r.Buffered())
		if err != nil {
			return err
		}
		head, _, ok := strings.Cut(string(all), "\r\n\r\n")
		if !ok {
			n = len(all)
			continue
		}
		a.length = len(head) + 4
		if status, _, _ := strings.Cut(strings.TrimPrefix(head, "HTTP/1.1 "), " "); status == "304" || status == "204" {
			return nil
		}
		for line := range strings.SplitSeq(head, "\r\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
				length, err := strconv.Atoi(strings.TrimSpace(value))
				a.length += length
				return err
			}
		}
		return fmt.Errorf("an answer without a length: %q", head)
	}
}

// tag asks a server for the tag of the file as it is.
func (t *target) tag() (string, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+t.address+t.path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", errors.Join(err, resp.Body.Close())
	}
	return resp.Header.Get("ETag"), resp.Body.Close()
}
