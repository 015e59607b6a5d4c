package handset

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/manifests"
)

func TestNobodyIsWatchedWithoutAskingForIt(t *testing.T) {
	h := open(t)
	var streams atomic.Int64
	counted(t, h, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/watch") {
			streams.Add(1)
		}
		busy(w, r)
	})
	heard, stop, err := h.listen(t.Context())
	fatal(t, err)
	stop()
	if heard != nil || streams.Load() != 0 {
		t.Error("a stream was opened")
	}
}

func TestTheServersWordIsHeard(t *testing.T) {
	h := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/products/phone/watch" {
			t.Error(r.URL)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if _, err := io.WriteString(w, "event: head\ndata: 7\n\n"); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	h.Config.Watch = agent.Watch{On: true, Servers: []string{server.URL}}
	h.waker.random = func(int64) int64 { return 0 }
	heard, stop, err := h.listen(t.Context())
	fatal(t, err)
	if v := <-heard; v != 7 {
		t.Errorf("heard %d", v)
	}
	stop()
}

// woken rests for a day, in synctest's time, and gives when the rest ended.
func woken(t *testing.T, h *Handset, prepare func(chan uint64)) time.Duration {
	t.Helper()
	heard := make(chan uint64, 1)
	start := time.Now()
	if prepare != nil {
		prepare(heard)
	}
	fatal(t, h.rest(t.Context(), 24*time.Hour, heard))
	return time.Since(start)
}

func TestAWokenHandsetPollsWithinTheSpread(t *testing.T) {
	h := open(t)
	synctest.Test(t, func(t *testing.T) {
		h.desk = newDesk() // its channel belongs to this time
		h.waker.alarm.Random = func(n int64) int64 { return n - 1 }
		if d := woken(t, h, nil); d != 24*time.Hour {
			t.Errorf("polls after %s without a wake-up", d)
		}
		if d := woken(t, h, func(c chan uint64) { c <- 7 }); d != 10*time.Minute {
			t.Errorf("polls after %s; no rollout is known", d)
		}
	})
}

// A server that asks to be left alone and wakes at once is left alone.
func TestAWakeUpDoesNotBreakTheServersOwnRequest(t *testing.T) {
	h := open(t)
	counted(t, h, busy)
	h.Config.Poll.Every = manifests.Duration{Duration: 24 * time.Hour}
	if _, err := h.Once(t.Context()); err == nil {
		t.Fatal("a server without files was believed")
	}
	next, failed := h.agent.NextTry()
	if !failed || next.Busy.IsZero() {
		t.Fatalf("%+v", next)
	}
	h.waker.alarm.Random = func(int64) int64 { return 0 }
	h.waker.alarm.Hear(7, 0, 0, time.Now())
	if left := h.untilWoken(24 * time.Hour); left < 30*time.Minute {
		t.Errorf("polls in %s", left)
	}
}

func TestWatchingEndsWithTheAgent(t *testing.T) {
	h := open(t)
	counted(t, h, busy)
	h.Config.Watch.On = true
	h.Config.Watch.Servers = h.Config.Servers
	ctx, cancel := context.WithCancel(t.Context())
	if err := h.Run(ctx, func(agent.Status, error) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h.Config.Watch.Servers = []string{"ftp://x"}
	if err := h.Run(t.Context(), func(agent.Status, error) {}); err == nil {
		t.Error("an address of no server was taken")
	}
}
