package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
)

const connections = 32

// target is one server under load.
type target struct {
	name     string
	pid      int
	address  string // host:port
	path     string
	etag     string // sent as If-None-Match, if set
	want     int    // status
	requests int64
	cpu      float64
}

func (t *target) perCPUSecond() float64 { return float64(t.requests) / t.cpu }

// load sends requests over keep-alive connections for a while and adds up what
// they cost the server.
func (t *target) load(ctx context.Context, d time.Duration) error {
	before, err := figure.CPUSeconds(t.pid)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var done atomic.Int64
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { errs[i] = t.connection(ctx, &done) })
	}
	wg.Wait()
	after, err := figure.CPUSeconds(t.pid)
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	t.requests += done.Load()
	t.cpu += after - before
	return nil
}

func (t *target) connection(ctx context.Context, done *atomic.Int64) error {
	conn, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	request := "GET " + t.path + " HTTP/1.1\r\nHost: " + t.address + "\r\n"
	if t.etag != "" {
		request += "If-None-Match: " + t.etag + "\r\n"
	}
	wire, r := []byte(request+"\r\n"), bufio.NewReaderSize(conn, 16<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(wire); err != nil {
			return errors.Join(err, conn.Close())
		}
		if err := t.answer(r); err != nil {
			return errors.Join(err, conn.Close())
		}
		done.Add(1)
	}
	return conn.Close()
}

// answer reads one answer without allocating for it.
func (t *target) answer(r *bufio.Reader) error {
	length, first := int64(0), true
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if first {
			if len(text) < 12 || text[9:12] != strconv.Itoa(t.want) {
				return fmt.Errorf("answered %q instead of %d", text, t.want)
			}
			first = false
		}
		if text == "" {
			break
		}
		if len(text) > 15 && strings.EqualFold(text[:15], "content-length:") && t.want != http.StatusNotModified {
			if length, err = strconv.ParseInt(strings.TrimSpace(text[15:]), 10, 64); err != nil {
				return err
			}
		}
	}
	_, err := io.CopyN(io.Discard, r, length)
	return err
}
