package outbox_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
)

var (
	master  = vote.Master{1, 2, 3}
	ref     = vote.Ref{Product: "phone", Build: 43}
	attempt = vote.Vote{V: 1}
	healthy = vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
)

// asked is a request as the service saw it.
type asked struct {
	path, address string
	header        http.Header
	tls           *tls.ConnectionState
	body          []byte
}

// service keeps the contract of the vote endpoints, with package vote.
type service struct {
	*httptest.Server
	t          *testing.T
	credential ed25519.PublicKey

	mu       sync.Mutex
	master   vote.Master
	enrolled map[vote.DeviceKey]bool
	issued   map[string]vote.Blinded
	spent    map[vote.Nullifier]vote.MAC
	named    map[string]vote.Vote // reports by name, by device key, release and class
	seen     []asked
	// before sees each request first; true means that it answered.
	before func(http.ResponseWriter, *http.Request, []byte) bool
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.seen = append(s.seen, asked{r.URL.Path, r.RemoteAddr, r.Header, r.TLS, body})
	http.SetCookie(w, &http.Cookie{Name: "who", Value: "you", Path: "/"})
	if s.before != nil && s.before(w, r, body) {
		return
	}
	if code := s.answer(w, r.URL.Path, body); code != "" {
		problem(w, http.StatusConflict, code)
	}
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(api.Problem{Type: "about:blank", Title: "no", Status: status, Code: code})
}

func (s *service) answer(w http.ResponseWriter, path string, body []byte) string {
	switch path {
	case "/v1/enrolments":
		r, err := vote.ParseEnrol(body)
		if err != nil || !r.SignedBy(s.credential) {
			return api.CodeBadCredential
		}
		s.enrolled[r.DeviceKey] = true
	case "/v1/enrolments/withdraw":
		r, err := vote.ParseWithdraw(body)
		if err != nil || !r.Signed() {
			return api.CodeBadRequest
		}
		delete(s.enrolled, r.DeviceKey)
	case "/v1/tokens":
		return s.issue(w, body)
	case "/v1/votes":
		return s.count(w, body)
	case "/v1/lab-reports":
		if code := s.hear(body); code != "" {
			return code
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return ""
}

func (s *service) key(r vote.Ref, c vote.Class, set vote.Set) *vote.Key {
	k, err := s.master.Key(r, c, set)
	if err != nil {
		s.t.Error(err)
	}
	return k
}

func (s *service) issue(w http.ResponseWriter, body []byte) string {
	r, err := vote.ParseIssue(body)
	switch {
	case err != nil || !r.SignedByDevice() || !r.SignedBy(s.credential):
		return api.CodeBadRequest
	case !s.enrolled[r.DeviceKey]:
		return api.CodeNotEnrolled
	}
	id := r.Ref().String() + string(r.Class) + string(r.Set)
	if before, ok := s.issued[id]; ok && before != r.Blinded {
		return api.CodeAlreadyIssued
	}
	s.issued[id] = r.Blinded
	answer, err := s.key(r.Ref(), r.Class, r.Set).Evaluate(r.Blinded)
	if err != nil {
		return api.CodeBadElement
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
	return ""
}

func (s *service) hear(body []byte) string {
	r, err := vote.ParseLab(body)
	switch {
	case err != nil:
		return api.CodeBadRequest
	case !s.enrolled[r.DeviceKey]:
		return api.CodeNotEnrolled
	case !r.Signed():
		return api.CodeBadCredential
	}
	id := fmt.Sprint(r.DeviceKey, r.Ref(), r.Class)
	if before, ok := s.named[id]; ok && before != r.Vote {
		return api.CodeAlreadyVoted
	}
	s.named[id] = r.Vote
	return ""
}

func (s *service) count(w http.ResponseWriter, body []byte) string {
	r, err := vote.ParseCast(body)
	if err != nil {
		return api.CodeBadRequest
	}
	k := s.key(r.Ref(), r.Class, r.Set)
	if !k.Accepts(r) {
		return api.CodeBadToken
	}
	if mac, ok := s.spent[k.Nullifier(r.Nonce)]; ok && mac != r.MAC {
		return api.CodeAlreadyVoted
	}
	s.spent[k.Nullifier(r.Nonce)] = r.MAC
	w.WriteHeader(http.StatusNoContent)
	return ""
}

// requests gives what was asked for under a path since the last call; all of
// it for "".
func (s *service) requests(path string) []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []asked
	for _, a := range s.seen {
		if path == "" || a.path == path {
			out = append(out, a)
		}
	}
	s.seen = nil
	return out
}

func (s *service) intercept(f func(http.ResponseWriter, *http.Request, []byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// handset is an outbox with a clock of its own, and delays of their full length.
type handset struct {
	*outbox.Outbox
	t          *testing.T
	service    *service
	dir        string
	now        time.Time
	credential []byte
	rules      manifests.VoteRules
	receipts   *receipts.Log
	options    outbox.Options
}

func newHandset(t *testing.T) *handset {
	t.Helper()
	s := &service{t: t, master: master, enrolled: map[vote.DeviceKey]bool{}, issued: map[string]vote.Blinded{}, spent: map[vote.Nullifier]vote.MAC{}, named: map[string]vote.Vote{}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	h := &handset{t: t, service: s, dir: t.TempDir(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.credential, h.credential = credential(t)
	primary, spare, err := master.Rules(ref)
	if err != nil {
		t.Fatal(err)
	}
	h.rules = manifests.VoteRules{MinToHalt: 5, Primary: &primary, Spare: &spare}
	h.openReceipts()
	h.restart()
	return h
}

func credential(t *testing.T) (ed25519.PublicKey, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "b1"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return public, append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
}

// restart is a new process over the same files.
func (h *handset) restart() {
	h.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(h.service.Certificate())
	o := h.options
	o.Dir, o.Servers, o.RootCAs = h.dir, []string{h.service.URL}, roots
	o.Now = func() time.Time { return h.now }
	o.Delay = func(within time.Duration) time.Duration { return within }
	var err error
	if h.Outbox, err = outbox.Open(o); err != nil {
		h.t.Fatal(err)
	}
}

func (h *handset) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// reporting is a handset whose owner opted in and that has its tokens.
func reporting(t *testing.T) *handset {
	t.Helper()
	h := newHandset(t)
	h.must(h.OptIn(h.credential))
	h.must(h.Prepare(t.Context(), ref, h.rules, 0))
	h.must(h.Send(t.Context()))
	h.service.requests("")
	return h
}

func (h *handset) report(c vote.Class, v vote.Vote, within time.Duration) {
	h.t.Helper()
	h.must(h.Report(ref, c, v, within))
}

func (h *handset) counted() int {
	h.service.mu.Lock()
	defer h.service.mu.Unlock()
	return len(h.service.spent)
}
