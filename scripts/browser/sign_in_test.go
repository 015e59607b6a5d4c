package browser_test

import (
	"strings"

	"github.com/candor-ota/candor/scripts/browser"
)

// signIn signs somebody in at the provider and ends at a path of the site.
func (s *site) signIn(p *browser.Page, login, next string) {
	s.t.Helper()
	must(s.t, p.Open(s.front.url+"/v1/auth/login?next="+next))
	field, err := p.Find("textbox", "^Enter any login")
	must(s.t, err)
	must(s.t, field.Fill(login))
	field, err = p.Find("textbox", "password")
	must(s.t, err)
	must(s.t, field.Fill("any"))
	s.click(p, "button", "^Sign-in$")
	s.click(p, "button", "^Continue$")
	must(s.t, p.Until("the way back from the provider", func() (bool, error) {
		where, err := p.Where()
		return strings.HasPrefix(where, s.front.url+"/"), err
	}))
}

// click waits for an element that can be clicked, and clicks it. What is painted
// anew in between is looked for again.
func (s *site) click(p *browser.Page, role, name string) {
	s.t.Helper()
	must(s.t, p.Until("a click on the "+role+" "+name, func() (bool, error) {
		found, err := p.All(role, name)
		if err != nil || len(found) == 0 {
			return false, err
		}
		err = found[0].Click()
		return err == nil, err
	}))
}

// as opens a fresh browser in which somebody is signed in.
func (s *site) as(login, next string, but ...string) *browser.Page {
	s.t.Helper()
	p := s.person(but...)
	s.signIn(p, login, next)
	return p
}
