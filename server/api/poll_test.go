package api_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/poll"
)

// pair is one service behind two listeners: one polls, one is net/http's alone.
type pair struct {
	*world
	polled, plain string
	answered      atomic.Int64 // without net/http
}

func (p *pair) Poll(r *poll.Request, head []byte) (answer, body []byte, ok bool) {
	answer, body, ok = p.api.Poll(r, head)
	if ok {
		p.answered.Add(1)
	}
	return answer, body, ok
}

func newPair(t testing.TB) *pair {
	p := &pair{world: ready(t, 43)}
	// What is behind /v1 is the same for both, and would go on for ever where it
	// streams.
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			p.api.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if _, failed := fmt.Fprintf(w, "%s %q %v", r.Method, body, err); failed != nil {
			return
		}
	})
	serve := func(around func(net.Listener) net.Listener) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		p.must(err)
		counted, err := overload.NewListener(l, 1000, 1000, nil)
		p.must(err)
		server := api.NewServer(handler)
		server.ConnState = counted.State
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(around(counted)) }()
		t.Cleanup(func() {
			p.must(server.Close())
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		return l.Addr().String()
	}
	p.plain = serve(func(l net.Listener) net.Listener { return l })
	p.polled = serve(func(l net.Listener) net.Listener { return poll.NewListener(l, p, api.PollTimes(), p.logger) })
	return p
}

// heard is one answer.
type heard struct {
	Proto, Status string
	Header        http.Header
	Length        int64
	Encoding      []string
	Body          string // quoted
	Close         bool
	Short         error
	Dated         bool
}

// say sends bytes, says that no more will come, and reads all answers.
func (p *pair) say(t testing.TB, address string, data []byte) (all []heard, rest string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(data); err != nil {
		return nil, "" // it was closed meanwhile; the other one will be, too
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, ""
	}
	r := bufio.NewReader(conn)
	for {
		head, err := r.Peek(1)
		if err != nil || head[0] != 'H' {
			break
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q is answered by what is no answer: %v", data, err)
		}
		body, short := io.ReadAll(resp.Body) // short after HEAD
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		_, undated := http.ParseTime(resp.Header.Get("Date")) // some refusals of net/http are
		resp.Header.Del("Date")
		all = append(all, heard{resp.Proto, resp.Status, resp.Header, resp.ContentLength, resp.TransferEncoding, strconv.Quote(string(body)), resp.Close, short, undated == nil})
	}
	left, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil && !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("%q: %v", data, err)
	}
	return all, string(left)
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset by peer") }

// same sends the same bytes to both and compares.
func (p *pair) same(t testing.TB, data []byte) []heard {
	t.Helper()
	ours, oursLeft := p.say(t, p.polled, data)
	theirs, theirsLeft := p.say(t, p.plain, data)
	if got, want := fmt.Sprintf("%+v", ours), fmt.Sprintf("%+v", theirs); got != want || oursLeft != theirsLeft {
		t.Errorf("%q is answered\n%s %q\nwhere net/http answers\n%s %q", data, got, oursLeft, want, theirsLeft)
	}
	return ours
}

// Requests, how many of them are answered without net/http, and how many there
// are. HOST, TAG and ROOT stand for what fits.
var pollRequests = []struct {
	text        string
	polled, all int
}{
	{"GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\n\r\n", 1, 1},
	{"GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: TAG\r\n\r\n", 1, 1},
	{"GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/TAG, \"b\"\r\n\r\n", 1, 1},
	{"GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n", 1, 1},
	{"GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"else\"\r\nConnection: keep-alive\r\n\r\n", 1, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 1, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", 1, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, zstd\r\n\r\n", 1, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n", 1, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br;q=1, *;q=0\r\n\r\n", 1, 1},
	{"GET /metadata/2.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 1, 1},
	{"GET /metadata/7.root.json HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\nAccept-Encoding: gzip\r\n\r\n", 1, 1},
	{"GET /metadata/2.snapshot.json HTTP/1.1\r\nHost: x\r\n\r\nGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\nGET /metadata/2.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 3, 3},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\nPOST /v1/votes HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nvoteGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 1, 3},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n", 1, 2},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\nGET /metadata/1.ro", 1, -1},
	{"HEAD /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, -1},
	{"GET /metadata/1.root.json HTTP/1.0\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, 2},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nX: smuggled\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nContent-Length : 60\r\n\r\nGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nX: smuggled\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", 0, -1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", 0, 1},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, -1},
	{"GET /metadata/1.root.json HTTP/1.1\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nCandor-Fresh: 1\r\n\r\n", 0, 1},
	{"GET /metadata/1.root.json?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"GET /metadata/../metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"GET //metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"GET /metadata/9.snapshot.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"GET /v1/products HTTP/1.1\r\nHost: x\r\n\r\n", 0, 1},
	{"POST /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 0, 1},
	{"\r\nGET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n", 0, -1},
	{"GET /metadata/1.root.json HTTP/1.1\nHost: x\n\n", 0, 1},
	{"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("long ", 1000) + "\r\n\r\n", 0, 1},
}

func (p *pair) filled(text string) []byte {
	_, head := p.ask(p.t, "/metadata/timestamp.json")
	return bytes.ReplaceAll([]byte(text), []byte("TAG"), []byte(head.Get("Etag")))
}

func (p *pair) ask(t testing.TB, path string) (int, http.Header) {
	t.Helper()
	resp, err := http.Get("http://" + p.plain + path)
	p.must(err)
	_, err = io.Copy(io.Discard, resp.Body)
	p.must(errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, resp.Header
}

// Whoever polls cannot tell who answers; and who asks for nothing but files is
// not answered by net/http.
func TestPollsAreAnsweredAsNetHTTPWould(t *testing.T) {
	p := newPair(t)
	for _, one := range pollRequests {
		before := p.answered.Load()
		answers := p.same(t, p.filled(one.text))
		if n := int(p.answered.Load() - before); n != one.polled {
			t.Errorf("%q: %d are answered at once, not %d", one.text, n, one.polled)
		}
		if one.all >= 0 && len(answers) != one.all {
			t.Errorf("%q has %d answers, not %d", one.text, len(answers), one.all)
		}
	}
}

// What is counted is the same, whoever answers.
func TestPollsAreCounted(t *testing.T) {
	p := newPair(t)
	for _, text := range []string{pollRequests[0].text, pollRequests[1].text, pollRequests[10].text} {
		before := p.figures()
		p.same(t, p.filled(text)) // once each, and filled asks net/http for a tag
		after, changed := p.figures(), 0.0
		for name, n := range after {
			if strings.HasPrefix(name, "candor_static_responses_total") {
				changed += n - before[name]
			}
		}
		if changed != 3 {
			t.Errorf("%q: %v are counted", text, changed)
		}
	}
}

func FuzzPollsAreAnsweredAsNetHTTPWould(f *testing.F) {
	p := newPair(f)
	for _, one := range pollRequests {
		f.Add(p.filled(one.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 8<<10 {
			return
		}
		p.same(t, data)
	})
}
