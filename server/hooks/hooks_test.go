package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/webhook"
	"github.com/candor-ota/candor/server/lease"
	"github.com/candor-ota/candor/server/store"
)

const look = 2 * time.Second

func TestEveryChangeIsToldOnceAndInOrder(t *testing.T) {
	w := newWorld(t)
	w.happen("before.it", 3) // a new hook hears of what comes, not of what was
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 250)
	w.step(k, 0) // a full batch: at once again
	w.step(k, 0)
	w.step(k, look)
	w.step(k, look)
	var want []string
	for i := 4; i <= 253; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if w.told() != strings.Join(want, " ") || w.tries() != 250 || len(w.errs) > 0 {
		t.Errorf("told %s in %d tries; %v", w.told(), w.tries(), w.errs)
	}
	if e := w.got[0]; e.Event != "rollout.halt" || e.Who != "ana" || e.Why != "because" || e.Subject != "s0" || !e.At.Equal(start) {
		t.Errorf("told %+v", e)
	}
	if h := w.state(); h.Position != 253 || h.Delivered != 250 || h.Failures != 0 {
		t.Errorf("%+v", h)
	}
}

func TestKillBeforeThePositionIsWrittenTellsAgainWithTheSameID(t *testing.T) {
	for _, before := range []bool{true, false} {
		w := newWorld(t)
		w.step(w.worker(w.ledger), look)
		w.happen("rollout.halt", 3)
		for range 3 { // each process dies right after a delivery
			if _, err := w.worker(faulty{w.ledger, before}).step(t.Context()); !errors.Is(err, errPower) {
				t.Fatal(err)
			}
			w.clock = w.clock.Add(2 * lease.Life) // the dead one's lease runs out
		}
		w.step(w.worker(w.ledger), look)
		if w.told() != "1 2 3" {
			t.Errorf("the receiver acted on %s", w.told())
		}
		if tries := map[bool]string{true: "chat.1 chat.1 chat.1 chat.1 chat.2 chat.3", false: "chat.1 chat.2 chat.3"}[before]; strings.Join(w.ids, " ") != tries {
			t.Errorf("sent %v", w.ids)
		}
		if before && (len(w.errs) != 3 || !errors.Is(w.errs[0], webhook.ErrReplayed)) {
			t.Errorf("doubles were not refused as such: %v", w.errs)
		}
	}
}

func TestReceiverThatWasDownHearsAllInOrder(t *testing.T) {
	w := newWorld(t)
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.pause", 1)
	w.happen("rollout.halt", 1)
	w.answers(status(http.StatusInternalServerError))
	for n, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600} { // seconds
		w.step(k, wait*time.Second)
		w.clock = w.clock.Add(wait*time.Second - 1)
		if w.step(k, 1); w.tries() != n+1 {
			t.Fatalf("tried %d times, %v before it was time", w.tries(), time.Duration(1))
		}
		w.clock = w.clock.Add(1)
		if n == 7 {
			k = w.worker(w.ledger) // a restart does not forget to wait
			w.clock = w.clock.Add(-1)
			w.step(k, 1)
			w.clock = w.clock.Add(1)
		}
	}
	if h := w.state(); h.Attempts != 12 || h.Failures != 12 || h.Position != 0 || !strings.Contains(h.LastError, "500") || !h.FailingSince.Equal(start) {
		t.Errorf("%+v", h)
	}
	w.answers(nil)
	if w.step(k, look); w.told() != "1 2" {
		t.Errorf("told %s", w.told())
	}
	if h := w.state(); h.Attempts != 0 || !h.FailingSince.IsZero() || h.LastError != "" || h.Delivered != 2 {
		t.Errorf("%+v", h)
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for header, wait := range map[string]time.Duration{
		"90":    90 * time.Second,
		"0":     time.Second, // the backoff still holds
		"-5":    time.Second,
		"junk":  time.Second,
		"99999": 24 * time.Hour, // at most
		start.Add(7 * time.Minute).Format(http.TimeFormat): 7 * time.Minute,
	} {
		w := newWorld(t)
		k := w.worker(w.ledger)
		w.step(k, look)
		w.happen("rollout.halt", 1)
		w.answers(status(http.StatusTooManyRequests, "Retry-After", header))
		w.step(k, wait)
	}
}

func TestDeliveryIsGivenUpAfterThreeDaysAndSaid(t *testing.T) {
	w := newWorld(t)
	w.config.Events = []string{"rollout.*", "hook.*"}
	k := w.worker(w.ledger)
	w.step(k, look)
	w.clock = w.clock.Add(-10 * 24 * time.Hour) // long before: the server was off
	w.happen("rollout.halt", 1)
	w.clock = start
	w.happen("rollout.resume", 1)
	w.answers(status(http.StatusBadGateway))
	w.step(k, time.Second)
	w.clock = start.Add(giveUpTime - time.Second)
	w.step(k, 2*time.Second)
	if h := w.state(); h.GaveUp != 0 || h.Position != 0 {
		t.Fatalf("given up early: %+v", h)
	}
	w.clock = start.Add(giveUpTime + time.Second)
	w.step(k, 4*time.Second)
	if h := w.state(); h.GaveUp != 1 || h.Position != 1 {
		t.Fatalf("%+v", h)
	}
	log, err := w.ledger.Entries(t.Context(), store.EntryQuery{After: 2})
	w.must(err)
	if len(log) != 1 || log[0].What != "hook.gave-up" || log[0].Subject != "chat" || !strings.Contains(log[0].Why, "502") || !strings.Contains(string(log[0].Detail), `"entry":1`) {
		t.Fatalf("%+v", log)
	}
	w.answers(nil)
	w.clock = w.clock.Add(4 * time.Second)
	w.step(k, look)
	if w.told() != "2" { // and not 3, that it was itself given up on
		t.Errorf("told %s", w.told())
	}
	if h := w.state(); h.Position != 3 {
		t.Errorf("%+v", h)
	}
}

func TestSlowReceiverIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 1)
	w.step(k, look) // leaves a connection
	k.deadline = 50 * time.Millisecond
	w.happen("rollout.halt", 1)
	w.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.step(k, time.Second)
	if h := w.state(); !strings.Contains(h.LastError, "deadline") {
		t.Errorf("%+v", h)
	}
	// One that says yes and then never ends is done with, too.
	w.answers(func(out http.ResponseWriter, r *http.Request) {
		out.WriteHeader(http.StatusOK)
		if err := http.NewResponseController(out).Flush(); err != nil {
			return
		}
		<-r.Context().Done()
	})
	for wait := time.Second; w.state().Delivered != 2; k.deadline *= 2 { // on a slow machine the yes comes late, too
		if k.deadline > time.Minute {
			t.Fatalf("%+v", w.state())
		}
		w.clock = w.clock.Add(wait)
		var err error
		wait, err = k.step(t.Context())
		w.must(err)
	}
	w.step(k, look)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 1)
	for _, code := range []int{301, 302, 303, 307, 308} {
		w.answers(status(code, "Location", other.URL))
		_, err := k.step(t.Context())
		w.must(err)
		if h := w.state(); !strings.Contains(h.LastError, "redirects") || h.Delivered != 0 {
			t.Errorf("%d: %+v", code, h)
		}
		w.clock = w.clock.Add(time.Hour)
	}
	if elsewhere.Load() != 0 {
		t.Error("another address was asked")
	}
}

func TestHugeAnswerIsCutOff(t *testing.T) {
	w := newWorld(t)
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 1)
	var sent atomic.Int64
	w.answers(func(out http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for range 16 << 10 { // a gigabyte
			n, err := out.Write(block)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	if w.step(k, look); w.state().Delivered != 1 {
		t.Errorf("%+v", w.state())
	}
	w.mu.Lock() // the receiver is done
	defer w.mu.Unlock()
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
}

func TestUnknownAuthorityIsRefused(t *testing.T) {
	w := newWorld(t)
	w.config.CAFile = ""
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 1)
	w.step(k, time.Second)
	if h := w.state(); !strings.Contains(h.LastError, "certificate") || w.tries() != 0 {
		t.Errorf("%+v", h)
	}
}

func TestErrorsDoNotRepeatTheURL(t *testing.T) {
	w := newWorld(t)
	w.config.URL = "http://127.0.0.1:1/T0KEN?key=T0KEN"
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 1)
	w.step(k, time.Second)
	if h := w.state(); h.LastError == "" || strings.Contains(h.LastError+w.log.String(), "T0KEN") {
		t.Errorf("%s\n%s", h.LastError, w.log.String())
	}
}

func TestSecretsChangeWithoutAPause(t *testing.T) {
	w := newWorld(t)
	k := w.worker(w.ledger)
	w.step(k, look)
	old, fresh := w.secret, webhook.Secret(strings.Repeat("b", 32))
	for _, s := range []struct {
		file     []webhook.Secret
		receiver webhook.Secret
	}{{[]webhook.Secret{old}, old}, {[]webhook.Secret{fresh, old}, old}, {[]webhook.Secret{fresh, old}, fresh}, {[]webhook.Secret{fresh}, fresh}} {
		w.secrets(s.file...)
		w.secret = s.receiver
		w.happen("rollout.halt", 1)
		w.step(k, look)
	}
	if w.told() != "1 2 3 4" || len(w.errs) > 0 {
		t.Errorf("told %s; %v", w.told(), w.errs)
	}
}

func TestOneReplicaServesAHook(t *testing.T) {
	w := newWorld(t)
	a, b := w.worker(w.ledger), w.worker(w.ledger)
	w.step(a, look)
	w.step(b, look)
	w.happen("rollout.halt", 2)
	w.step(a, look)
	w.step(b, look) // it still believed that the two are due
	w.happen("rollout.resume", 1)
	_, err := w.ledger.Acquire(t.Context(), store.LeaseRequest{Name: LeaseName("chat"), Holder: "a third, which dies now", Now: w.clock, For: lease.Life})
	w.must(err)
	w.step(b, leaseWait)
	w.clock = w.clock.Add(lease.Life)
	if most := lease.Life + 2*leaseWait; most > 10*time.Second {
		t.Errorf("another one goes on after %s", most)
	}
	w.step(b, look)
	if w.told() != "1 2 3" || w.tries() != 3 {
		t.Errorf("told %s in %d tries", w.told(), w.tries())
	}
	// One that was paused for long is fenced off.
	w.happen("rollout.halt", 1)
	w.answers(func(out http.ResponseWriter, _ *http.Request) {
		w.clock = w.clock.Add(2 * lease.Life)
		_, err := w.ledger.Acquire(context.Background(), store.LeaseRequest{Name: "hook:chat", Holder: "third", Now: w.clock, For: lease.Life})
		if err != nil {
			t.Error(err)
		}
		out.WriteHeader(http.StatusNoContent)
	})
	if _, err := b.step(t.Context()); !errors.Is(err, store.ErrStale) {
		t.Errorf("got %v", err)
	}
	if h := w.state(); h.Position != 3 {
		t.Errorf("%+v", h)
	}
}

func TestHooksHearWhatTheyAskFor(t *testing.T) {
	w := newWorld(t)
	w.config.Events, w.config.Products = []string{"release.*", "votes.close"}, []manifests.Product{"phone"}
	k := w.worker(w.ledger)
	w.step(k, look)
	for _, e := range []store.Entry{
		{What: "release.add", Subject: "phone build 43"},
		{What: "release.add", Subject: "tablet build 43"},
		{What: "rollout.halt", Subject: "43-abc", Detail: []byte(`{"product":"phone"}`)},
		{What: "votes.close", Subject: "x", Detail: []byte(`{"product":"phone"}`)},
		{What: "token.new", Subject: "phone"},
	} {
		e.At, e.Who = w.clock, "ana"
		_, err := w.ledger.Append(t.Context(), e)
		w.must(err)
	}
	if w.step(k, look); w.told() != "1 4" {
		t.Errorf("told %s", w.told())
	}
	if h := w.state(); h.Position != 5 { // what nobody asked for is behind it, too
		t.Errorf("%+v", h)
	}
	if w.got[0].Product != "phone" {
		t.Errorf("%+v", w.got[0])
	}
}

func TestRunTellsAtOnceWhenKickedAndNeverBlocks(t *testing.T) {
	w := newWorld(t)
	told := make(chan string, 4)
	w.answers(func(out http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get(webhook.HeaderID)
		out.WriteHeader(http.StatusNoContent)
	})
	d, err := New(Options{Ledger: w.ledger, Hooks: []Config{w.config}, Now: time.Now, Look: time.Hour})
	w.must(err)
	_, err = w.ledger.OpenHook(t.Context(), "chat")
	w.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	for i := range 3 {
		w.happen("rollout.halt", 1)
		for range 100 {
			d.Kick()
		}
		if id := <-told; id != fmt.Sprint("chat.", i+1) {
			t.Errorf("told %s", id)
		}
	}
	cancel()
	<-done
	if _, err := w.ledger.Acquire(context.Background(), store.LeaseRequest{Name: "hook:chat", Holder: "next", Now: time.Now(), For: time.Minute}); err != nil {
		t.Errorf("the lease was not given back: %v", err)
	}
}

func TestDeliveryUnderWayAtTheEndIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	k := w.worker(w.ledger)
	w.step(k, look)
	w.happen("rollout.halt", 2)
	ctx, cancel := context.WithCancel(t.Context())
	w.answers(func(out http.ResponseWriter, _ *http.Request) { cancel(); out.WriteHeader(http.StatusNoContent) })
	if _, err := k.step(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if h := w.state(); h.Position != 1 || h.Delivered != 1 || h.Failures != 0 {
		t.Errorf("%+v", h)
	}
}

func TestTestDeliveryIsSignedAndPastTheLog(t *testing.T) {
	w := newWorld(t)
	now := func() time.Time { return w.clock }
	w.must(Test(t.Context(), w.config, "ana", now))
	if len(w.got) != 1 || w.got[0].Event != "hook.test" || w.got[0].Who != "ana" || len(w.errs) > 0 {
		t.Errorf("%+v, %v", w.got, w.errs)
	}
	w.answers(status(http.StatusTeapot))
	if err := Test(t.Context(), w.config, "ana", now); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("%v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*Config)
		field  string
	}{
		"good":         {func(*Config) {}, ""},
		"loopback":     {func(c *Config) { c.URL = "http://[::1]:8080/x" }, ""},
		"private":      {func(c *Config) { c.URL = "https://10.0.0.1/x" }, ""},
		"plain http":   {func(c *Config) { c.URL = "http://example.org/" }, "url"},
		"no host":      {func(c *Config) { c.URL = "https:///x" }, "url"},
		"file":         {func(c *Config) { c.URL = "file:///etc/passwd" }, "url"},
		"password":     {func(c *Config) { c.URL = "https://a:b@example.org/" }, "url"},
		"no secret":    {func(c *Config) { c.SecretFile += "x" }, "secretFile"},
		"not a secret": {func(c *Config) { c.SecretFile = c.CAFile }, "secretFile"},
		"no authority": {func(c *Config) { c.CAFile = c.SecretFile }, "caFile"},
		"event":        {func(c *Config) { c.Events = []string{"rollout.*", "Rollout"} }, "events"},
		"pattern":      {func(c *Config) { c.Events = []string{"*.halt"} }, "events"},
	} {
		config := w.config
		c.change(&config)
		said := ""
		Check([]Config{config}, func(field, _ string, _ ...any) { said += field })
		if want := map[bool]string{true: "webhooks[0]." + c.field}[c.field != ""]; said != want {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
	}
	said := ""
	Check([]Config{w.config, w.config}, func(field, _ string, _ ...any) { said += field })
	if said != "webhooks[1].name" {
		t.Errorf("two of one name: %q", said)
	}
}
