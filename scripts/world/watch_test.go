package world_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/scripts/world"
)

// runAgent runs the client program of a phone until the test ends.
func runAgent(t *testing.T, w *world.World, p *world.Phone, args ...string) {
	t.Helper()
	log, err := os.Create(p.Dir + "/agent.log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.Path("bin", "candor-client"), append([]string{"run", "--config", p.Dir + "/client.yaml"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.Dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		err := cmd.Wait()
		text, rerr := os.ReadFile(log.Name())
		if err != nil || rerr != nil || t.Failed() {
			t.Logf("the agent ended: %v %v\n%s", err, rerr, text)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
}

var streamsLine = regexp.MustCompile(`(?m)^candor_watch_streams ([0-9]+)$`)

// streams is how many handsets listen, as the server counts them.
func streams(t *testing.T, w *world.World) string {
	t.Helper()
	_, body := ask(t, http.MethodGet, w.Admin+"/metrics")
	found := streamsLine.FindSubmatch(body)
	if found == nil {
		t.Fatal("the server does not count its streams")
	}
	return string(found[1])
}

// waitFor asks until it is so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(200*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s never happened", what)
		}
	}
}

// A publish wakes the agents that listen, straight from the server and by way of
// both configurations of nginx that are shipped, one of which keeps files for a
// minute. The agents poll every six hours otherwise. They know a rollout that
// signs no spread, or they would wait a part of ten minutes.
func TestPublishWakesHandsetsThroughEveryFront(t *testing.T) {
	w := start(t)
	fronts := map[string]*gateway{"straight": gatewayTo(t, w.Server)}
	cached, proxied := startCache(t, w), startProxy(t, w)
	fronts["cache"], fronts["proxy"] = cached.origin, proxied.origin
	address := map[string]string{"straight": fronts["straight"].url, "cache": cached.url, "proxy": proxied.url}
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	phones := map[string]*world.Phone{}
	for name := range fronts {
		p := accepted(t, accepted(t, phone(t, w, address[name], false), 42), 43)
		if s := once(t, p); s.Build != 42 {
			t.Fatalf("%s: %+v", name, s)
		}
		phones[name] = p
		runAgent(t, w, p, "--watch")
	}
	waitFor(t, "three streams", func() bool { return streams(t, w) == "3" })
	polls := map[string]int{}
	for name, g := range fronts {
		polls[name] = g.count(timestampPath)
	}
	release(t, w, 43, atOnce)
	openToAll(t, w, 43)
	for name, p := range phones {
		waitFor(t, name+": the update", func() bool {
			s, err := p.Status(ctx)
			return err == nil && s.Build == manifests.Build(43)
		})
		if fronts[name].count(timestampPath) == polls[name] {
			t.Errorf("%s: nobody polled", name)
		}
		if n := fronts[name].count("/v1/products/phone/watch"); n > 2 {
			t.Errorf("%s: the stream was opened %d times", name, n)
		}
	}
}

// The two configurations of nginx that are shipped keep the same rules: nothing
// is kept of who reports, whose address it was is the proxy's word alone, pieces
// of uploads pass in full, and streams are not held back.
func TestBothConfigurationsOfNginxKeepTheSameRules(t *testing.T) {
	w := start(t)
	for name, c := range map[string]*cache{"cache": startCache(t, w), "proxy": startProxy(t, w)} {
		var mu sync.Mutex
		seen := map[string]http.Header{}
		received := int64(0)
		cameFrom := func(path string) string {
			mu.Lock()
			defer mu.Unlock()
			return seen[path].Get("X-Forwarded-For")
		}
		arrived := func() int64 {
			mu.Lock()
			defer mu.Unlock()
			return received
		}
		c.origin.becomes(func(rw http.ResponseWriter, r *http.Request, inner http.Handler) {
			mu.Lock()
			seen[r.URL.Path] = r.Header.Clone()
			mu.Unlock()
			switch {
			case strings.HasPrefix(r.URL.Path, "/v1/uploads/"):
				n, err := io.Copy(io.Discard, r.Body)
				mu.Lock()
				received = n
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
			case strings.HasSuffix(r.URL.Path, "/watch"):
				inner.ServeHTTP(rw, r)
			case strings.HasPrefix(r.URL.Path, "/v1/"):
				panic(http.ErrAbortHandler) // what fails is logged elsewhere
			default:
				inner.ServeHTTP(rw, r)
			}
		})
		reports := []string{"/v1/tokens", "/v1/votes", "/v1/enrolments", "/v1/enrolments/withdraw", "/v1/lab-reports"}
		ask(t, http.MethodGet, c.url+timestampPath)
		for _, path := range append(reports, "/v1/rollouts") {
			ask(t, http.MethodPost, c.url+path, "X-Forwarded-For", "192.0.2.7")
			if got := cameFrom(path); got != "127.0.0.1" {
				t.Errorf("%s: %s is said to come from %q", name, path, got)
			}
		}
		const piece = 64 << 20
		r, err := http.NewRequest(http.MethodPatch, c.url+"/v1/uploads/x", io.LimitReader(zeros{}, piece))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = piece
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK || arrived() != piece {
			t.Errorf("%s: a piece of an upload: %s, %d bytes arrived", name, resp.Status, arrived())
		}
		stream, err := http.Get(c.url + "/v1/products/phone/watch")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Body.Read(make([]byte, 1)); err != nil || stream.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: the stream: %s, %v", name, stream.Status, err)
		}
		if err := stream.Body.Close(); err != nil {
			t.Error(err)
		}
		text, err := exec.Command("sh", "-c", `cat "$1"/*.log`, "sh", c.dir).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		for _, tie := range append(reports, "127.0.0.1", "192.0.2.7", "/watch") {
			if strings.Contains(string(text), tie) {
				t.Errorf("%s keeps %q, which ties a vote to a handset:\n%s", name, tie, text)
			}
		}
	}
	for _, conf := range []string{shipped(t, "nginx/candor.conf"), shipped(t, "compose/nginx.conf")} {
		for _, rule := range []string{"proxy_http_version 1.1;", "TLSv1.2 TLSv1.3;", "gzip off;", "proxy_read_timeout 1h;", "proxy_read_timeout 10m;", "crit;"} {
			if !strings.Contains(conf, rule) {
				t.Errorf("one of the configurations lacks %q", rule)
			}
		}
	}
}

// zeros are as many as one likes.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
