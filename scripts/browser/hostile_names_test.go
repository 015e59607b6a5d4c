package browser_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/candor-ota/candor/scripts/browser"
)

// refusal is what a page says when the server will not have a name.
const refusal = `!!document.querySelector('main [role=alert]')`

// Names of products and channels are narrow: what is hostile is none. A page
// that is asked for by one shows the refusal as text.
func TestHostileNamesInTheAddressBarAreRefusedAsText(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.release(42, atOnce)
	p := s.wary("adam")
	for _, name := range hostileInAddresses() {
		in, q := url.PathEscape(name), url.QueryEscape(name)
		for _, path := range []string{"/products/" + in, "/products/phone/releases/" + in, "/rollouts?product=" + q} {
			s.goes(p, path)
			must(t, p.Until("the refusal of "+path, func() (bool, error) { return browser.Eval[bool](p, refusal) }))
			s.harmless(p, path)
		}
	}
}

// hostileInAddresses are strings that a browser leaves as they are in an address.
func hostileInAddresses() (list []string) {
	for _, h := range short(40) {
		if strings.Contains(h, "pwn") && !strings.ContainsAny(h, "\t\n\r") {
			list = append(list, h)
		}
	}
	return list
}

// goes has a page go to an address of the app as by a link.
func (s *site) goes(p *browser.Page, path string) {
	s.t.Helper()
	_, err := browser.Eval[bool](p, fmt.Sprintf(`(() => {
		const a = document.createElement('a');
		a.href = %q;
		document.body.append(a);
		a.click();
		a.remove();
		return true;
	})()`, path))
	must(s.t, err)
	must(s.t, p.Until("the page "+path, func() (bool, error) {
		where, err := p.Where()
		if err != nil || where != s.front.url+path {
			return false, err
		}
		return browser.Eval[bool](p, "!document.querySelector('.progress.on') && "+settled)
	}))
}

// Whatever is written into the fields of names in a new plan is refused beside
// the field, and no rollout is made.
func TestHostileNamesInTheFormAreRefusedAsText(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.release(42, atOnce)
	p := s.wary("olga", `^request: POST \S+/v1/rollouts(/preview)?: (400|422)$`)
	must(t, p.Open(s.front.url+"/rollouts/new"))
	s.fillPlan(p)
	for n, label := range nameFields {
		field, err := p.Find(label.role, label.name)
		must(t, err)
		for i, name := range hostile() {
			must(t, field.Fill(name))
			if i%12 == 4*n { // some of them stay until the server has said what it thinks of them
				s.refusedBeside(p, label.role, label.name, name)
			}
		}
		s.harmless(p, "the field "+label.name)
		must(t, field.Fill(label.good))
	}
	channel, err := p.Find("combobox", "^Channel")
	must(t, err)
	must(t, channel.Fill(`<img src=x onerror=pwn(99)>`))
	s.click(p, "button", "^Make a draft$")
	s.refusedBeside(p, "combobox", "^Channel", "what was sent")
	s.harmless(p, "the form that was sent")
	var list struct{ Rollouts []struct{ ID string } }
	must(t, s.Call(t.Context(), http.MethodGet, "/v1/rollouts", nil, &list))
	if len(list.Rollouts) > 0 {
		t.Errorf("%d rollouts were made", len(list.Rollouts))
	}
}

// nameFields are the fields of a plan that take names, and what each may hold.
var nameFields = []struct{ role, name, good string }{{"combobox", "^Channel", "stable"}, {"textbox", "^Regions", ""}}

// refusedBeside waits until a field is said to be wrong.
func (s *site) refusedBeside(p *browser.Page, role, label, name string) {
	s.t.Helper()
	must(s.t, p.Until(fmt.Sprintf("the refusal of %.60q at %s", name, label), func() (bool, error) {
		found, err := p.All(role, label)
		return len(found) == 1 && found[0].State("invalid") == "true", err
	}))
}
