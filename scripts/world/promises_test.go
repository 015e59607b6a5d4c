package world_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/world"
	"github.com/candor-ota/candor/server/store/storetest"
)

var ctx = context.Background()

// image writes an image of its own bytes.
func image(t *testing.T, name string, size int) string {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const product = manifests.Product("phone")

// start makes a world with one product.
func start(t *testing.T) *world.World {
	t.Helper()
	w, err := world.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Ceremony(ctx, product); err != nil {
		t.Fatal(err)
	}
	return w
}

const before = "collects:\n  - {data: contact-phone-numbers, purpose: {en: messaging}, default: on, stored: retained}\n"

var made int

func phone(t *testing.T, w *world.World, server string, reports bool) *world.Phone {
	t.Helper()
	made++
	p, err := w.NewPhone(ctx, world.Factory{
		Dir: fmt.Sprintf("phone-%d", made), Product: product, Server: server, Image: image(t, "factory.img", 64<<10),
		Build: 41, Epoch: 6, Version: "factory", Label: before, Reports: reports,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func accepted(t *testing.T, p *world.Phone, build manifests.Build) *world.Phone {
	t.Helper()
	if err := p.Accept(ctx, build); err != nil {
		t.Fatal(err)
	}
	return p
}

func once(t *testing.T, p *world.Phone) world.Status {
	t.Helper()
	s, err := p.Once(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func release(t *testing.T, w *world.World, build manifests.Build, pace string) {
	t.Helper()
	manifest, err := world.Example(product, build, pace)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Release(ctx, product, build, manifest, image(t, "system.img", 1<<20)); err != nil {
		t.Fatal(err)
	}
}

const atOnce = "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n"

func openToAll(t *testing.T, w *world.World, build manifests.Build) world.Rollout {
	t.Helper()
	r, err := w.Open(ctx, &rollout.Plan{
		Product: product, Build: build, Channel: "stable", Kind: manifests.KindNormal,
		Deferral: manifests.Duration{Duration: manifests.MaxDuration / 10}, Stages: []rollout.Stage{{Share: manifests.WholeFleet}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// P1: with server, network and every online key in a thief's hand, nothing
// installs that the engineers did not sign.
func TestOnlineKeysCannotMakeARelease(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	th := newThief(t, w)
	doc := th.get(layout.TargetFile(layout.ReleasePath(product, 42), th.signed(product, 42).SHA256))
	evil := []byte(strings.Replace(string(doc), `"build":42`, `"build":99`, 1))
	ref := th.target(layout.ReleasePath(product, 99), evil)
	swapped := th.signed(product, 42)
	swapped.SHA256 = manifests.SumSHA256(evil)
	th.publish(product, toEverybody("evil", 99, ref), toEverybody("swapped", 42, swapped))
	p := accepted(t, accepted(t, phone(t, w, th.url, false), 99), 42)
	if s := once(t, p); s.Build != 41 || s.Status.Code != "withdrawn" {
		t.Fatalf("the handset runs build %d: %+v", s.Build, s.Status)
	}
	// Another product's engineers sign nothing for this one.
	other := th.signed(product, 42)
	other.Path = "releases/other/42.json"
	th.publish(product, toEverybody("other", 42, other))
	if _, err := p.Once(ctx); err == nil || !strings.Contains(err.Error(), "rollouts") {
		t.Fatalf("a release of another product: %v", err)
	}
	th.publish(product, toEverybody("honest", 42, th.signed(product, 42)))
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("the genuine release does not install afterwards: %+v", s.Status)
	}
}

// P2: nor sooner than the pace that they signed, with rollouts without end.
func TestOnlineKeysCannotPassThePace(t *testing.T) {
	w := start(t)
	const pace manifests.SharePPM = 200_000
	release(t, w, 42, "pace:\n  - {after: 0s, maxSharePPM: 200000}\n  - {after: 30d, maxSharePPM: 1000000}\n")
	th := newThief(t, w)
	var all []rollout.Rollout
	for i := range 60 {
		all = append(all, toEverybody(fmt.Sprint("r", i), 42, th.signed(product, 42)))
	}
	th.publish(product, all...)
	early, late := 0, 0
	for range 24 {
		p := accepted(t, phone(t, w, th.url, false), 42)
		if _, err := p.Exec(ctx, "now"); err != nil { // an impatient owner does not pass it either
			t.Fatal(err)
		}
		s := once(t, p)
		secret, err := os.ReadFile(filepath.Join(p.Dir, "state", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		inPace := rollout.Position(rollout.Secret(secret), product, 42) < pace
		switch {
		case s.Build == 42 && !inPace:
			t.Errorf("a handset outside the pace installed")
		case s.Build == 42:
			early++
		case s.Status.Code != "pace":
			t.Errorf("a handset waits for another reason: %+v", s.Status)
		default:
			late++
		}
	}
	if late == 0 {
		t.Error("no handset had to wait, so the test saw nothing")
	}
	t.Logf("%d installed under a pace of %s, %d wait", early, pace, late)
}

// P3: with reporting off a handset makes no request beyond static files.
func TestSilentHandsetAsksForStaticFilesAlone(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	th := newThief(t, w)
	p := accepted(t, phone(t, w, th.url, false), 42)
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("%+v", s.Status)
	}
	for _, r := range th.asked() {
		if !strings.HasPrefix(r, "GET metadata/") && !strings.HasPrefix(r, "GET targets/") && !strings.HasPrefix(r, "GET blobs/") {
			t.Errorf("it asked for %s", r)
		}
	}
}

func TestConsentComesFirstAndNoIsNo(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	p := phone(t, w, "", false)
	if s := once(t, p); s.Build != 41 || s.Status.Code != "needs-consent" {
		t.Fatalf("before the owner was asked: %+v", s)
	}
	if _, err := p.Exec(ctx, "decline", "42"); err != nil {
		t.Fatal(err)
	}
	if s := once(t, p); s.Build != 41 || s.Status.Code != "declined" {
		t.Fatalf("after a no: %+v", s)
	}
	if s := once(t, accepted(t, p, 42)); s.Build != 42 {
		t.Fatalf("after a yes: %+v", s)
	}
}

// P4, P7 and the network of every day: cut, flipped and endless blobs delay,
// and what was written is not fetched again.
func TestSpoiltBlobsOnlyDelay(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	th := newThief(t, w)
	p := accepted(t, phone(t, w, th.url, false), 42)
	pack := func(path string, body []byte) bool {
		return strings.HasPrefix(path, "blobs/") && len(body) > 10 && !bytes.HasPrefix(body, []byte("CANDORIX"))
	}
	for name, meddle := range map[string]func(string, *http.Response, []byte) []byte{
		"flipped": func(path string, _ *http.Response, b []byte) []byte {
			if pack(path, b) { // every part of it, however small
				b[len(b)-10] ^= 1
			}
			return b
		},
		"web page": func(path string, r *http.Response, b []byte) []byte {
			if strings.HasPrefix(path, "blobs/") {
				r.Header.Del("Content-Length")
				return []byte("<html>")
			}
			return b
		},
	} {
		th.mu.Lock()
		th.meddle = meddle
		th.mu.Unlock()
		if s, err := p.Once(ctx); err == nil {
			t.Errorf("%s blobs: no error, %+v", name, s.Status)
		}
	}
	th.mu.Lock()
	th.meddle = nil
	th.mu.Unlock()
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("with good blobs again: %+v", s.Status)
	}
}

// P7: kill -9 of the server loses nothing that it acknowledged.
func TestKilledServerKeepsReleasesRolloutsAndVotes(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	r := openToAll(t, w, 42)
	p := accepted(t, phone(t, w, "", true), 42)
	once(t, p)
	votes := func() world.Counts {
		deadline, tick := time.After(5*time.Minute), time.NewTicker(200*time.Millisecond)
		defer tick.Stop()
		for {
			once(t, p)
			c, err := w.Counts(ctx, product, 42)
			if err != nil {
				t.Fatal(err)
			}
			if c.Trials == 1 {
				return c
			}
			select {
			case <-tick.C: // each report waits a random part of a second
			case <-deadline:
				t.Fatal("the outcome was never counted")
			}
		}
	}
	counted := votes()
	if err := w.StopServer(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Once(ctx); err == nil {
		t.Fatal("a poll without a server succeeded")
	}
	if err := w.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	after, err := w.Counts(ctx, product, 42)
	if err != nil || after != counted {
		t.Fatalf("votes were %+v and are %+v, %v", counted, after, err)
	}
	if _, err := w.Change(ctx, r.ID, "halt", "enough seen"); err != nil {
		t.Fatal(err)
	}
	late := accepted(t, phone(t, w, "", false), 42)
	if s := once(t, late); s.Build != 41 || s.Status.Code != "halted" || !strings.Contains(s.Status.Sentence, "enough seen") {
		t.Fatalf("after the halt: %+v", s)
	}
}

// A second process on the same handset, or the same data directory, is refused.
func TestSecondProcessRefused(t *testing.T) {
	w := start(t)
	out, err := w.Exec(ctx, "server", "run", "--data", w.Path("data"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "another") {
		t.Fatalf("got %s, %v", out, err)
	}
}

func TestWithdrawnReleaseIsGoneForThieves(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	stolen := newThief(t, w).signed(product, 42)
	if _, err := w.Exec(ctx, "signer", "withdraw", string(product), "42", "--server", w.Server); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(w.Path("*42*.proposal.json"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	for _, k := range []string{"dora", "emil"} {
		if _, err := w.Exec(ctx, "signer", "event", "sign", found[0], "--key", k, "--passphrase-file", "pass", "--yes"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Exec(ctx, "signer", "event", "publish", found[0], "--server", w.Server, "--token-file", "token"); err != nil {
		t.Fatal(err)
	}
	th := newThief(t, w)
	th.publish(product, toEverybody("again", 42, stolen))
	p := accepted(t, phone(t, w, th.url, false), 42)
	if s := once(t, p); s.Build != 41 || s.Status.Code != "withdrawn" {
		t.Fatalf("a withdrawn release: %+v", s)
	}
}

// The same binary, with blobs and published files in a bucket of a real S3
// server over TLS: the whole way, and a kill -9 in the middle.
func TestWholeWayWithBlobsInS3(t *testing.T) {
	s3 := storetest.StartS3(t)
	t.Setenv("SSL_CERT_FILE", s3.CAFile) // the handset is sent to the bucket for images
	w, err := world.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c := s3.Config(t, "candor")
	for name, secret := range map[string]string{"access": c.AccessKey, "secret": c.SecretKey} {
		if err := os.WriteFile(w.Path(name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Configure(fmt.Sprintf("s3: {endpoint: %q, region: %q, bucket: %q, accessKeyFile: %q, secretKeyFile: %q, caFile: %q}\n",
		c.Endpoint, c.Region, c.Bucket, w.Path("access"), w.Path("secret"), s3.CAFile)); err != nil {
		t.Fatal(err)
	}
	if err := w.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Ceremony(ctx, product); err != nil {
		t.Fatal(err)
	}
	release(t, w, 42, atOnce)
	if err := w.StopServer(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := w.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	openToAll(t, w, 42)
	if s := once(t, accepted(t, phone(t, w, "", false), 42)); s.Build != 42 {
		t.Fatalf("%+v", s)
	}
}
