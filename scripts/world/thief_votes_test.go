package world_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

// factoryCredential is one for all handsets of the stories: what they are told
// apart by is the device key that each makes for itself.
var factoryCredential = sync.OnceValue(func() []byte {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "b1"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		panic(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
})

// issued is one answer to a request for a token.
type issued struct {
	device vote.DeviceKey
	build  manifests.Build
	class  vote.Class
	key    manifests.VoteKey // under which it was answered
}

// voteService keeps the contract of the vote endpoints and, since a thief may
// read over its shoulder, everything that it sees but addresses and times.
type voteService struct {
	a      *attempt
	mu     sync.Mutex
	issued []issued
	cast   []vote.CastRequest
	// keyFor chooses the key for a token: the honest one, unless a thief has
	// taken the service's place.
	keyFor func(r *vote.IssueRequest) *vote.Key
}

func newVoteService(a *attempt) *voteService {
	s := &voteService{a: a}
	s.keyFor = func(r *vote.IssueRequest) *vote.Key { return s.key(a.master, r.Ref(), r.Class, r.Set) }
	return s
}

func (s *voteService) key(master vote.Master, ref vote.Ref, class vote.Class, set vote.Set) *vote.Key {
	k, err := master.Key(ref, class, set)
	s.a.must(err)
	return k
}

func (s *voteService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, vote.MaxMessageBytes))
	if err != nil {
		return
	}
	switch r.URL.Path {
	case "/v1/tokens":
		s.issue(w, body)
	case "/v1/votes":
		c, err := vote.ParseCast(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.count(*c)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *voteService) issue(w http.ResponseWriter, body []byte) {
	r, err := vote.ParseIssue(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	k := s.keyFor(r)
	answer, err := k.Evaluate(r.Blinded)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.issued = append(s.issued, issued{r.DeviceKey, r.Build, r.Class, k.Public()})
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return
	}
}

// count keeps a vote, whoever sent it, and halts what fails too often, as the
// service's engine does: never on fewer votes than the release demands.
func (s *voteService) count(c vote.CastRequest) {
	s.cast = append(s.cast, c)
	failures := 0
	for _, c := range s.cast {
		if c.Vote.Failed(c.Class) && s.key(s.a.master, c.Ref(), c.Class, c.Set).Accepts(&c) {
			failures++
		}
	}
	release := s.a.releases[c.Build]
	if release == nil || failures < int(release.Votes.MinToHalt) {
		return
	}
	for i := range s.a.rows {
		if s.a.rows[i].Build == c.Build {
			s.a.rows[i].State = rollout.Halted
		}
	}
}

// forgeVotes casts failures without a handset, with the stolen master, or with
// one that the thief made up.
func (a *attempt) forgeVotes(b manifests.Build, n int) {
	a.t.Helper()
	master := vote.Master{66}
	if a.has(stolenVotes) {
		master = a.master
	}
	ref := vote.Ref{Product: product, Build: b}
	k := a.votes.key(master, ref, vote.Trial, vote.Primary)
	for range n {
		p, err := vote.NewPending(rand.Reader)
		a.must(err)
		blinded, err := p.Blinded()
		a.must(err)
		answer, err := k.Evaluate(blinded)
		a.must(err)
		token, err := p.Finish(k.Public(), answer)
		a.must(err)
		c, err := token.Cast(ref, vote.Trial, vote.Primary, vote.Vote{
			V: 1, Outcome: vote.RolledBack, Reason: vote.BootLoop, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour,
		})
		a.must(err)
		a.votes.mu.Lock()
		a.votes.count(c)
		a.votes.mu.Unlock()
	}
	a.publish(a.now)
}

// impersonate answers each device's requests for tokens under a key of its own.
func (a *attempt) impersonate() {
	if !a.has(stolenCDN) && !a.has(stolenDatabase) {
		return // nobody asks him
	}
	known, masters := a.has(stolenVotes), map[vote.DeviceKey]vote.Master{}
	a.votes.keyFor = func(r *vote.IssueRequest) *vote.Key {
		if _, ok := masters[r.DeviceKey]; !ok {
			masters[r.DeviceKey] = vote.Master{100 + byte(len(masters))}
		}
		if known && len(masters) == 1 {
			return a.votes.key(a.master, r.Ref(), r.Class, vote.Spare)
		}
		return a.votes.key(masters[r.DeviceKey], r.Ref(), r.Class, r.Set)
	}
}

// tied tells whether somebody who reads over the service's shoulder can name
// the device key behind some vote on a build: of all that asked for such a
// token, answered under the key that the vote proves, there is only one.
func (a *attempt) tied(b manifests.Build) bool {
	if !a.has(stolenCDN) && !a.has(stolenDatabase) {
		return false // he sees neither requests nor records
	}
	for i := range a.votes.cast {
		c := &a.votes.cast[i]
		if c.Build != b {
			continue
		}
		devices := map[vote.DeviceKey]bool{}
		for _, x := range a.votes.issued {
			if x.build == c.Build && x.class == c.Class && a.proves(c, x.key) {
				devices[x.device] = true
			}
		}
		if len(devices) == 1 {
			return true
		}
	}
	return false
}

// proves tells whether a vote was made with a token of a public key. All private
// keys of the stories are known here.
func (a *attempt) proves(c *vote.CastRequest, public manifests.VoteKey) bool {
	masters := []vote.Master{a.master}
	for i := range byte(4) {
		masters = append(masters, vote.Master{100 + i})
	}
	for _, m := range masters {
		for _, set := range []vote.Set{vote.Primary, vote.Spare} {
			spent := *c
			spent.Set = set
			if k := a.votes.key(m, c.Ref(), c.Class, set); k.Public() == public && k.Accepts(&spent) {
				return true
			}
		}
	}
	return false
}

// reporting is a person whose owner lets outcomes be reported.
func reporting(region manifests.Name) person {
	return person{build: 41, region: region, credential: factoryCredential()}
}
