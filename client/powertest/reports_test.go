package powertest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/vote"
)

var master = vote.Master{4, 1}

// voteRules are signed in each release.
func voteRules(build manifests.Build) manifests.VoteRules {
	primary, spare, err := master.Rules(vote.Ref{Product: phone, Build: build})
	must(err)
	return manifests.VoteRules{MinToHalt: 5, Primary: &primary, Spare: &spare}
}

// ballot is the one vote of a class that a release takes.
type ballot struct {
	build manifests.Build
	class vote.Class
}

// outbox opens the real one. Its connections end at a service that remembers
// every vote; chance comes from a seed, and no report is delayed.
func (h *handset) outbox(d disk.Disk, log outbox.Receipts) (*outbox.Outbox, error) {
	return outbox.Open(outbox.Options{
		Disk: d, Dir: "state/outbox", Servers: []string{"http://service"}, Dial: h.dial, Receipts: log,
		Now: func() time.Time { return began }, Random: rand.NewChaCha8([32]byte{1}),
		Delay: func(time.Duration) time.Duration { return 0 },
	})
}

func (h *handset) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		if err := h.serve(far); err != nil {
			h.happened(func(o *outside) { o.contradiction = err.Error() })
		}
	}()
	return near, nil
}

// serve answers one request.
func (h *handset) serve(conn net.Conn) error {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	answer, err := h.answer(r.URL.Path, body)
	if err != nil {
		return err
	}
	status, head := http.StatusNoContent, ""
	if answer != nil {
		status, head = http.StatusOK, fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(answer))
	}
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nConnection: close\r\n%s\r\n%s", status, http.StatusText(status), head, answer); err != nil {
		return err
	}
	return conn.Close()
}

func (h *handset) answer(path string, body []byte) ([]byte, error) {
	switch path {
	case "/v1/enrolments":
		return nil, nil
	case "/v1/tokens":
		r, err := vote.ParseIssue(body)
		if err != nil {
			return nil, err
		}
		k, err := master.Key(r.Ref(), r.Class, r.Set)
		if err != nil {
			return nil, err
		}
		issued, err := k.Evaluate(r.Blinded)
		if err != nil {
			return nil, err
		}
		return json.Marshal(issued)
	case "/v1/votes":
		return nil, h.count(body)
	}
	return nil, fmt.Errorf("a request for %s", path)
}

// count takes a vote: the same one as often as it comes, no other in its place,
// and no trial before its attempt.
func (h *handset) count(body []byte) error {
	r, err := vote.ParseCast(body)
	if err != nil {
		return err
	}
	b := ballot{r.Build, r.Class}
	before, repeated := h.outside.votes[b]
	switch {
	case repeated && !bytes.Equal([]byte(before), body):
		return fmt.Errorf("the %s of build %d is voted twice, and differently", r.Class, r.Build)
	case r.Class == vote.Trial && h.outside.votes[ballot{r.Build, vote.Attempt}] == "":
		return fmt.Errorf("the trial of build %d is reported, and no attempt", r.Build)
	case !repeated:
		h.happened(func(o *outside) {
			if o.votes == nil {
				o.votes = map[ballot]string{}
			}
			o.votes[b] = string(body)
		})
	}
	return nil
}

// checkReports demands that a build that was tried was reported.
func (h *handset) checkReports() error {
	for build := range h.outside.trials {
		for _, class := range []vote.Class{vote.Attempt, vote.Trial} {
			if h.outside.votes[ballot{build, class}] == "" {
				return broken("build %d was tried, and no %s was reported", build, class)
			}
		}
	}
	return nil
}

// reporting is the disk of a handset whose owner turned reports on, and that has
// its tokens for build 42, which is not for it yet.
var reporting = sync.OnceValue(func() *disktest.Disk {
	d := factory().Clone()
	s := &story{name: "reporting", reports: true, chapters: []chapter{{offers: standings{42: rollout.Active}, minute: night, closed: true}}}
	h := newHandset(s, d, outside{})
	must(h.powerOn())
	out, err := h.outbox(d, h.log)
	must(err)
	must(out.OptIn(credential()))
	must(h.start())
	for range 2 {
		_, err := h.poll()
		must(err)
	}
	if h.outside.contradiction != "" {
		panic(h.outside.contradiction)
	}
	return d.Clone()
})

// credential is what a factory puts on a handset.
func credential() []byte {
	random := rand.NewChaCha8([32]byte{2})
	public, private, err := ed25519.GenerateKey(random)
	must(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "b1"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(random, c, c, public, private)
	must(err)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	must(err)
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
}
