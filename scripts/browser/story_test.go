package browser_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/browser"
)

// A rollout from the form to its halt, by two people in two browsers, none of
// whom loads a page anew: one makes it, the other agrees, it widens before
// their eyes, handsets fail, it halts by itself, and the page says why.
func TestARolloutIsMadeAgreedToWatchedAndHaltsByItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.release(42, atOnce)
	olga := s.as("olga", "/rollouts/new")
	s.fillPlan(olga)
	s.says(olga, "Finished at the earliest")
	s.says(olga, "Harmed at most")
	s.click(olga, "button", "^Make a draft$")
	s.says(olga, "Its author still writes the plan")
	must(t, mark(olga))
	s.act(olga, "Propose …", "Propose", "")
	s.says(olga, "Waiting for people")

	oskar := s.as("oskar", "/approvals")
	s.click(oskar, "link", "phone")
	s.says(oskar, "Olga Operator")
	must(t, mark(oskar))
	s.act(oskar, "Approve …", "Approve", "it was tested")

	s.says(olga, "Ready to start")
	s.act(olga, "Start …", "Start", "")
	s.says(olga, "Rolling out · stage 1 of 2")
	s.says(olga, "it was tested")
	s.report(42, 40, healthy)
	for _, p := range []*browser.Page{olga, oskar} {
		s.says(p, "Rolling out · stage 2 of 2")
		s.says(p, "Open to\\s+100 %")
	}
	s.report(42, 60, failed)
	for _, p := range []*browser.Page{olga, oskar} {
		s.says(p, "Halted · stage 2 of 2")
		s.says(p, `\d+ failures in \d+ outcomes: more than the 20 % that is accepted`)
		s.says(p, `Halted it\s+by itself`)
		if same, err := browser.Eval[bool](p, "window.same === true"); err != nil || !same {
			t.Errorf("the page was loaded anew: %v", err)
		}
	}
}

func mark(p *browser.Page) error {
	_, err := browser.Eval[bool](p, "window.same = true")
	return err
}

// fillPlan fills in the form of a rollout of build 42 in two short stages.
func (s *site) fillPlan(p *browser.Page) {
	s.t.Helper()
	s.choose(p, "^Product", string(product))
	s.choose(p, "^Release", "42")
	s.choose(p, "^Begin from", "One stage")
	s.click(p, "button", "^Another stage")
	for label, values := range map[string][]string{"^Share": {"20", "100"}, "^Soak": {"2s", "2s"}, "^Votes": {"5", ""}} {
		fields, err := p.All("textbox", label)
		must(s.t, err)
		if len(fields) != 2 {
			s.t.Fatalf("%d fields %s for two stages", len(fields), label)
		}
		for i, v := range values {
			must(s.t, fields[i].Fill(v))
		}
	}
	for label, value := range map[string]string{"^Failures": "20", "^Silence": "50", "^Later failures": "50", "^A new reason": "40", "^Not tried": "50", "^Unheard": "50"} {
		field, err := p.Find("textbox", label)
		must(s.t, err)
		must(s.t, field.Fill(value))
	}
	s.click(p, "checkbox", "^silence$") // takes days to be proved: it only reports here
}

func (s *site) choose(p *browser.Page, label, option string) {
	s.t.Helper()
	must(s.t, p.Until("the list "+label+" with "+option, func() (bool, error) {
		lists, err := p.All("combobox", label)
		return err == nil && len(lists) > 0 && lists[0].Choose(option) == nil, err
	}))
}

func (s *site) says(p *browser.Page, words string) {
	s.t.Helper()
	_, err := p.Says(words)
	must(s.t, err)
}

// act takes a step by its button and the dialog that asks once. Who works by
// keyboard is on the page afterwards, and not at its beginning again.
func (s *site) act(p *browser.Page, button, confirm, reason string) {
	s.t.Helper()
	must(s.t, p.Until("the dialog of "+button, func() (bool, error) {
		if open, err := p.All("dialog", ""); err != nil || len(open) > 0 {
			return len(open) > 0, err
		}
		found, err := p.All("button", "^"+button+"$")
		if err == nil && len(found) > 0 {
			err = found[0].Click()
		}
		return false, err
	}))
	if reason != "" {
		field, err := p.Find("textbox", "^Reason")
		must(s.t, err)
		must(s.t, field.Fill(reason))
	}
	s.click(p, "button", "^"+confirm+"$")
	must(s.t, p.Gone("dialog", ""))
	must(s.t, p.Until("the keyboard to be where it was told what was done", func() (bool, error) {
		return browser.Eval[bool](p, "document.activeElement.getAttribute('role') === 'status'")
	}))
}

// HALT, from wherever one is.
func TestHaltTakesOneClickOrTwoKeysFromAnywhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, halt := range map[string]func(p *browser.Page, id string){
		"a click on the rollout": func(p *browser.Page, id string) {
			must(t, p.Open(s.front.url+"/rollouts/"+id))
			s.click(p, "button", "^HALT")
		},
		"a click elsewhere": func(p *browser.Page, _ string) {
			must(t, p.Open(s.front.url+"/system"))
			s.click(p, "button", "^HALT phone")
		},
		"two keys": func(p *browser.Page, _ string) {
			must(t, p.Open(s.front.url+"/audit"))
			s.says(p, "Audit")
			must(t, p.Press("H"))
			s.click(p, "heading", "Halt which one")
			must(t, p.Press("1"))
		},
		"a thumb": func(p *browser.Page, id string) {
			must(t, p.Size(360, 740, true))
			must(t, p.Open(s.front.url+"/rollouts/"+id))
			s.click(p, "button", "^HALT")
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.running(name)
			p := s.as("emil", "/")
			halt(p, id)
			s.says(p, "is halted")
			s.halted(id)
			must(t, p.Until("the keyboard to be where it is said", func() (bool, error) {
				return browser.Eval[bool](p, "/is halted/.test(document.activeElement.textContent) && document.activeElement.tagName === 'H2'")
			}))
		})
	}
}

// What else hangs or breaks does not keep HALT from the server.
func TestHaltWorksWhileAllElseHangs(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("hanging")
	p := s.as("olga", "/rollouts/"+id, `^request: `, `ERR_`)
	s.says(p, "Rolling out ·")
	s.front.hangs(func(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/halt") })
	s.front.breaks(isStream)
	s.says(p, "(Reconnecting|Stale)")
	s.click(p, "button", "^HALT")
	s.says(p, "is halted")
	s.halted(id)
	s.front.hangs(nil)
	s.front.breaks(nil)
	s.says(p, "Halted · stage")
}

// Without any script the plain pages sign in, show what runs, and halt it.
func TestHaltWorksWithoutScript(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("plain")
	p := s.person(notSignedInPlain)
	_, err := browser.Send(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	must(t, err)
	must(t, p.Size(360, 740, true))
	must(t, p.Open(s.front.url+"/plain"))
	field, err := p.Find("textbox", "^API token")
	must(t, err)
	must(t, field.Fill(s.Second))
	s.click(p, "button", "^Sign in")
	s.click(p, "button", "^HALT")
	s.halted(id)
	_, err = p.Find("StaticText", "halted")
	must(t, err)
}

// notSignedInPlain is the answer of the plain pages to who is not signed in.
const notSignedInPlain = `^request: GET \S+/plain\S*: 401$`

// running publishes a build and opens it to all.
func (s *site) running(channel string) string {
	s.t.Helper()
	s.builds++
	build := manifests.Build(100 + s.builds)
	s.release(build, atOnce)
	one := plan(build, rollout.Stage{Share: manifests.WholeFleet})
	one.Channel = manifests.Name(strings.ReplaceAll(channel, " ", "-"))
	r, err := s.Open(s.t.Context(), one)
	must(s.t, err)
	return r.ID
}

// halted waits until the server says that a rollout is.
func (s *site) halted(id string) {
	s.t.Helper()
	s.until("halted", id)
}

func (s *site) until(state, id string) {
	s.t.Helper()
	must(s.t, browser.Until(s.t.Context(), "rollout "+id+" "+state, func() (bool, error) {
		r, err := s.Look(s.t.Context(), id)
		return r.State == state, err
	}))
}
