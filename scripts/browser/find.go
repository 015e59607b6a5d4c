package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"
)

// Element is something on a page that has a role and a name.
type Element struct {
	Role, Name string
	page       *Page
	id         cdp.BackendNodeID
	states     map[string]string
}

// State gives a property such as disabled, checked, expanded or invalid as
// text; empty if the element has none of this name.
func (e Element) State(name string) string { return e.states[name] }

// All gives what has a role and a name that matches a regular expression, in
// the order of the page, as it is now. What assistive technology is not shown
// is not there.
func (p *Page) All(role, name string) ([]Element, error) {
	pattern, err := regexp.Compile("(?is)" + name)
	if err != nil {
		return nil, err
	}
	doc, err := call(p, dom.GetDocument, dom.GetDocumentParams{})
	if err != nil {
		return nil, err
	}
	tree, err := call(p, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{BackendNodeID: doc.Root.BackendNodeID, Role: role})
	if err != nil {
		return nil, err
	}
	var found []Element
	for _, n := range tree.Nodes {
		e := Element{Role: role, Name: text(n.Name), page: p, id: n.BackendDOMNodeID, states: map[string]string{}}
		if n.Ignored || n.BackendDOMNodeID == 0 || !pattern.MatchString(e.Name) {
			continue
		}
		for _, prop := range n.Properties {
			e.states[string(prop.Name)] = text(prop.Value)
		}
		found = append(found, e)
	}
	return found, nil
}

// text is a value of the accessibility tree as words.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) == nil {
		return spaced(s)
	}
	return string(v.Value)
}

// Find waits for the first element with a role and a name that matches.
func (p *Page) Find(role, name string) (Element, error) {
	var found []Element
	err := p.Until(fmt.Sprintf("a %s named %q", role, name), func() (bool, error) {
		var err error
		found, err = p.All(role, name)
		return len(found) > 0, err
	})
	if err != nil {
		return Element{}, err
	}
	return found[0], nil
}

// Gone waits until nothing of a role and a name is there.
func (p *Page) Gone(role, name string) error {
	return p.Until(fmt.Sprintf("no %s named %q", role, name), func() (bool, error) {
		found, err := p.All(role, name)
		return len(found) == 0, err
	})
}

// Says waits until the text that can be seen matches a regular expression, and
// gives the text that did.
func (p *Page) Says(pattern string) (string, error) {
	re, err := regexp.Compile("(?is)" + pattern)
	if err != nil {
		return "", err
	}
	found := ""
	return found, p.Until(fmt.Sprintf("the words %q", pattern), func() (bool, error) {
		text, err := p.Text()
		found = re.FindString(text)
		return re.MatchString(text), err
	})
}

// Text is the text that can be seen now; spaces at which no line ends are spaces.
func (p *Page) Text() (string, error) {
	text, err := Eval[string](p, "document.body ? document.body.innerText : ''")
	return spaced(text), err
}

func spaced(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

// Until waits until it is so; if it does not come to be, the error holds what
// the page says instead.
func (p *Page) Until(what string, is func() (bool, error)) error {
	err := Until(p.ctx, what, is)
	if err == nil {
		return nil
	}
	text, terr := p.Text()
	where, werr := p.Where()
	return errors.Join(fmt.Errorf("%w; the page %s says:\n%s", err, where, strings.TrimSpace(text)), terr, werr)
}

// Until asks every tenth of a second until it is so, for Patience at most. What
// errs is asked again: pages are often on their way elsewhere.
func Until(ctx context.Context, what string, is func() (bool, error)) error {
	tick, end := time.NewTicker(100*time.Millisecond), time.NewTimer(Patience)
	defer tick.Stop()
	defer end.Stop()
	for {
		so, err := is()
		if so && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: %w", what, ctx.Err()), err)
		case <-tick.C:
		case <-end.C:
			return errors.Join(fmt.Errorf("%s: not there after %s", what, Patience), err)
		}
	}
}

// Where is the page's address.
func (p *Page) Where() (string, error) { return Eval[string](p, "location.href") }

// Open goes to an address and waits until it is loaded.
func (p *Page) Open(url string) error {
	_, err := run(p, chromedp.Navigate(url))
	if err != nil {
		return fmt.Errorf("open %s: %w", url, err)
	}
	return nil
}

// Eval runs a script in a page and gives its value; a promise is waited for.
func Eval[T any](p *Page, script string) (T, error) {
	v, err := run(p, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		return v, fmt.Errorf("script %.80q: %w", script, err)
	}
	return v, nil
}
