package storetest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/server/store/s3"
)

// Faulty is a TLS proxy in front of a real S3 server that has bad days. It
// keeps the Host, so that what was signed for the server stays valid.
type Faulty struct {
	server *httptest.Server
	next   *http.Transport
	target string

	mu    sync.Mutex
	fault func(*http.Request) Fault
	log   []string // METHOD PATH RANGE of each request
	waits map[*timer]bool
}

// Fault is what happens to one request.
type Fault struct {
	Status int    // not 0: answered so, with Code
	Code   string // of S3
	Half   bool   // the answer's body breaks off in the middle
	Lost   bool   // the request is carried out and its answer lost
	Hang   bool   // nothing is answered until whoever asks goes away
	Body   []byte // not nil: a 200 with these bytes
}

// Faulty starts such a proxy, without faults.
func (s *S3) Faulty(t testing.TB) *Faulty {
	t.Helper()
	f := &Faulty{next: s.Transport, target: s.Endpoint, waits: map[*timer]bool{}}
	f.server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	return f
}

// Through changes a configuration so that it goes through the proxy. Unless it
// has an AnswerTime, none passes but where a request hangs: there all of it is
// over at once, and nowhere is a slow machine taken for a service that hangs.
func (f *Faulty) Through(c s3.Config) s3.Config {
	c.Endpoint = strings.TrimPrefix(f.server.URL, "https://")
	t := f.server.Client().Transport.(*http.Transport).Clone()
	c.Transport = t
	if c.AnswerTime == 0 {
		c.AfterFunc = f.afterFunc
	}
	return c
}

// Set changes what happens from here on; nil is nothing.
func (f *Faulty) Set(fault func(*http.Request) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Log gives the requests since the last call.
func (f *Faulty) Log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

func (f *Faulty) decide(r *http.Request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
	if f.fault == nil {
		return Fault{}
	}
	return f.fault(r)
}

func (f *Faulty) serve(w http.ResponseWriter, r *http.Request) {
	fault := f.decide(r)
	switch {
	case fault.Hang:
		// Read first: only then is it noticed that the other side went away.
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			f.pass()
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("x-minio-error-code", fault.Code)
		w.WriteHeader(fault.Status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>a bad day</Message></Error>", fault.Code)
		return
	}
	f.forward(w, r, fault)
}

func (f *Faulty) forward(w http.ResponseWriter, r *http.Request, fault Fault) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "https", f.target, ""
	resp, err := f.next.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err != nil || closeErr != nil || fault.Lost {
		panic(http.ErrAbortHandler)
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if fault.Body != nil {
		body = bytes.Clone(fault.Body)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Header().Del("Content-Range")
		resp.StatusCode = http.StatusOK
	}
	w.WriteHeader(resp.StatusCode)
	if fault.Half {
		body = body[:len(body)/2]
	}
	if _, err := w.Write(body); err != nil || fault.Half {
		panic(http.ErrAbortHandler)
	}
}
