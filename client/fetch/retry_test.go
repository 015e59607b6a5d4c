package fetch

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMirrorsTakeOverFromEachOther(t *testing.T) {
	var first, second counted
	c := served(t, Options{}, first.handler(status(500)), second.handler(document(`{}`)))
	for range 3 {
		if _, err := c.Get(t.Context(), "a.json", 100, ""); err != nil {
			t.Fatal(err)
		}
	}
	if first.count() != 1 || second.count() != 3 {
		t.Errorf("%d and %d requests: the mirror that works is not kept", first.count(), second.count())
	}
}

func TestRetriesAreBounded(t *testing.T) {
	var seen counted
	c := served(t, Options{Retries: 4}, seen.handler(status(500)))
	_, err := c.Get(t.Context(), "a.json", 100, "")
	var code *StatusError
	if !errors.As(err, &code) || code.Code != 500 || seen.count() != 5 {
		t.Errorf("%d requests, %v", seen.count(), err)
	}
}

func TestAnswersAreNotAskedForAgain(t *testing.T) {
	for _, code := range []int{400, 401, 404, 410, 451} {
		var seen counted
		c := served(t, Options{Retries: 4}, seen.handler(status(code)))
		if _, err := c.Get(t.Context(), "a.json", 100, ""); err == nil || seen.count() != 1 {
			t.Errorf("%d: %d requests, %v", code, seen.count(), err)
		}
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "20" },
		"date":    func() string { return time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			var times []time.Time
			h := func(w http.ResponseWriter, r *http.Request) {
				if times = append(times, time.Now()); len(times) == 1 {
					w.Header().Set("Retry-After", value())
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				document(`{}`)(w, r)
			}
			inTime(t, Options{}, h, func(t *testing.T, c *Client) {
				if _, err := c.Get(t.Context(), "a.json", 100, ""); err != nil {
					t.Fatal(err)
				}
				if waited := times[1].Sub(times[0]); waited < 20*time.Second || waited > 30*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

func TestLongRetryAfterEndsTheCallAndHoldsForTheNext(t *testing.T) {
	requests := 0
	h := func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	inTime(t, Options{}, h, func(t *testing.T, c *Client) {
		for range 3 {
			_, err := c.Get(t.Context(), "a.json", 100, "")
			var busy *BusyError
			if !errors.As(err, &busy) {
				t.Fatalf("got %v", err)
			}
		}
		if requests != 1 {
			t.Errorf("%d requests to a server that asked for rest", requests)
		}
		pass(t, 10*time.Minute)
		if _, err := c.Get(t.Context(), "a.json", 100, ""); err == nil || requests != 2 {
			t.Errorf("%d requests, %v", requests, err)
		}
	})
}

func TestServerCannotSilenceForEver(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "2000000000")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	inTime(t, Options{}, h, func(t *testing.T, c *Client) {
		_, err := c.Get(t.Context(), "a.json", 100, "")
		var busy *BusyError
		if !errors.As(err, &busy) || time.Until(busy.Until) > maxRetryAfter {
			t.Errorf("got %v", err)
		}
	})
}

func TestMirrorOfBadBytesIsLeftAloneUntilTheNextPoll(t *testing.T) {
	var seen counted
	c := served(t, Options{}, seen.handler(document(`{}`)))
	for range maxStrikes {
		body, err := c.Open(t.Context(), "blobs/x", 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		c.Blame(body.(*Download).Origin())
		body.Close()
	}
	_, err := c.Open(t.Context(), "blobs/x", 0, 2)
	wants(t, err, ErrNoMirror)
	if seen.count() != maxStrikes {
		t.Errorf("%d requests", seen.count())
	}
	c.Forgive()
	if _, err := c.Open(t.Context(), "blobs/x", 0, 2); err != nil {
		t.Errorf("after the next poll: %v", err)
	}
}

func TestBlameTurnsToTheNextMirrorAtOnce(t *testing.T) {
	var first, second counted
	c := served(t, Options{}, first.handler(document(`{}`)), second.handler(document(`{}`)))
	for range 2 {
		body, err := c.Open(t.Context(), "blobs/x", 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		c.Blame(c.options.Bases[0])
		body.Close()
	}
	if first.count() != 1 || second.count() != 1 {
		t.Errorf("%d and %d requests", first.count(), second.count())
	}
}

func TestErrorNamesEveryMirror(t *testing.T) {
	c := served(t, Options{Retries: -1}, status(500), status(502))
	_, err := c.Get(t.Context(), "a.json", 100, "")
	for _, base := range c.options.Bases {
		if err == nil || !strings.Contains(err.Error(), base) {
			t.Errorf("%v does not name %s", err, base)
		}
	}
}
