package handset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/status"
)

// counted counts the requests that a handset's server gets.
func counted(t *testing.T, h *Handset, answer http.HandlerFunc) *atomic.Int64 {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	h.Config.Servers = []string{s.URL}
	fatal(t, h.open())
	return &n
}

// busy is a server that asks to be left alone for longer than any test takes.
func busy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// running is a handset whose agent runs until the test ends; polls are told.
func running(t *testing.T) (h *Handset, polls chan error) {
	t.Helper()
	h = open(t)
	counted(t, h, busy)
	h.Config.Poll.Every.Duration = 100 * time.Hour
	h.Config.Poll.Jitter.Duration = time.Second
	polls = make(chan error, 16)
	stop := h.Serve()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, func(_ agent.Status, err error) { polls <- err }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		fatal(t, stop())
	})
	return h, polls
}

// polled waits for a poll of a server that gives no files.
func polled(t *testing.T, polls chan error) {
	t.Helper()
	if err := <-polls; err == nil {
		t.Fatal("a server without files was believed")
	}
}

func ask(t *testing.T, h *Handset, r status.Request) status.Report {
	t.Helper()
	c, err := status.Dial(t.Context(), h.Config.SocketPath())
	fatal(t, err)
	report, err := c.Ask(t.Context(), r)
	fatal(t, errors.Join(err, c.Close()))
	return report
}

func TestOwnersWordWakesTheAgentAtOnce(t *testing.T) {
	h, polls := running(t)
	polled(t, polls) // the first; the next ordinary one is days away
	r := ask(t, h, status.Request{Do: status.Now})
	if !r.Running || r.Build != 41 {
		t.Fatalf("%+v", r)
	}
	polled(t, polls)
	ask(t, h, status.Request{Do: status.Accept, Build: 42})
	polled(t, polls)
	r = ask(t, h, status.Request{Do: status.ShowStatus})
	if r.Status.Code != agent.FailureCode || r.Next == nil || !strings.Contains(r.Next.Why, "failed") {
		t.Fatalf("%+v", r)
	}
	chain, err := Receipts(h.Config)
	fatal(t, err)
	if len(chain.Entries) != 2 {
		t.Fatalf("%d receipts of two words", len(chain.Entries))
	}
}

func TestWordThatCannotBeKeptIsRefusedToWhoGaveIt(t *testing.T) {
	h, polls := running(t)
	polled(t, polls)
	c, err := status.Dial(t.Context(), h.Config.SocketPath())
	fatal(t, err)
	if _, err := c.Ask(t.Context(), status.Request{Do: status.Consent, On: new(true)}); err == nil || !strings.Contains(err.Error(), "credential") {
		t.Fatalf("got %v", err)
	}
	fatal(t, c.Close())
}

func TestWatcherSeesAPoll(t *testing.T) {
	h, polls := running(t)
	polled(t, polls)
	c, err := status.Dial(t.Context(), h.Config.SocketPath())
	fatal(t, err)
	enough := errors.New("enough")
	first, seen, asked := true, "", make(chan error, 1)
	err = c.Watch(t.Context(), func(e status.Event) error {
		if first {
			first = false
			go func() {
				_, err := h.desk.Do(t.Context(), status.Request{Do: status.Now})
				asked <- err
			}()
		}
		if e.Report != nil && e.Report.Status.State == agent.Checking {
			seen += string(e.Report.Status.State) + " "
		}
		if strings.HasPrefix(seen, "checking") && e.Event == status.HoldEvent && e.Report.Next != nil && e.Report.Next.At != nil {
			return enough
		}
		return nil
	})
	if !errors.Is(errors.Join(err, c.Close()), enough) {
		t.Fatalf("saw %q, %v", seen, err)
	}
	fatal(t, <-asked)
}

// What a process was told about waits binds the next one.
func TestProcessThatIsStartedAgainKeepsToTheWaits(t *testing.T) {
	h := open(t)
	n := counted(t, h, http.NotFound)
	if _, err := h.Once(t.Context()); err == nil {
		t.Fatal("a server without files was believed")
	}
	for { // full jitter: until the wait is a long one
		if next, failed := h.agent.NextTry(); failed && time.Until(next.At) > 20*time.Second {
			break
		}
		if _, err := h.Once(t.Context()); err == nil {
			t.Fatal("a server without files was believed")
		}
	}
	fatal(t, h.start())
	before := n.Load()
	ctx, cancel := context.WithCancel(t.Context())
	events, end := h.Events()
	ended := make(chan error, 1)
	go func() {
		ended <- h.Run(ctx, func(agent.Status, error) { t.Error("it polled at once") })
	}()
	for e := range events {
		if e.Report != nil && e.Report.Next != nil && e.Report.Next.At != nil {
			break
		}
	}
	end()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if after := n.Load(); after != before {
		t.Fatalf("%d requests in the wait", after-before)
	}
}

func TestSocketThatCannotBeMadeIsNoReasonNotToUpdate(t *testing.T) {
	h := open(t)
	h.Config.Socket = h.Config.State // a directory
	stop := h.Serve()
	if r, err := h.Report(); err != nil || r.Running {
		t.Fatalf("%+v, %v", r, err)
	}
	fatal(t, stop())
	if _, err := os.Stat(h.Config.State); err != nil {
		t.Fatal(err)
	}
}

func TestDeskHoldsAFewRequestsAndNoneIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		if _, err := d.Do(t.Context(), status.Request{Do: status.Now}); !errors.Is(err, errEnding) {
			t.Fatalf("nobody carries it out: %v", err)
		}
		d.serve(true)
		answers := make(chan error, maxRequests)
		for range maxRequests {
			go func() {
				_, err := d.Do(t.Context(), status.Request{Do: status.Now})
				answers <- err
			}()
		}
		synctest.Wait()
		if _, err := d.Do(t.Context(), status.Request{Do: status.Now}); !errors.Is(err, errTooMany) {
			t.Fatalf("one more: %v", err)
		}
		taken := d.take()
		if len(taken) != maxRequests || len(d.wake) != 0 {
			t.Fatalf("%d were taken", len(taken))
		}
		for i, q := range taken {
			q.done <- answer{err: fmt.Errorf("%d", i)}
		}
		for range maxRequests {
			if err := <-answers; err == nil || errors.Is(err, errEnding) {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Do(ctx, status.Request{Do: status.Now}); !errors.Is(err, errEnding) || len(d.wake) != 1 {
			t.Fatalf("it waits on: %v", err)
		}
	})
}

func TestReaderThatIsTooSlowIsDroppedAndHoldsNobodyUp(t *testing.T) {
	d := newDesk()
	slow, end := d.Events()
	for range maxEvents + 1 {
		d.publish(status.Report{}, status.Event{Event: status.ProgressEvent})
	}
	n := 0
	for range slow {
		n++
	}
	if n != maxEvents {
		t.Fatalf("%d events before the end", n)
	}
	end() // once more is fine
}

// The agent listens on no network: what Serve opens is a file.
func TestAgentIsReachedThroughAFileAlone(t *testing.T) {
	h, polls := running(t)
	polled(t, polls)
	info, err := os.Stat(h.Config.SocketPath())
	if err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	c, err := net.Dial("unix", h.Config.SocketPath())
	fatal(t, err)
	fatal(t, c.Close())
}
