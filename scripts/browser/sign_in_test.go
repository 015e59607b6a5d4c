package browser_test

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/scripts/browser"
)

// signIn signs somebody in at the provider and ends at a path of the site.
func (s *site) signIn(p *browser.Page, login, next string) {
	s.t.Helper()
	must(s.t, p.Open(s.front.url+"/v1/auth/login?next="+next))
	s.submit(p, "Sign-in", fmt.Sprintf("form.elements.login.value = %q; form.elements.password.value = 'any'", login))
	s.submit(p, "Authorize", "")
	must(s.t, p.Until("the way back from the provider", func() (bool, error) {
		where, err := p.Where()
		return strings.HasPrefix(where, s.front.url+"/"), err
	}))
}

// submit sends the form of one of the provider's pages, which are not what is
// tested here.
func (s *site) submit(p *browser.Page, title, fill string) {
	s.t.Helper()
	must(s.t, p.Until("the provider's page "+title, func() (bool, error) {
		return browser.Eval[bool](p, fmt.Sprintf(`(() => {
			const form = document.querySelector('form');
			if (!form || !document.body.innerText.includes(%q)) return false;
			%s;
			setTimeout(() => form.submit());
			return true;
		})()`, title, fill))
	}))
}

// click waits for an element that can be clicked, and clicks it. What is painted
// anew in between is looked for again.
func (s *site) click(p *browser.Page, role, name string) {
	s.t.Helper()
	clicked := false // though the browser may not have said so, as the page went elsewhere
	must(s.t, p.Until("a click on the "+role+" "+name, func() (bool, error) {
		found, err := p.All(role, name)
		if err != nil || len(found) == 0 {
			return clicked, err
		}
		clicked = true
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
