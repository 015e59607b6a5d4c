package api_test

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser keeps cookies and fills in the provider's forms. It follows
// redirects one by one, so that a test can step in between.
type browser struct {
	t    testing.TB
	http *http.Client
	jar  *cookiejar.Jar
}

func newBrowser(t testing.TB, client *http.Client) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, jar: jar, http: &http.Client{
		Transport: client.Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer that was read to its end.
type page struct {
	status int
	header http.Header
	body   string
	at     *url.URL
}

// next is where a redirect leads; nil if the page is none.
func (p page) next(t testing.TB) *url.URL {
	t.Helper()
	where := p.header.Get("Location")
	if where == "" {
		return nil
	}
	u, err := p.at.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (b *browser) send(r *http.Request) page {
	b.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(data), r.URL}
}

func (b *browser) get(address string) page {
	b.t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(r)
}

var (
	formAction  = regexp.MustCompile(`<form[^>]*action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// submit fills in the form of the provider: who one is, or that one agrees.
func (b *browser) submit(p page, login string) page {
	b.t.Helper()
	action := formAction.FindStringSubmatch(p.body)
	if action == nil {
		b.t.Fatalf("%s: %d, no form:\n%s", p.at, p.status, p.body)
	}
	where, err := p.at.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(p.body, -1) {
		form.Set(f[1], html.UnescapeString(f[2]))
	}
	if strings.Contains(p.body, `name="login"`) {
		form.Set("login", login)
		form.Set("password", "any")
	}
	r, err := http.NewRequest("POST", where.String(), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

// walk goes from an address at the provider to where it sends the browser back
// to, signing in as login where it is asked.
func (b *browser) walk(from *url.URL, login string) *url.URL {
	b.t.Helper()
	provider := from.Host
	p := b.get(from.String())
	for range 20 {
		next := p.next(b.t)
		switch {
		case next == nil:
			p = b.submit(p, login)
		case next.Host != provider:
			return next
		default:
			p = b.get(next.String())
		}
	}
	b.t.Fatal("the provider goes round in circles")
	return nil
}
