package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/client/watch"
)

const (
	watchCommand = "serve-watch-load"
	// watchSources are how many addresses of loopback the handsets have, so
	// that none has more than its share.
	watchSources = 20
	watchDialers = 64
)

// fleetOfWatchers are handsets that hold a stream each. They hear each
// wake-up, and after the last one poll as client/watch says.
type fleetOfWatchers struct {
	address string
	trust   *tls.Config // nil: no TLS
	first   uint64      // where the product stood when all were open
	polls   http.Client

	mu      sync.Mutex
	heard   map[uint64]int
	seconds [watchSpread/time.Second + 60]int
	done    int
}

// serveWatchLoad is the process of the handsets.
func serveWatchLoad(address, ca string) error {
	f := &fleetOfWatchers{address: address, heard: map[uint64]int{}}
	if ca != "" {
		data, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(data)
		f.trust = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
	}
	f.polls.Transport = &http.Transport{TLSClientConfig: f.trust, MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}
	streams := make([]openStream, watchStreams)
	if err := f.open(streams[:watchFirst]); err != nil {
		return err
	}
	fmt.Println("open", watchFirst)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil { // until the first are measured
		return err
	}
	if err := f.open(streams[watchFirst:]); err != nil {
		return err
	}
	fmt.Println("open", len(streams))
	errs := make(chan error, len(streams))
	for _, s := range streams {
		go func() { errs <- f.follow(s) }()
	}
	var all error
	for range streams {
		all = errors.Join(all, <-errs)
	}
	return all
}

// openStream is a stream that has said where the product stands.
type openStream struct {
	conn  net.Conn
	lines *bufio.Reader
}

func (f *fleetOfWatchers) open(out []openStream) error {
	var next atomic.Int64
	var dialers sync.WaitGroup
	errs := make([]error, watchDialers)
	for d := range watchDialers {
		dialers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(out) && errs[d] == nil; i = int(next.Add(1)) - 1 {
				out[i], errs[d] = f.dial(i)
			}
		})
	}
	dialers.Wait()
	return errors.Join(errs...)
}

func (f *fleetOfWatchers) dial(i int) (openStream, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%watchSources))}, KeepAlive: -1}
	conn, err := d.Dial("tcp", f.address)
	if err != nil {
		return openStream{}, err
	}
	if f.trust != nil {
		conn = tls.Client(conn, f.trust)
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/products/%s/watch HTTP/1.1\r\nHost: %s\r\n\r\n", phoneProduct, f.address); err != nil {
		return openStream{}, errors.Join(err, conn.Close())
	}
	s := openStream{conn, bufio.NewReaderSize(conn, 512)}
	at, err := s.version()
	if err != nil {
		return openStream{}, errors.Join(err, conn.Close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = max(f.first, at)
	return s, nil
}

// version reads on to the next number.
func (s openStream) version() (uint64, error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 200 ") {
			return 0, fmt.Errorf("the server answered %q", line)
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		}
	}
}

// follow hears every wake-up of a stream, and polls after the last.
func (f *fleetOfWatchers) follow(s openStream) error {
	last := f.first + watchWakes
	for {
		at, err := s.version()
		if err != nil {
			return err
		}
		if f.note(at) == watchStreams {
			fmt.Println("woken", time.Now().UnixMicro())
		}
		if at == last {
			break
		}
	}
	alarm := watch.Alarm{Random: rand.Int64N}
	now := time.Now()
	alarm.Hear(last, f.first, watchSpread, now)
	in, _ := alarm.In(now)
	if err := pause(context.Background(), in); err != nil {
		return err
	}
	if err := f.poll(int(in / time.Second)); err != nil {
		return err
	}
	if _, err := s.version(); !errors.Is(err, io.EOF) { // until the bench has ended
		return err
	}
	return nil
}

// note counts a wake-up and gives how many streams have had it.
func (f *fleetOfWatchers) note(at uint64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard[at]++
	return f.heard[at]
}

// poll asks for what handsets ask for, and counts it where it was answered.
func (f *fleetOfWatchers) poll(asked int) error {
	start := time.Now()
	scheme := "http://"
	if f.trust != nil {
		scheme = "https://"
	}
	resp, err := f.polls.Get(scheme + f.address + pollPath)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("a poll was answered %s", resp.Status))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seconds[min(asked+int(time.Since(start)/time.Second), len(f.seconds)-1)]++
	if f.done++; f.done < watchStreams {
		return nil
	}
	peak := 0
	for _, n := range f.seconds {
		peak = max(peak, n)
	}
	fmt.Println("polls", float64(watchStreams)/watchSpread.Seconds(), peak, f.done)
	return nil
}
