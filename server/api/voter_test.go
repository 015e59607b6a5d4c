package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
)

// voter speaks as a handset does, over HTTP.
type voter struct {
	*world
	pem                string
	credential, device ed25519.PrivateKey
	id                 vote.DeviceKey
}

func (w *world) voter(t *testing.T) *voter {
	t.Helper()
	ca, err := votes.NewBatchCA(rand.Reader, "spring", w.now())
	w.must(err)
	b := store.Batch{Name: "spring", CA: ca.Certificate, DailyCap: 1000, Created: w.now()}
	w.must(w.ledger.AddBatch(ctx, b, store.Entry{At: w.now(), Who: "test", What: "batch.new", Subject: "spring"}))
	pair, err := votes.IssueCredential(rand.Reader, ca)
	w.must(err)
	key, err := votes.ParseKey(pair.PrivateKey)
	w.must(err)
	public, device, err := ed25519.GenerateKey(nil)
	w.must(err)
	return &voter{world: w, pem: pair.Certificate, credential: key, device: device, id: vote.DeviceKey(public)}
}

func (h *voter) send(path string, message any) []byte {
	h.t.Helper()
	status, header, body := h.call("", "POST", path, message)
	if status >= 300 {
		h.t.Fatalf("%s: %d %s", path, status, body)
	}
	if header.Get("X-Request-Id") != "" {
		h.t.Errorf("%s: a handset's request has a number", path)
	}
	return body
}

// says enrols, draws a token for a build, votes and withdraws.
func (h *voter) says(build manifests.Build, v vote.Vote) {
	h.t.Helper()
	enrol := vote.EnrolRequest{DeviceKey: h.id, Credential: h.pem}
	enrol.Sign(h.credential)
	h.send("/v1/enrolments", enrol)
	p, err := vote.NewPending(rand.Reader)
	h.must(err)
	blinded, err := p.Blinded()
	h.must(err)
	ask := vote.IssueRequest{Product: phone, Build: build, Class: vote.Trial, Set: vote.Primary, Blinded: blinded, DeviceKey: h.id, Credential: h.pem}
	ask.Sign(h.device, h.credential)
	var issued vote.IssueResponse
	h.must(json.Unmarshal(h.send("/v1/tokens", ask), &issued))
	ref := vote.Ref{Product: phone, Build: build}
	primary, spare, err := vote.Master{1}.Rules(ref)
	h.must(err)
	public, _ := vote.KeyOf(manifests.VoteRules{Primary: &primary, Spare: &spare}, vote.Trial, vote.Primary)
	token, err := p.Finish(public, issued)
	h.must(err)
	ballot, err := token.Cast(ref, vote.Trial, vote.Primary, v)
	h.must(err)
	h.send("/v1/votes", ballot)
	withdraw := vote.WithdrawRequest{DeviceKey: h.id}
	withdraw.Sign(h.device)
	h.send("/v1/enrolments/withdraw", withdraw)
}

// polls reads what handsets read.
func (h *voter) polls() {
	h.t.Helper()
	for _, path := range []string{"/metadata/timestamp.json", "/metadata/1.root.json", "/metadata/9.root.json", "/blobs/none"} {
		resp, err := h.http.Client().Get(h.http.URL + path)
		h.must(err)
		h.must(resp.Body.Close())
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
			h.t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
