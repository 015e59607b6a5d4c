package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/client/agent"
)

// someone is an agent that remembers what it was asked for.
type someone struct {
	mu     sync.Mutex
	asked  []Request
	events chan Event
	ended  chan struct{}
	do     func(ctx context.Context, r Request) error
}

func (a *someone) Newest() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Report{Product: "phone", Build: 41, Downloaded: int64(len(a.asked))}
}

func (a *someone) Do(ctx context.Context, r Request) (*Preview, error) {
	a.mu.Lock()
	a.asked = append(a.asked, r)
	a.mu.Unlock()
	if a.do != nil {
		return nil, a.do(ctx, r)
	}
	if r.Do == Look {
		return &Preview{Running: 41}, nil
	}
	return nil, nil
}

func (a *someone) Events() (<-chan Event, func()) {
	return a.events, func() { close(a.ended) }
}

func serve(t *testing.T, mayTalk func(*net.UnixConn) error) (*Server, *someone, string) {
	t.Helper()
	a := &someone{events: make(chan Event), ended: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "s")
	s, err := listen(path, &Server{agent: a, log: slog.New(slog.DiscardHandler), mayTalk: mayTalk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return s, a, path
}

func dial(t *testing.T, path string) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestOwnersWordReachesTheAgentInOrder(t *testing.T) {
	_, a, path := serve(t, ownerOnly)
	c := dial(t, path)
	for i := range 3 {
		r, err := c.Ask(t.Context(), Request{Do: Accept, Build: 42})
		if err != nil || r.Product != "phone" || r.Downloaded != int64(i+1) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if p, err := c.Look(t.Context(), "/stick"); err != nil || p.Running != 41 {
		t.Fatalf("%+v, %v", p, err)
	}
	if r, err := c.Ask(t.Context(), Request{Do: ShowStatus}); err != nil || r.Build != 41 {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(a.asked) != 4 {
		t.Fatalf("asked for %v", a.asked)
	}
	a.do = func(context.Context, Request) error { return errors.New("the configuration names no credential") }
	if _, err := c.Ask(t.Context(), Request{Do: Consent, On: new(true)}); err == nil || !strings.Contains(err.Error(), "no credential") {
		t.Fatalf("got %v", err)
	}
}

// lines speaks to the socket without the client.
func lines(t *testing.T, path, send string) (replies []Reply) {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.WriteString(c, send)
		if err == nil {
			err = c.CloseWrite()
		}
		if err != nil {
			t.Log(err) // the server may hang up in the middle of a line that is too long
		}
	}()
	for in := bufio.NewScanner(c); in.Scan(); {
		var r Reply
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
	return replies
}

func TestBadLineIsAnsweredAndTheConnectionGoesOn(t *testing.T) {
	_, a, path := serve(t, ownerOnly)
	got := lines(t, path, "{\"do\":\"reboot\"}\n\n{\"do\":\"accept\",\"build\":42}\n{\"do\":\"accept\"")
	if len(got) != 3 || got[0].OK || got[1].OK || !got[2].OK || len(a.asked) != 1 {
		t.Fatalf("got %+v", got)
	}
}

func TestLineThatIsTooLongEndsTheConnection(t *testing.T) {
	_, a, path := serve(t, ownerOnly)
	got := lines(t, path, `{"do":"accept","build":42,"x":"`+strings.Repeat("x", 2*MaxLine)+"\"}\n{\"do\":\"accept\",\"build\":42}\n")
	if len(got) > 1 || len(got) == 1 && (got[0].OK || !strings.Contains(got[0].Error, "4096 bytes")) || len(a.asked) != 0 {
		t.Fatalf("got %+v, asked %v", got, a.asked)
	}
}

func TestStrangersAreHungUpOnUnheard(t *testing.T) {
	for peer, own := range map[uint32]uint32{0: 1000, 1000: 1000} {
		if err := mayTalk(peer, own); err != nil {
			t.Errorf("uid %d to %d: %v", peer, own, err)
		}
	}
	for peer, own := range map[uint32]uint32{1001: 1000, 1000: 0} {
		if err := mayTalk(peer, own); !errors.Is(err, errStranger) {
			t.Errorf("uid %d to %d: %v", peer, own, err)
		}
	}
	knocked := make(chan struct{})
	_, a, path := serve(t, func(c *net.UnixConn) error {
		defer close(knocked)
		if err := ownerOnly(c); err != nil { // the kernel says who this test is
			t.Error(err)
		}
		return errStranger
	})
	if got := lines(t, path, "{\"do\":\"accept\",\"build\":42}\n"); len(got) != 0 || len(a.asked) != 0 {
		t.Fatalf("got %+v", got)
	}
	<-knocked
}

func TestSocketIsTheOwnersAloneAndGoesWithTheAgent(t *testing.T) {
	s, _, path := serve(t, ownerOnly)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoAgent) {
		t.Fatalf("got %v", err)
	}
}

func TestSocketThatAKilledAgentLeftIsReplacedAndAFileIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoAgent) {
		t.Fatalf("a socket that nobody serves: %v", err)
	}
	s, err := Listen(path, &someone{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, path).Ask(t.Context(), Request{Do: ShowStatus}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, &someone{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Fatalf("got %v", err)
	}
}

func TestOnlyAFewMayTalkAtOnce(t *testing.T) {
	_, _, path := serve(t, ownerOnly)
	for range maxConnections {
		if _, err := dial(t, path).Ask(t.Context(), Request{Do: ShowStatus}); err != nil {
			t.Fatal(err)
		}
	}
	got := lines(t, path, "")
	if len(got) != 1 || got[0].OK || !strings.Contains(got[0].Error, "talk to the agent already") {
		t.Fatalf("got %+v", got)
	}
}

func TestWatcherSeesTheReportAndThenWhatHappens(t *testing.T) {
	_, a, path := serve(t, ownerOnly)
	go func() {
		a.events <- Event{Event: ProgressEvent, Progress: &agent.Progress{Image: "system", BytesDone: 7}}
		a.events <- Report{Product: "phone", Status: agent.Status{Code: "battery"}}.Event()
	}()
	enough := errors.New("enough")
	var seen []string
	err := dial(t, path).Watch(t.Context(), func(e Event) error {
		seen = append(seen, string(e.Event))
		if e.Progress != nil {
			seen = append(seen, fmt.Sprint(e.Progress.BytesDone))
		}
		if len(seen) == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || strings.Join(seen, " ") != "state progress 7 hold" {
		t.Fatalf("saw %v, %v", seen, err)
	}
}

func TestWatchEndsWithEitherSide(t *testing.T) {
	t.Run("the agent", func(t *testing.T) {
		s, a, path := serve(t, ownerOnly)
		err := dial(t, path).Watch(t.Context(), func(Event) error {
			go func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			return nil
		})
		if !errors.Is(err, ErrEnded) {
			t.Fatalf("got %v", err)
		}
		<-a.ended
	})
	t.Run("the watcher", func(t *testing.T) {
		_, a, path := serve(t, ownerOnly)
		ctx, stop := context.WithCancel(t.Context())
		if err := dial(t, path).Watch(ctx, func(Event) error { stop(); return nil }); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		<-a.ended
	})
	t.Run("too slow", func(t *testing.T) {
		_, a, path := serve(t, ownerOnly)
		close(a.events)
		if err := dial(t, path).Watch(t.Context(), func(Event) error { return nil }); !errors.Is(err, ErrEnded) {
			t.Fatalf("got %v", err)
		}
		<-a.ended
	})
}

// A request that the agent carries out while it ends is still answered.
func TestReplyThatIsDueIsWrittenBeforeTheEnd(t *testing.T) {
	s, a, path := serve(t, ownerOnly)
	a.do = func(ctx context.Context, _ Request) error { <-ctx.Done(); return nil }
	c, done := dial(t, path), make(chan error, 1)
	go func() {
		_, err := c.Ask(context.Background(), Request{Do: Now})
		done <- err
	}()
	for asked := 0; asked == 0; {
		a.mu.Lock()
		asked = len(a.asked)
		a.mu.Unlock()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
