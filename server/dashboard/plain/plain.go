// Package plain renders the pages that work without script: signing in with a
// token, the rollouts that run, and HALT as a plain form. They are for a
// browser in which the dashboard does not come up, and for a phone at three in
// the morning.
//
// Parties: a person's browser; package api, which knows who asks and what may be
// shown, and hands over nothing else. Names, versions and reasons come from
// people and submissions: html/template escapes all of them.
//
// Promises: a page runs nothing, loads one style sheet of this server, and is
// confined to that (Policy). HALT is one press of a button: no question, and a
// reason that is filled in where none is given.
//
// Failure: templates are read when the program starts; what a writer refuses is
// the reader's going away.
package plain

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"time"

	"github.com/candor-ota/candor/server/publish"
)

// Policy is the content security policy of these pages.
const Policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// The addresses.
const (
	Root      = "/plain"
	SignIn    = Root + "/sign-in"
	StyleFile = Root + "/style.css"
)

// Reason is why a rollout was halted from here if nobody says otherwise.
const Reason = "halted from the plain page"

//go:embed *.html style.css
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"percent": percent, "when": when, "form": form}).ParseFS(files, "*.html"))

// percent writes parts per million as people read them.
func percent(ppm int) string {
	return fmt.Sprintf("%g %%", float64(ppm)/10_000)
}

// when writes a time; in UTC, as the server does not know the reader's zone.
func when(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" }

// Person is who looks.
type Person struct {
	Name string
	CSRF string // of the session, for the forms
}

// Rollout is one rollout as the pages show it.
type Rollout struct {
	ID, Product, Version, Channel string
	Build                         int64
	State                         string
	SharePPM                      int
	Stage, Stages                 int // Stage from 1
	Sentence                      string
	Reason                        string    // why it is in its state; empty if nobody said
	Failed, Of                    int64     // outcomes
	Counted                       bool      // else Failed and Of are not known
	Since                         time.Time // of the stage; zero if it has not begun
	Bound                         string    // when the last handset has stopped; empty unless halted
	MayHalt                       bool
	Key                           string // makes pressing HALT twice one halt
}

// form is what the HALT form shows.
func form(p Person, r Rollout) One { return One{Person: p, Rollout: r} }

// Halted tells whether nothing is left to halt.
func (r Rollout) Halted() bool { return r.State == "halted" }

// List is the page of rollouts.
type List struct {
	Person   Person
	At       time.Time
	Rollouts []Rollout
}

// One is the page of one rollout, to which HALT leads.
type One struct {
	Person  Person
	At      time.Time
	Rollout Rollout
}

// Ways is the page on which one signs in.
type Ways struct {
	OIDC, Token bool
	Provider    string
	Next        string // where to go afterwards
	Error       string // what was wrong the last time
}

// Failed is the page that says why something did not come about.
type Failed struct {
	Title, Detail, Code string
}

// Render writes a page: a List, One, Ways or Failed.
func Render(w io.Writer, page any) error {
	var name string
	switch page.(type) {
	case List:
		name = "list.html"
	case One:
		name = "one.html"
	case Ways:
		name = "ways.html"
	case Failed:
		name = "failed.html"
	default:
		return fmt.Errorf("plain: %T is no page", page)
	}
	return pages.ExecuteTemplate(w, name, page)
}

// Secure sets the headers of a page. The referrer stays within this server,
// which must learn the origin of its own forms.
func Secure(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", Policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// Style is the style sheet.
var Style = func() *publish.File {
	body, err := files.ReadFile("style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return publish.NewFile(body, false)
}()
