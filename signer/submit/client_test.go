package submit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/operate"
)

const token = "candor-test-token"

// server keeps uploads in memory, as the contract has them.
type server struct {
	t        *testing.T
	mu       sync.Mutex        // a request can begin before the one that was cut off has ended
	data     map[string][]byte // by upload id, which is the hash here
	size     map[string]int64
	requests int
	fail     func(r *http.Request) int // a status to answer with instead, or 0
	also     func()                    // runs after a PATCH
	cut      int                       // bytes of the next PATCH to take before the connection breaks
}

func start(t *testing.T) (*server, *Client) {
	t.Helper()
	s := &server{t: t, data: map[string][]byte{}, size: map[string]int64{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	c := connect(t, h.URL)
	c.Pause = func(context.Context, time.Duration) error { return nil }
	return s, c
}

func connect(t *testing.T, url string) *Client {
	t.Helper()
	c, err := operate.New(url, token+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return &Client{c}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.fail != nil {
		if status := s.fail(r); status != 0 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"title":"no","detail":"because","code":"x"}`)
			return
		}
	}
	id := strings.TrimPrefix(r.URL.Path, "/v1/uploads/")
	switch r.Method {
	case http.MethodPost:
		s.post(w, r)
	case http.MethodGet:
		s.state(w, id)
	case http.MethodPatch:
		s.patch(w, r, id)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		SHA256 string
		Size   int64
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		s.t.Error(err)
	}
	s.size[in.SHA256] = in.Size
	s.state(w, in.SHA256)
}

func (s *server) state(w http.ResponseWriter, id string) {
	at := int64(len(s.data[id]))
	if err := json.NewEncoder(w).Encode(api.Upload{Id: id, Offset: at, Size: s.size[id], Complete: at == s.size[id]}); err != nil {
		s.t.Error(err)
	}
}

func (s *server) patch(w http.ResponseWriter, r *http.Request, id string) {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(s.data[id])) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"title":"elsewhere","code":"wrong-offset"}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if s.cut > 0 {
		s.data[id] = append(s.data[id], body[:s.cut]...)
		s.cut = 0
		panic(http.ErrAbortHandler)
	}
	s.data[id] = append(s.data[id], body...)
	if s.also != nil {
		s.also()
	}
	s.state(w, id)
}

// got is what arrived of a blob.
func (s *server) got(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[id]
}

func (s *server) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func blobOf(data []byte) Blob {
	return Blob{SHA256: sha256.Sum256(data), Size: int64(len(data)), Open: func() (io.ReadSeekCloser, error) { return closer{bytes.NewReader(data)}, nil }}
}

func big() []byte { return bytes.Repeat([]byte("firmware"), (chunk*2+chunk/2)/8) }

func TestInterruptedUploadGoesOnWhereItStopped(t *testing.T) {
	s, c := start(t)
	s.cut = 1000
	b := blobOf(big())
	var seen []int64
	if err := c.Upload(context.Background(), b, func(n int64) { seen = append(seen, n) }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.got(b.SHA256.String()), big()) {
		t.Error("other bytes arrived")
	}
	if seen[1] != 1000 {
		t.Errorf("resumed at %d instead of 1000", seen[1])
	}
}

func TestServersOffsetHolds(t *testing.T) {
	s, c := start(t)
	b := blobOf(big())
	id := b.SHA256.String()
	s.also = func() { // another upload of the same blob went on meanwhile
		s.data[id], s.also = big()[:len(s.data[id])+500], nil
		s.fail = func(r *http.Request) int {
			s.fail = nil
			s.data[id] = big()[:len(s.data[id])+500]
			return 0
		}
	}
	if err := c.Upload(context.Background(), b, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.got(id), big()) {
		t.Error("other bytes arrived")
	}
}

func TestBlobThatIsThereIsNotSentAgain(t *testing.T) {
	s, c := start(t)
	b := blobOf([]byte("firmware"))
	for range 2 {
		if err := c.Upload(context.Background(), b, func(int64) {}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.asked(); n != 3 {
		t.Errorf("%d requests; expected POST, PATCH, POST", n)
	}
}

func TestServerOutageIsWaitedOut(t *testing.T) {
	s, c := start(t)
	failures := 3
	s.fail = func(*http.Request) int {
		if failures--; failures >= 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if err := c.Upload(context.Background(), blobOf([]byte("firmware")), func(int64) {}); err != nil {
		t.Fatal(err)
	}
}

func TestLongOutageIsGivenUpWithAdvice(t *testing.T) {
	s, c := start(t)
	s.fail = func(*http.Request) int { return http.StatusBadGateway }
	err := c.Upload(context.Background(), blobOf([]byte("firmware")), func(int64) {})
	if err == nil || !strings.Contains(err.Error(), "run the command again") || s.asked() != operate.Attempts {
		t.Fatalf("%d requests, %v", s.asked(), err)
	}
}

func TestRefusalIsPassedOnInTheServersWords(t *testing.T) {
	s, c := start(t)
	s.fail = func(*http.Request) int { return http.StatusUnprocessableEntity }
	err := c.Upload(context.Background(), blobOf([]byte("x")), func(int64) {})
	var refused *operate.Refusal
	if !errors.As(err, &refused) || refused.Text != "because" || refused.Code != "x" || s.asked() != 1 {
		t.Fatalf("%d requests, %v", s.asked(), err)
	}
}

func TestFileThatShrankIsNamed(t *testing.T) {
	_, c := start(t)
	b := blobOf([]byte("firmware"))
	b.Size, b.SHA256 = 100, manifests.SHA256{1}
	if err := c.Upload(context.Background(), b, func(int64) {}); err == nil || !strings.Contains(err.Error(), "shorter than") {
		t.Fatalf("got %v", err)
	}
}

func TestTokenDoesNotFollowARedirect(t *testing.T) {
	var leaked string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer thief.Close()
	h := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer h.Close()
	c := connect(t, h.URL)
	if err := c.Upload(context.Background(), blobOf([]byte("x")), func(int64) {}); err == nil || leaked != "" {
		t.Fatalf("followed: %v, leaked %q", err, leaked)
	}
}

func TestHTMLInsteadOfJSONIsRefused(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	defer h.Close()
	c := connect(t, h.URL)
	if err := c.Upload(context.Background(), blobOf([]byte("x")), func(int64) {}); err == nil {
		t.Error("upload: accepted")
	}
}
