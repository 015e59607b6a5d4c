package poll_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/poll"
)

func TestPollsAreAnsweredOnOneConnection(t *testing.T) {
	p := newWorld(t, long, 10).dial()
	for range 3 {
		p.asks(get, "200 "+small)
		p.asks(getAgain, "304 ")
	}
}

// However the bytes of requests are cut into packets, each is answered once and
// in its order: by net/http from the first that is for it, or comes in pieces.
func TestNoByteIsLostWhereverTheyAreCut(t *testing.T) {
	w := newWorld(t, long, 10_000)
	all := get + getAgain + post + get + getOther
	ours := []string{"200 " + small, "304 ", "", "", ""}
	theirs := []string{"200 net/http: GET /small ", "200 net/http: GET /small ", "200 net/http: POST /small body", "200 net/http: GET /small ", "200 net/http: GET /other "}
	for cut := range len(all) {
		p := w.dial()
		p.send(all[:cut])
		read := 0
		if cut >= len(get) { // when it is answered, the server has read the rest as well
			if got := p.answer(); got != ours[0] {
				t.Fatalf("cut at %d: %q", cut, got)
			}
			read = 1
		}
		p.send(all[cut:])
		handed := false
		for i := read; i < len(theirs); i++ {
			got := p.answer()
			handed = handed || strings.Contains(got, "net/http")
			if want := map[bool]string{true: theirs[i], false: ours[i]}[handed]; got != want {
				t.Fatalf("cut at %d, answer %d: %q instead of %q", cut, i, got, want)
			}
		}
		w.must(p.Close())
	}
}

func TestConnectionThatIsHandedOverStaysWithNetHTTP(t *testing.T) {
	p := newWorld(t, long, 10).dial()
	p.asks(get, "200 "+small)
	p.asks(getOther, "200 net/http: GET /other ")
	p.asks(get, "200 net/http: GET /small ")
}

func TestWhoEndsItsRequestsIsAnsweredAndThenClosed(t *testing.T) {
	p := newWorld(t, long, 10).dial()
	p.send(get + getAgain)
	p.must(p.Conn.(*net.TCPConn).CloseWrite())
	if first, second := p.answer(), p.answer(); first != "200 "+small || second != "304 " {
		t.Errorf("%q, %q", first, second)
	}
	p.isClosed()
}

func TestWhoDoesNotAskIsGivenUp(t *testing.T) {
	times := long
	times.First = 20 * time.Millisecond
	w := newWorld(t, times, 10)
	w.dial().isClosed()
	times = long
	times.Idle = 20 * time.Millisecond
	w = newWorld(t, times, 10)
	p := w.dial()
	p.asks(get, "200 "+small)
	p.isClosed()
}

// Whoever asks stays, however long: the time without a question is what counts.
func TestWhoGoesOnAskingStays(t *testing.T) {
	times := long
	times.First = 100 * time.Millisecond
	p := newWorld(t, times, 10).dial()
	for !p.isServed(get) { // this machine was too slow to ask in time
		times.First *= 2
		p = newWorld(t, times, 10).dial()
	}
	for begun := time.Now(); time.Since(begun) < 3*times.First; {
		p.asks(get, "200 "+small)
	}
}

// A peer that does not read is given up after its time; nobody waits for it.
func TestWhoDoesNotReadIsGivenUpAndHoldsNobodyUp(t *testing.T) {
	times := long
	until := make(chan int, 10)
	times.Write = func(size int) time.Time {
		until <- size
		return time.Now() // it has had its time
	}
	w := newWorld(t, times, 10)
	slow := w.dial()
	slow.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	if size := <-until; size < 1<<20 || size >= len(w.files.large) {
		t.Errorf("waits for %d bytes to be read", size)
	}
	w.dial().asks(get, "200 "+small)
	if n, err := io.Copy(io.Discard, slow.r); n >= int64(len(w.files.large)) {
		t.Errorf("%d bytes arrived at last: %v", n, err)
	}
}

func TestLargeBodiesArriveWhole(t *testing.T) {
	w := newWorld(t, long, 10)
	p := w.dial()
	p.send(get + "GET /large HTTP/1.1\r\nHost: x\r\n\r\n" + get)
	for _, want := range []string{small, string(w.files.large), small} {
		if got := p.answer(); got != "200 "+want {
			t.Fatalf("%d bytes instead of %d", len(got)-4, len(want))
		}
	}
}

func TestPanicEndsOneConnection(t *testing.T) {
	w := newWorld(t, long, 10)
	other := w.dial()
	other.asks(get, "200 "+small)
	p := w.dial()
	p.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
	p.isClosed()
	other.asks(get, "200 "+small)
	if log := w.log.String(); !strings.Contains(log, "as the test wants it") || !strings.Contains(log, "world_test.go") {
		t.Errorf("the log says %q", log)
	}
}

// A connection that polls makes room for a new one, as any that is idle does.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	w := newWorld(t, long, 3)
	var all []*peer
	for range 3 {
		p := w.dial()
		p.asks(get, "200 "+small)
		all = append(all, p)
	}
	for range 2 { // when the second is answered, the first has been noted
		all[0].asks(get, "200 "+small)
	}
	w.dial().asks(get, "200 "+small)
	all[1].isClosed()
	all[0].asks(get, "200 "+small)
	all[2].asks(get, "200 "+small)
	if n := w.inner.Stats().Evicted; n != 1 {
		t.Errorf("%d were ended", n)
	}
}

// Deadlines of what was answered here end with it.
func TestConnectionIsHandedOverWithoutDeadlines(t *testing.T) {
	times := long
	patience, until := 500*time.Millisecond, make(chan time.Time, 100)
	times.Write = func(int) time.Time {
		at := time.Now().Add(patience)
		until <- at
		return at
	}
	p := newWorld(t, times, 10).dial()
	for !p.isServed("GET /large HTTP/1.1\r\nHost: x\r\n\r\n") { // this machine was too slow to read in time
		patience *= 2
		p = newWorld(t, times, 10).dial()
	}
	late := <-until
	for len(until) > 0 {
		late = <-until
	}
	for time.Now().Before(late) {
		p.asks(get, "200 "+small)
	}
	p.asks(getOther, "200 net/http: GET /other ")
}

// Whoever is being answered does not make room while somebody else waits.
func TestWhoIsAnsweredIsNotIdle(t *testing.T) {
	times := long
	blocked := make(chan int, 10)
	times.Write = func(size int) time.Time {
		blocked <- size
		return time.Now().Add(time.Minute)
	}
	w := newWorld(t, times, 2)
	slow := w.dial()
	slow.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	<-blocked
	idle := w.dial()
	for range 2 {
		idle.asks(get, "200 "+small)
	}
	w.dial().asks(get, "200 "+small)
	idle.isClosed()
	if got := slow.answer(); len(got) != 4+len(w.files.large) {
		t.Errorf("%d bytes", len(got))
	}
}

// failing is a listener that fails once, with connections that are not counted.
type failing struct {
	net.Listener
	err error
}

func (f *failing) Accept() (net.Conn, error) {
	if err := f.err; err != nil {
		f.err = nil
		return nil, err
	}
	return f.Listener.Accept()
}

// A failed Accept is told to net/http, which waits and goes on; connections of
// another kind are its own.
func TestErrorsAndOtherConnectionsGoToNetHTTP(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("as the test wants it")
	l := poll.NewListener(&failing{inner, cause}, &files{}, long, nil)
	if _, err := l.Accept(); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	resp, err := http.Get("http://" + inner.Addr().String() + "/small")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("%s, %v", resp.Status, err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
