package browser_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/votes"
)

// fleet are handsets that do all that handsets do to be counted: they enrol
// with a credential of their batch, draw blind tokens, and vote.
type fleet struct {
	batch votes.KeyPair
	rules map[manifests.Build]manifests.VoteRules
}

// outcome is what became of an update on a handset.
type outcome struct {
	outcome vote.Outcome
	reason  vote.Reason
}

var (
	healthy = outcome{vote.InstalledHealthy, vote.None}
	failed  = outcome{vote.RolledBack, vote.HealthCheck}
	looped  = outcome{vote.RolledBack, vote.BootLoop}
)

// report has so many new handsets say what became of a build on each.
func (s *site) report(build manifests.Build, n int, o outcome) {
	s.t.Helper()
	if s.fleet == nil {
		s.fleet = s.newFleet()
	}
	rules, ok := s.fleet.rules[build]
	if !ok {
		r, err := s.Published(s.t.Context(), product, build)
		must(s.t, err)
		rules = r.Votes
		s.fleet.rules[build] = rules
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 4)
	for i := range n {
		gate <- struct{}{}
		wg.Go(func() {
			errs[i] = s.handset(vote.Ref{Product: product, Build: build}, rules, o)
			<-gate
		})
	}
	wg.Wait()
	for _, err := range errs {
		must(s.t, err)
	}
}

func (s *site) newFleet() *fleet {
	made, err := s.Exec(s.t.Context(), "server", "batch", "new", "browser", "--daily-cap", "1000000", "--data", s.Path("data"), "--json")
	must(s.t, err)
	var batch struct{ CA string }
	must(s.t, json.Unmarshal(made, &batch))
	data, err := os.ReadFile(batch.CA)
	must(s.t, err)
	certificate, key, found := strings.Cut(string(data), "-----BEGIN PRIVATE KEY-----")
	if !found {
		s.t.Fatalf("%s holds no private key", batch.CA)
	}
	return &fleet{batch: votes.KeyPair{Certificate: certificate, PrivateKey: "-----BEGIN PRIVATE KEY-----" + key}, rules: map[manifests.Build]manifests.VoteRules{}}
}

// handset lets one be born, update and report.
func (s *site) handset(ref vote.Ref, rules manifests.VoteRules, o outcome) error {
	pair, err := votes.IssueCredential(rand.Reader, s.fleet.batch)
	if err != nil {
		return err
	}
	credential, err := votes.ParseKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	public, device, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	h := reporter{site: s, ref: ref, rules: rules, pem: pair.Certificate, credential: credential, device: device, id: vote.DeviceKey(public)}
	enrol := vote.EnrolRequest{DeviceKey: h.id, Credential: h.pem}
	enrol.Sign(credential)
	if _, err := s.send("/v1/enrolments", enrol); err != nil {
		return err
	}
	if err := h.casts(vote.Attempt, vote.Vote{V: 1}); err != nil {
		return err
	}
	return h.casts(vote.Trial, vote.Vote{V: 1, Outcome: o.outcome, Reason: o.reason, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour})
}

// reporter is a handset that has enrolled.
type reporter struct {
	*site
	ref                vote.Ref
	rules              manifests.VoteRules
	pem                string
	credential, device ed25519.PrivateKey
	id                 vote.DeviceKey
}

// casts draws a token of a class and votes with it.
func (h *reporter) casts(class vote.Class, v vote.Vote) error {
	p, err := vote.NewPending(rand.Reader)
	if err != nil {
		return err
	}
	blinded, err := p.Blinded()
	if err != nil {
		return err
	}
	ask := vote.IssueRequest{Product: h.ref.Product, Build: h.ref.Build, Class: class, Set: vote.Primary, Blinded: blinded, DeviceKey: h.id, Credential: h.pem}
	ask.Sign(h.device, h.credential)
	answer, err := h.send("/v1/tokens", ask)
	if err != nil {
		return err
	}
	var issued vote.IssueResponse
	if err := json.Unmarshal(answer, &issued); err != nil {
		return err
	}
	key, ok := vote.KeyOf(h.rules, class, vote.Primary)
	if !ok {
		return fmt.Errorf("build %d takes no votes of class %s", h.ref.Build, class)
	}
	token, err := p.Finish(key, issued)
	if err != nil {
		return err
	}
	ballot, err := token.Cast(h.ref, class, vote.Primary, v)
	if err != nil {
		return err
	}
	_, err = h.send("/v1/votes", ballot)
	return err
}

// send posts a message as a handset does, straight to the server.
func (s *site) send(path string, message any) ([]byte, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	resp, err := http.Post(s.Server+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, answer)
	}
	return answer, err
}
