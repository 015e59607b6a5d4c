package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	c := served(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "timestamp.json", time.Time{}, strings.NewReader(`{"v":1}`))
	})
	first, err := c.Get(t.Context(), "metadata/timestamp.json", 100, "")
	if err != nil || string(first.Body) != `{"v":1}` || first.ETag != `"1"` || first.NotModified {
		t.Fatalf("first: %+v, %v", first, err)
	}
	second, err := c.Get(t.Context(), "metadata/timestamp.json", 100, first.ETag)
	if err != nil || !second.NotModified || second.Body != nil {
		t.Errorf("second: %+v, %v", second, err)
	}
}

func TestUnaskedNotModifiedIsRefused(t *testing.T) {
	c := served(t, Options{}, status(http.StatusNotModified))
	if _, err := c.Get(t.Context(), "a.json", 100, ""); err == nil {
		t.Error("accepted")
	}
}

func TestEndlessBodyIsRefused(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, `{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`); err != nil {
				return
			}
		}
	}
	_, err := served(t, Options{}, endless).Get(t.Context(), "a.json", 1000, "")
	wants(t, err, ErrTooLarge, "at most 1000 bytes")
}

func TestAnnouncedLargeBodyIsNotRead(t *testing.T) {
	c := served(t, Options{}, document(`{"a":"`+strings.Repeat("a", 2000)+`"}`))
	_, err := c.Get(t.Context(), "a.json", 1000, "")
	wants(t, err, ErrTooLarge, "2008 bytes")
}

func TestCompressedBombIsRefused(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := served(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	_, err := c.Get(t.Context(), "a.json", 10_000, "")
	wants(t, err, ErrTooLarge)
}

// Much that becomes nothing: the wire is bounded too.
func TestEndlessCompressedNothingIsRefused(t *testing.T) {
	var empty bytes.Buffer
	if err := gzip.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	c := served(t, Options{Retries: -1}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		http.NewResponseController(w).Flush()
		w.Write(bytes.Repeat(empty.Bytes(), 1000))
	})
	if _, err := c.Get(t.Context(), "a.json", 1000, ""); err == nil {
		t.Error("accepted")
	}
}

func TestCompressedDocumentIsRead(t *testing.T) {
	c := served(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("gzip was not asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, `{"a":1}`)
		z.Close()
	})
	if got, err := c.Get(t.Context(), "a.json", 100, ""); err != nil || string(got.Body) != `{"a":1}` {
		t.Errorf("got %q, %v", got.Body, err)
	}
}

func TestWebPageInsteadOfJSONIsRefused(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"by its type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, `{"looks":"right"}`)
		},
		"by its first byte": document("\ufeff \r\n<!doctype html><title>Log in</title>"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := served(t, Options{}, h).Get(t.Context(), "a.json", 1000, "")
			wants(t, err, ErrWebPage, "captive portal")
		})
	}
}

func TestForbiddenMeansNotThere(t *testing.T) {
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound} {
		var seen counted
		c := served(t, Options{}, seen.handler(status(code)), seen.handler(status(code)))
		_, err := c.Get(t.Context(), "metadata/2.root.json", 100, "")
		wants(t, err, ErrNotFound, "metadata/2.root.json")
		if seen.count() != 1 {
			t.Errorf("%d: %d requests for an answer", code, seen.count())
		}
	}
}

func TestTruncatedBodyIsRefused(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "20")
		io.WriteString(w, `{"a":1}`)
	}
	_, err := served(t, Options{Retries: 1}, cut).Get(t.Context(), "a.json", 100, "")
	wants(t, err, io.ErrUnexpectedEOF)
}

func TestStalledBodyEndsClearly(t *testing.T) {
	stall := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"a":`)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	inTime(t, patience, stall, func(t *testing.T, c *Client) {
		start := time.Now()
		_, err := c.Get(t.Context(), "a.json", 1000, "")
		wants(t, err, ErrStalled, "under 100 bytes a second for 10s")
		if took := time.Since(start); took != patience.RateWindow {
			t.Errorf("it took %v", took)
		}
	})
}

func TestDrippingBodyEndsClearly(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 50)); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
				return
			}
		}
	}
	inTime(t, patience, drip, func(t *testing.T, c *Client) {
		start := time.Now()
		_, err := c.Get(t.Context(), "a.json", 1<<20, "")
		wants(t, err, ErrStalled)
		if took := time.Since(start); took > 3*patience.RateWindow {
			t.Errorf("it took %v", took)
		}
	})
}

func TestSilentServerEndsAtItsDeadline(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	inTime(t, patience, silent, func(t *testing.T, c *Client) {
		start := time.Now()
		if _, err := c.Get(t.Context(), "a.json", 1000, ""); err == nil {
			t.Error("got an answer")
		}
		if took := time.Since(start); took != patience.HeaderTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCancelledRequestEndsAtOnce(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	inTime(t, patience, silent, func(t *testing.T, c *Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Get(ctx, "a.json", 1000, "")
		wants(t, err, context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRequestsDoNotTellHandsetsApart(t *testing.T) {
	var seen counted
	c := served(t, Options{}, seen.handler(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "7"})
		if r.URL.Path == "/a.json" {
			http.Redirect(w, r, "/b.json", http.StatusFound)
			return
		}
		io.WriteString(w, `{}`)
	}))
	for range 2 {
		if _, err := c.Get(t.Context(), "a.json", 100, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range seen.requests {
		if r.UserAgent() != "candor-client" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			t.Errorf("%s: %v", r.URL, r.Header)
		}
	}
}

func TestRedirectToPlainHTTPIsRefused(t *testing.T) {
	plain := httptest.NewServer(document(`{}`))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	c, err := New(Options{Bases: []string{secure.URL}, RootCAs: roots, Backoff: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Get(t.Context(), "a.json", 100, "")
	wants(t, err, ErrRedirect, "from https to http")
}

func TestEndlessRedirectIsRefused(t *testing.T) {
	var seen counted
	c := served(t, Options{}, seen.handler(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	}))
	_, err := c.Get(t.Context(), "a.json", 100, "")
	wants(t, err, ErrRedirect)
	if seen.count() != maxRedirects+1 {
		t.Errorf("%d requests", seen.count())
	}
}

func TestUnknownCertificateIsRefused(t *testing.T) {
	secure := httptest.NewTLSServer(document(`{}`))
	secure.Config.ErrorLog = nil
	defer secure.Close()
	c, err := New(Options{Bases: []string{secure.URL}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := c.Get(t.Context(), "a.json", 100, ""); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestPathsDoNotLeaveTheBase(t *testing.T) {
	var seen counted
	c := served(t, Options{}, seen.handler(document(`{}`)))
	for _, path := range []string{"../a", "a/../../b", "%2e%2e/a", "a//b", "/a", "", ".", `a\b`, "..%2fa", "a/%00"} {
		if _, err := c.Get(t.Context(), path, 100, ""); err == nil {
			t.Errorf("%q was fetched", path)
		}
	}
	if n := seen.count(); n != 0 {
		t.Errorf("%d requests", n)
	}
	for path, want := range map[string]string{"a/b.json": "/a/b.json", "a%2Fb.json": "/a%2Fb.json", "ü ?#.json": "/%C3%BC%20%3F%23.json"} {
		if _, err := c.Get(t.Context(), path, 100, ""); err != nil {
			t.Error(err)
		} else if got := seen.requests[len(seen.requests)-1].URL.EscapedPath(); got != want {
			t.Errorf("%q was asked for as %q", path, got)
		}
	}
}

func TestBadBaseIsRefused(t *testing.T) {
	for _, base := range []string{"", "ftp://h", "//h", "http://", "http://u:p@h", "http://h?q", "http://h#f", "::"} {
		if _, err := New(Options{Bases: []string{base}}); err == nil {
			t.Errorf("%q was accepted", base)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no base was accepted")
	}
}
