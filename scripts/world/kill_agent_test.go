package world_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/scripts/world"
)

var agentKills = flag.Int("agentkills", 60, "how often the agent is killed")

const (
	killedImage = 24 << 20 // bytes
	twiceBytes  = 1 << 20  // may be downloaded twice because of one kill
)

// Done when (power): the real agent is killed while it downloads, reads back,
// arms and restarts, and goes on each time: status and receipts can be read, a
// second agent is refused, and the new build runs in the end, with little
// downloaded twice.
func TestKilledAtAnyMomentTheAgentGoesOn(t *testing.T) {
	k := newKiller(t)
	figures := struct{ kills, handsets, downloading, polling, timed, second int }{}
	for figures.kills < *agentKills {
		p := accepted(t, phone(t, k.w, k.url, false), 42)
		figures.handsets++
		k.bytes = 0
		for mine := 0; ; {
			plan := k.plan()
			second := plan.waits() && k.random.IntN(3) == 0
			ended := k.life(p, plan, second)
			if second && !ended {
				figures.second++
			}
			s := k.look(p)
			if ended || s.Build == 42 && s.Status.State == "idle" {
				k.whole(p, s, mine)
				break
			}
			mine, figures.kills = mine+1, figures.kills+1
			switch plan.at {
			case "a byte":
				figures.downloading++
			case "a poll":
				figures.polling++
			default:
				figures.timed++
			}
		}
	}
	t.Logf("seed %d: %+v", *seed, figures)
}

// killer is a world, and the way to it, from which agents are killed.
type killer struct {
	*testing.T
	w      *world.World
	url    string
	random *rand.Rand
	image  [sha256.Size]byte
	full   int64 // bytes of an update without a kill

	mu     sync.Mutex
	bytes  int64  // of blobs, that this handset was sent
	polls  int    // in this life
	strike func() // kills; nil once it did
	how    plan
}

// plan says when an agent is killed.
type plan struct {
	at    string // "a byte" of this life's blobs, "a poll", "a time"
	after int64
	delay time.Duration
}

// waits tells whether the agent cannot end before it is killed: it has no answer
// yet, or not all of it.
func (p plan) waits() bool { return p.at != "a time" && p.delay == 0 }

func newKiller(t *testing.T) *killer {
	t.Helper()
	k := &killer{T: t, w: start(t), random: rand.New(rand.NewPCG(*seed, 0))}
	manifest, err := world.Example(product, 42, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	path := image(t, "system.img", killedImage)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k.image = sha256.Sum256(data)
	if err := k.w.Release(ctx, product, 42, manifest, path); err != nil {
		t.Fatal(err)
	}
	openToAll(t, k.w, 42)
	k.listen()
	p := accepted(t, phone(t, k.w, k.url, false), 42)
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("without a kill: %+v", s.Status)
	}
	k.full = k.bytes
	return k
}

// narrow keeps little in the buffers of connections: what lies there when an
// agent dies was sent, and never arrived.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		err = tcp.SetWriteBuffer(16 << 10)
	}
	return c, err
}

func (k *killer) listen() {
	k.Helper()
	u, err := url.Parse(k.w.Server)
	if err != nil {
		k.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // agents that are killed hang up
	proxy.ModifyResponse = func(r *http.Response) error {
		switch {
		case strings.HasPrefix(r.Request.URL.Path, "/blobs/"):
			r.Body = &counted{r.Body, k}
		case strings.HasSuffix(r.Request.URL.Path, "timestamp.json"):
			k.poll()
		}
		return nil
	}
	s := httptest.NewUnstartedServer(proxy)
	s.Listener = narrow{s.Listener}
	s.Start()
	k.Cleanup(s.Close)
	k.url = s.URL
}

// counted is the body of a blob.
type counted struct {
	io.ReadCloser
	k *killer
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b[:min(len(b), 8<<10)])
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	c.k.bytes += int64(n)
	if c.k.how.at == "a byte" && c.k.bytes >= c.k.how.after {
		c.k.kill()
	}
	return n, err
}

func (k *killer) poll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.polls++; k.how.at != "a poll" || int64(k.polls) != k.how.after {
		return
	}
	if k.how.delay == 0 {
		k.kill()
		return
	}
	time.AfterFunc(k.how.delay, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kill()
	})
}

// kill is called with the lock held.
func (k *killer) kill() {
	if k.strike != nil {
		k.strike()
		k.strike = nil
	}
}

func (k *killer) plan() plan {
	delay := time.Duration(k.random.IntN(120)) * time.Millisecond
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes < k.full && k.random.IntN(3) > 0 {
		return plan{"a byte", k.bytes + k.random.Int64N(k.full/2), 0}
	}
	switch k.random.IntN(3) {
	case 0:
		return plan{"a time", 0, 2 * delay}
	case 1: // the polls are: the offer, before arming, before the restart
		return plan{"a poll", 1 + k.random.Int64N(4), delay}
	default:
		return plan{"a poll", 1 + k.random.Int64N(4), 0}
	}
}

// life runs an agent until it is killed, or ends by itself first.
func (k *killer) life(p *world.Phone, how plan, second bool) (ended bool) {
	k.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(k.w.Path("bin", "candor-client"), "once", "--config", p.Dir+"/client.yaml")
	cmd.Stdout, cmd.Stderr = &out, &errs
	refused := make(chan error, 1)
	k.mu.Lock()
	k.polls, k.how = 0, how
	k.strike = func() {
		if second {
			refused <- k.refused(p)
		}
		if err := cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "already finished") {
			k.Errorf("kill: %v", err)
		}
	}
	if err := cmd.Start(); err != nil {
		k.mu.Unlock()
		k.Fatal(err)
	}
	k.mu.Unlock()
	if how.at == "a time" {
		time.AfterFunc(how.delay, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.kill()
		})
	}
	err := cmd.Wait()
	k.mu.Lock()
	struck := k.strike == nil
	k.strike = nil
	k.mu.Unlock()
	if second && struck {
		if err := <-refused; err != nil {
			k.Error(err)
		}
	}
	if !struck && err != nil {
		k.Fatalf("%v: %s", err, errs.String())
	}
	return err == nil
}

// refused starts a second agent, while the first one waits for an answer.
func (k *killer) refused(p *world.Phone) error {
	_, err := p.Exec(ctx, "once")
	if err == nil || !strings.Contains(err.Error(), "another process is using this directory; stop it first") {
		return fmt.Errorf("a second agent was not refused: %w", err)
	}
	return nil
}

// look asks from outside how a handset is.
func (k *killer) look(p *world.Phone) world.Status {
	k.Helper()
	out, err := p.Exec(ctx, "status", "--json")
	if err != nil {
		k.Fatal(err)
	}
	var s world.Status
	if err := json.Unmarshal(out, &s); err != nil {
		k.Fatalf("status: %v: %s", err, out)
	}
	if s.Build != 41 && s.Build != 42 {
		k.Fatalf("build %d runs", s.Build)
	}
	if _, err := p.Exec(ctx, "receipts", "--verify"); err != nil {
		k.Fatalf("receipts: %v", err)
	}
	return s
}

// whole demands that a handset has come to its end after so many kills.
func (k *killer) whole(p *world.Phone, s world.Status, kills int) {
	k.Helper()
	data, err := os.ReadFile(p.Image(s.Slot))
	if err != nil {
		k.Fatal(err)
	}
	if s.Build != 42 || s.Slot != "b" || sha256.Sum256(data) != k.image {
		k.Fatalf("after %d kills build %d runs from slot %s, status %+v", kills, s.Build, s.Slot, s.Status)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if most := k.full + int64(kills)*twiceBytes; k.bytes > most {
		k.Errorf("after %d kills %d bytes were sent; %d are enough, %d are allowed", kills, k.bytes, k.full, most)
	}
	k.Logf("%d kills, %d bytes beyond the %d that are needed", kills, k.bytes-k.full, k.full)
}
