package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

// watching is a handset's end of a stream.
type watching struct {
	*world
	lines *bufio.Reader
}

func (w *world) watch(product string) *watching {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	w.must(err)
	w.t.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.t.Log(err)
		}
	})
	_, err = fmt.Fprintf(conn, "GET /v1/products/%s/watch HTTP/1.1\r\nHost: x\r\n\r\n", product)
	w.must(err)
	return &watching{w, bufio.NewReader(conn)}
}

// next reads on to the next line with a prefix.
func (s *watching) next(prefix string) string {
	s.t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		s.must(err)
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			return rest
		}
	}
}

func TestHandsetsAreWokenByEachChangeOfARollout(t *testing.T) {
	w := ready(t, 42)
	s := w.watch("phone")
	if at := s.next("data: "); at != "1" {
		t.Fatalf("begins at %q", at)
	}
	id := w.rollout(42).Id
	w.change(id, "start", "")
	if at := s.next("data: "); at != "2" {
		t.Errorf("%q after the start", at)
	}
	w.change(id, "halt", "boot loops")
	if at := s.next("data: "); at != "3" {
		t.Errorf("%q after the halt", at)
	}
	if doc := w.document(); doc.Counter != 3 {
		t.Errorf("the document says %d", doc.Counter)
	}
	// What changes nothing for handsets wakes none: drafts, renewals.
	w.submit(w.Add(w.Release(43)))
	w.rollout(43)
	w.wait(7 * 60 * 60 * 1e9)
	w.must(w.api.Tree.Renew(ctx))
	w.api.EndStreams()
	s.next("retry: ")
	if rest := s.next(""); rest != "" {
		t.Errorf("woken by nothing: %q", rest)
	}
}

func TestAStreamStandsWhereTheTreeDoesAfterARestart(t *testing.T) {
	w := ready(t, 42)
	w.change(w.rollout(42).Id, "start", "")
	w.stop()
	w.start()
	if at := w.watch("phone").next("data: "); at != "2" {
		t.Errorf("%q", at)
	}
}

func TestStreamsThatAreNotOpenedAreProblems(t *testing.T) {
	w := ready(t, 42)
	w.refused(http.StatusNotFound, contract.CodeNotFound, "", "GET", "/v1/products/none/watch", nil)
	w.api.EndStreams()
	status, h, _ := w.call(auth.Viewer, "GET", "/v1/products/phone/watch", nil)
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", status, h.Get("Retry-After"))
	}
}
