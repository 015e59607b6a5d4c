package fetch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// edge is a client of one origin and some mirrors.
func edge(t *testing.T, o Options, origin http.HandlerFunc, mirrors ...http.HandlerFunc) *Client {
	t.Helper()
	for _, h := range mirrors {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		o.Mirrors = append(o.Mirrors, server.URL)
	}
	return served(t, o, origin)
}

func get(t *testing.T, c *Client, path string) {
	t.Helper()
	if _, err := c.Get(t.Context(), path, 100, ""); err != nil {
		t.Fatal(err)
	}
}

func TestOriginSaysWhatIsNewAndMirrorsHaveTheRest(t *testing.T) {
	var origin, mirror counted
	c := edge(t, Options{}, origin.handler(document(`{}`)), mirror.handler(document(`{}`)))
	for _, path := range []string{"metadata/timestamp.json", "metadata/2.root.json", "metadata/7.snapshot.json", "targets/rollouts/aa.phone.json"} {
		get(t, c, path)
	}
	body, err := c.Open(t.Context(), "blobs/x", 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	if origin.count() != 2 || mirror.count() != 3 {
		t.Errorf("%d requests to the origin, %d to the mirror", origin.count(), mirror.count())
	}
}

func TestMirrorsSayWhatIsNewWhereThatIsWanted(t *testing.T) {
	var origin, mirror counted
	next := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".root.json") {
			http.NotFound(w, r)
			return
		}
		document(`{}`)(w, r)
	}
	c := edge(t, Options{PollMirrors: true}, origin.handler(next), mirror.handler(next))
	get(t, c, "metadata/timestamp.json")
	_, err := c.Get(t.Context(), "metadata/2.root.json", 100, "")
	wants(t, err, ErrNotFound)
	if origin.count() != 0 || mirror.count() != 2 {
		t.Errorf("%d requests to the origin, %d to the mirror", origin.count(), mirror.count())
	}
}

func TestEmptyMirrorDoesNotHideTheTimestamp(t *testing.T) {
	c := edge(t, Options{PollMirrors: true}, document(`{}`), status(404))
	get(t, c, "metadata/timestamp.json")
}

// Whatever a mirror does, the origin has the file, after a bounded number of
// requests; and a mirror that goes on like that is left alone until the next poll.
func TestBadMirrorsOnlyDelay(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{
		"broken":    status(500),
		"forbidden": status(401),
		"behind":    status(404),
		"portal":    document("<!doctype html>"),
		"truncated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20")
			io.WriteString(w, `{"a":1}`)
		},
		"endless": document(strings.Repeat(" ", 2000)),
		"gone":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var origin, mirrors counted
			all := slices.Repeat([]http.HandlerFunc{mirrors.handler(bad)}, 5)
			c := edge(t, Options{}, origin.handler(document(`{}`)), all...)
			get(t, c, "metadata/1.targets.json")
			if origin.count() != 1 || mirrors.count() != atMostMirrors {
				t.Errorf("%d requests to the origin, %d to mirrors", origin.count(), mirrors.count())
			}
			for range 20 {
				get(t, c, "metadata/1.targets.json")
			}
			if n := mirrors.count(); n != len(all)*maxStrikes {
				t.Errorf("%d requests to mirrors that give nothing", n)
			}
			c.Forgive()
			get(t, c, "metadata/1.targets.json")
			if n := mirrors.count(); n != len(all)*maxStrikes+atMostMirrors {
				t.Errorf("%d requests after the next poll", n)
			}
		})
	}
}

func TestEachPollBeginsWithTheHandsetsOwnMirror(t *testing.T) {
	var down atomic.Bool
	var first, second counted
	answer := func(w http.ResponseWriter, r *http.Request) {
		if down.Swap(false) {
			w.WriteHeader(500)
			return
		}
		document(`{}`)(w, r)
	}
	c := edge(t, Options{}, document(`{}`), first.handler(answer), second.handler(answer))
	get(t, c, "metadata/1.targets.json")
	own, other := &first, &second
	if second.count() == 1 {
		own, other = other, own
	}
	down.Store(true)
	get(t, c, "metadata/1.targets.json")
	get(t, c, "metadata/1.targets.json") // stays with the one that answered
	c.Forgive()
	get(t, c, "metadata/1.targets.json")
	if own.count() != 3 || other.count() != 2 {
		t.Errorf("%d and %d requests", own.count(), other.count())
	}
}

func TestBadRangesTurnToTheOrigin(t *testing.T) {
	var origin, mirror counted
	c := edge(t, Options{}, origin.handler(document(`{}`)), mirror.handler(document(`{}`)))
	for range maxStrikes + 2 {
		body, err := c.Open(t.Context(), "blobs/x", 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		if who := body.(*Download).Origin(); who == c.options.Mirrors[0] {
			c.Blame(who)
		}
		body.Close()
	}
	if mirror.count() != maxStrikes || origin.count() != 2 {
		t.Errorf("%d requests to the mirror, %d to the origin", mirror.count(), origin.count())
	}
}

func TestShunnedMirrorIsLeftAloneUntilTheNextPoll(t *testing.T) {
	var origin, mirror counted
	c := edge(t, Options{}, origin.handler(document(`{}`)), mirror.handler(document(`{}`)))
	const file = "metadata/1.targets.json"
	a, err := c.Get(t.Context(), file, 100, "")
	if err != nil || a.Origin != c.options.Mirrors[0] || !c.Shun(file, a.Origin) {
		t.Fatalf("%+v, %v", a, err)
	}
	a, err = c.Get(t.Context(), file, 100, "")
	if err != nil || a.Origin != c.options.Bases[0] {
		t.Fatalf("%+v, %v", a, err)
	}
	if c.Shun(file, a.Origin) {
		t.Error("the last source was set aside")
	}
	get(t, c, file)
	c.Forgive()
	get(t, c, file)
	if mirror.count() != 2 || origin.count() != 2 {
		t.Errorf("%d and %d requests", mirror.count(), origin.count())
	}
	if c.Shun("metadata/timestamp.json", c.options.Bases[0]) {
		t.Error("nobody else is asked for the timestamp")
	}
}

func TestRetryAfterHoldsForOneMirror(t *testing.T) {
	var origin, busy, other counted
	c := edge(t, Options{}, origin.handler(document(`{}`)), busy.handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}), other.handler(document(`{}`)))
	for range 5 {
		c.Forgive()
		get(t, c, "metadata/1.targets.json")
	}
	if busy.count() > 1 || other.count() != 5 || origin.count() != 0 {
		t.Errorf("%d, %d, %d requests", busy.count(), other.count(), origin.count())
	}
}

func TestHandsetsSpreadOverMirrorsAndStay(t *testing.T) {
	bases := []string{"https://a.test", "https://b.test", "https://c.test", "https://d.test"}
	order := func(seed uint64) (out []string) {
		c, err := New(Options{Bases: []string{"https://o.test"}, Mirrors: bases, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.mirrors.all {
			out = append(out, m.base.String())
		}
		return out
	}
	first := map[string]int{}
	for seed := range uint64(4000) {
		o := order(seed)
		first[o[0]]++
		if seed < 10 && !slices.Equal(o, order(seed)) {
			t.Error("a handset's order changes")
		}
		if slices.Sort(o); !slices.Equal(o, bases) {
			t.Fatalf("mirrors are %v", o)
		}
	}
	for _, b := range bases {
		if n := first[b]; n < 850 || n > 1150 { // five standard deviations
			t.Errorf("%d of 4000 begin with %s", n, b)
		}
	}
}

// A mirror sees what every origin sees of every handset, and nothing more.
func TestMirrorsAreToldNothingMore(t *testing.T) {
	var origin, mirror counted
	c := edge(t, Options{}, origin.handler(document(`{}`)), mirror.handler(document(`{}`)))
	get(t, c, "metadata/2.root.json")
	get(t, c, "metadata/2.targets.json")
	there, here := mirror.requests[0].Header, origin.requests[0].Header
	if len(there) != len(here) {
		t.Errorf("%v and %v", there, here)
	}
	for name := range there {
		if there.Get(name) != here.Get(name) {
			t.Errorf("%s is %q, %q for the origin", name, there.Get(name), here.Get(name))
		}
	}
}

// The tag of the timestamp is then that of its bytes, whoever compresses.
func TestTimestampIsAskedForAsItIs(t *testing.T) {
	var seen counted
	c := served(t, Options{}, seen.handler(document(`{}`)))
	get(t, c, "metadata/timestamp.json")
	get(t, c, "metadata/1.targets.json")
	for i, want := range []string{"identity", "gzip"} {
		if got := seen.requests[i].Header.Get("Accept-Encoding"); got != want {
			t.Errorf("%s: %q", seen.requests[i].URL, got)
		}
	}
}

func TestBadMirrorAddressIsRefused(t *testing.T) {
	for _, base := range []string{"", "ftp://h", "http://u:p@h"} {
		if _, err := New(Options{Bases: []string{"https://o.test"}, Mirrors: []string{base}}); err == nil {
			t.Errorf("%q was accepted", base)
		}
	}
	if _, err := New(Options{Mirrors: []string{"https://m.test"}}); err == nil {
		t.Error("mirrors without an origin were accepted")
	}
}

// A mirror that never answers costs its deadline, three times, and no more
// until the next poll.
func TestSilentMirrorIsLeftAlone(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "silent.test" {
			document(`{}`)(w, r)
			return
		}
		<-r.Context().Done()
	}
	o := patience
	o.Mirrors = []string{"http://silent.test"}
	inTime(t, o, silent, func(t *testing.T, c *Client) {
		start := time.Now()
		for range 10 {
			if _, err := c.Get(t.Context(), "metadata/1.targets.json", 100, ""); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != maxStrikes*patience.HeaderTimeout {
			t.Errorf("it took %v", took)
		}
		var busy *BusyError
		if err := c.mirrors.all[0].rested(); errors.As(err, &busy) {
			t.Error(err)
		}
	})
}
