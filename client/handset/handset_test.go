package handset

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests"
)

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signedRoot(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	fatal(t, err)
	public, err := metadata.KeyFromPublicKey(private.Public())
	fatal(t, err)
	root := metadata.Root(time.Now().AddDate(10, 0, 0))
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		fatal(t, root.Signed.AddKey(public, role))
	}
	_, err = root.Sign(signer)
	fatal(t, err)
	data, err := root.ToBytes(false)
	fatal(t, err)
	return data
}

// factory gives a configuration and what the factory puts on its handset. The
// server has no files.
func factory(t *testing.T) (config string, f Factory) {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	config, f = filepath.Join(dir, "client.yaml"), Factory{
		Images: map[manifests.Name]string{"system": filepath.Join(dir, "factory.img")}, Root: signedRoot(t),
		Metadata: boot.Metadata{Build: 41, SecurityEpoch: 6, Version: "factory"},
	}
	fatal(t, os.WriteFile(f.Images["system"], []byte("factory"), 0o600))
	fatal(t, os.WriteFile(config, []byte("product: phone\nmodel: m1\nservers: ["+server.URL+"]\nstate: state\nslots: slots\npoll: {every: 1h}\n"), 0o600))
	return config, f
}

func open(t *testing.T) *Handset {
	t.Helper()
	config, f := factory(t)
	fatal(t, Create(config, f))
	c, err := agent.LoadConfig(config)
	fatal(t, err)
	h, err := Open(c, slog.New(slog.DiscardHandler))
	fatal(t, err)
	t.Cleanup(func() { fatal(t, h.Close()) })
	return h
}

func TestHandsetLeavesTheFactoryAsItWasMade(t *testing.T) {
	h := open(t)
	r, err := h.Report()
	fatal(t, err)
	if r.Product != "phone" || r.Build != 41 || r.Version != "factory" || r.Slot != "a" || r.Reporting || r.Waiting || r.Downloaded != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	h := open(t)
	if _, err := Open(h.Config, slog.New(slog.DiscardHandler)); !errors.Is(err, disk.ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestHandsetIsNotMadeTwice(t *testing.T) {
	config, f := factory(t)
	fatal(t, Create(config, f))
	f.Metadata.Build = 50
	if err := Create(config, f); err == nil || !strings.Contains(err.Error(), "handset already") {
		t.Fatalf("got %v", err)
	}
}

func TestHandsetThatWasNeverMadeSaysHowToMakeIt(t *testing.T) {
	config, _ := factory(t)
	c, err := agent.LoadConfig(config)
	fatal(t, err)
	for range 2 { // a failed Open keeps nothing locked
		if _, err := Open(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "`create`") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestFailedPollIsToldAndTheAgentRunsOnUntilStopped(t *testing.T) {
	h := open(t)
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan error, 1)
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, func(_ agent.Status, err error) { told <- err }) }()
	if err := <-told; !errors.Is(err, trust.ErrUnreachable) {
		t.Errorf("told %v", err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	r, err := h.Report()
	fatal(t, err)
	if r.Build != 41 || r.Status.Code != "error" || r.Status.Sentence == "" {
		t.Fatalf("%+v", r)
	}
}

func TestNextPollIsWithinIntervalAndJitter(t *testing.T) {
	h := open(t)
	for range 100 {
		if d := h.wait(); d < time.Hour || d > time.Hour+6*time.Minute {
			t.Fatalf("the next poll is after %s", d)
		}
	}
}

func TestReportsNeedTheFactoryCredential(t *testing.T) {
	h := open(t)
	if err := h.OptIn(t.Context()); err == nil || !strings.Contains(err.Error(), "credential") || h.Reporting() {
		t.Fatalf("got %v", err)
	}
	if len(h.Sent()) != 0 {
		t.Fatal("something was sent")
	}
}

func TestFactoryLabelIsReadToTheLetter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "label.yaml")
	fatal(t, os.WriteFile(path, []byte("collects:\n  - {data: contacts, purpose: {en: to find friends}, default: on, stored: retained}\n"), 0o600))
	var f Factory
	fatal(t, f.LoadLabel(path))
	if c := f.Metadata.Label.Collects; len(c) != 1 || c[0].Data != "contacts" || c[0].Default != manifests.On {
		t.Fatalf("%+v", c)
	}
	fatal(t, os.WriteFile(path, []byte("colects: []\n"), 0o600))
	if err := f.LoadLabel(path); err == nil || !strings.Contains(err.Error(), "label.yaml") {
		t.Fatalf("got %v", err)
	}
	fatal(t, f.LoadLabel(""))
	if c := f.Metadata.Label.Collects; c == nil || len(c) != 0 {
		t.Fatalf("%+v", c)
	}
}
