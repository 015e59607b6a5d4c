package handset

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests/vote"
)

func factoryCredential(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "lab"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	fatal(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	fatal(t, err)
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
}

// withCredential is a handset whose configuration names a credential, and a
// service that notes what it is asked and answers 204.
func withCredential(t *testing.T) (h *Handset, reopen func(), asked func() []string) {
	t.Helper()
	config, f := factory(t)
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if paths = append(paths, r.URL.Path); r.URL.Path == "/v1/lab-reports" {
			if report, err := vote.ParseLab(body); err != nil || !report.Signed() {
				t.Errorf("%s: %v", body, err)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	dir := filepath.Dir(config)
	fatal(t, os.WriteFile(filepath.Join(dir, "credential.pem"), factoryCredential(t), 0o600))
	fatal(t, os.WriteFile(config, []byte("product: phone\nmodel: m1\nservers: ["+server.URL+"]\nstate: state\nslots: slots\ncredential: credential.pem\n"), 0o600))
	fatal(t, Create(config, f))
	h = &Handset{}
	reopen = func() {
		if h.store != nil {
			fatal(t, h.Close())
		}
		c, err := agent.LoadConfig(config)
		fatal(t, err)
		next, err := Open(c, slog.New(slog.DiscardHandler))
		fatal(t, err)
		*h = *next
	}
	reopen()
	t.Cleanup(func() { fatal(t, h.Close()) })
	return h, reopen, func() []string {
		out := paths
		paths = nil
		return out
	}
}

func TestLabModeEnrolsWithoutConsentToVotesAndReportsByName(t *testing.T) {
	h, reopen, asked := withCredential(t)
	fatal(t, h.LabOn(t.Context()))
	on := h.Lab()
	if paths := asked(); !on.On || !on.Reporting || on.DeviceKey == "" || !slices.Equal(paths, []string{"/v1/enrolments"}) {
		t.Fatalf("%+v after requests for %q", on, paths)
	}
	ref := vote.Ref{Product: "phone", Build: 42}
	rolledBack := vote.Vote{V: 1, Outcome: vote.RolledBack, Reason: vote.HealthCheck, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}
	fatal(t, h.outbox.Report(ref, vote.Trial, rolledBack, time.Hour))
	reopen()
	fatal(t, h.outbox.Send(t.Context()))
	l := h.Lab()
	if paths := asked(); *l.Hash != *on.Hash || len(l.Sent) != 1 || !slices.Equal(paths, []string{"/v1/lab-reports"}) {
		t.Fatalf("%+v after requests for %q", l, paths)
	}
	r, err := h.Report()
	fatal(t, err)
	if !r.Lab || !r.Reporting {
		t.Fatalf("%+v", r)
	}
	fatal(t, h.LabOff(t.Context()))
	if paths := asked(); h.Lab().On || h.Reporting() || !slices.Equal(paths, []string{"/v1/enrolments/withdraw"}) {
		t.Fatalf("%+v after requests for %q", h.Lab(), paths)
	}
}

func TestLabModeWithoutCredentialTakesPartAndCannotReport(t *testing.T) {
	h := open(t)
	fatal(t, h.LabOn(t.Context()))
	if l := h.Lab(); !l.On || l.Hash == nil || l.Reporting || h.Reporting() {
		t.Fatalf("%+v", l)
	}
	fatal(t, h.LabOff(t.Context()))
	if l := h.Lab(); l.On || l.Hash != nil {
		t.Fatalf("%+v", l)
	}
}

// What the memory lost, the outbox follows at the next start.
func TestReportsByNameEndWhereTheLabIdIsLost(t *testing.T) {
	h, reopen, asked := withCredential(t)
	fatal(t, h.LabOn(t.Context()))
	fatal(t, os.WriteFile(filepath.Join(h.Config.State, "memory.json"), []byte("?"), 0o600))
	asked()
	reopen()
	fatal(t, h.outbox.Send(t.Context()))
	if paths := asked(); h.Lab().On || h.Reporting() || !slices.Equal(paths, []string{"/v1/enrolments/withdraw"}) {
		t.Fatalf("%+v after requests for %q", h.Lab(), paths)
	}
	if err := h.outbox.Report(vote.Ref{Product: "phone", Build: 42}, vote.Trial, vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour}, 0); !errors.Is(err, outbox.ErrOff) {
		t.Fatalf("got %v", err)
	}
}
