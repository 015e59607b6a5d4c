package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Click clicks in the middle of an element, wherever it stands by then. What
// lies above it gets the click.
func (e Element) Click() error {
	x, y, err := e.middle()
	if err != nil {
		return fmt.Errorf("click %s %q: %w", e.Role, e.Name, err)
	}
	ctx, cancel := context.WithTimeout(e.page.ctx, oneCall)
	defer cancel()
	_, err = chromedp.Run(ctx, chromedp.MouseClickXY(x, y))
	return err
}

// middle scrolls an element into sight and gives its middle, in pixels, once it
// stands still: pages that are being filled move what is on them.
func (e Element) middle() (x, y float64, err error) {
	if _, err := call(e.page, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.id}); err != nil {
		return 0, 0, err
	}
	for px, py := -1.0, -1.0; ; px, py = x, y {
		if x, y, err = e.now(); err != nil || x == px && y == py {
			return x, y, err
		}
		select {
		case <-e.page.ctx.Done():
			return 0, 0, e.page.ctx.Err()
		case <-time.After(still):
		}
	}
}

// still is how long what stands still is looked at.
const still = 100 * time.Millisecond

// now is the middle of an element at this moment.
func (e Element) now() (x, y float64, err error) {
	box, err := call(e.page, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.id})
	if err != nil {
		return 0, 0, err
	}
	if len(box.Quads) == 0 || len(box.Quads[0]) < 8 {
		return 0, 0, errors.New("it takes no room")
	}
	q := box.Quads[0]
	return (q[0] + q[2] + q[4] + q[6]) / 4, (q[1] + q[3] + q[5] + q[7]) / 4, nil
}

// Fill replaces what a field holds, as if typed.
func (e Element) Fill(text string) error {
	if err := e.Focus(); err != nil {
		return err
	}
	if err := e.On(`function() { this.select ? this.select() : document.execCommand('selectAll'); }`, nil); err != nil {
		return err
	}
	if text == "" {
		_, err := run(e.page, chromedp.KeyEvent("\b"))
		return err
	}
	_, err := call(e.page, input.InsertText, input.InsertTextParams{Text: text})
	return err
}

// Set gives a field a value that is picked rather than typed: a date, a range.
func (e Element) Set(value string) error {
	return e.On(`function(v) {
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(this), 'value').set.call(this, v);
		this.dispatchEvent(new Event('input', {bubbles: true}));
		this.dispatchEvent(new Event('change', {bubbles: true}));
	}`, nil, value)
}

// Choose picks the option of a list whose text holds some words.
func (e Element) Choose(words string) error {
	var ok bool
	err := e.On(`function(words) {
		const o = [...this.options].find(o => o.text.includes(words) || o.value === words);
		if (!o) return false;
		this.value = o.value;
		this.dispatchEvent(new Event('input', {bubbles: true}));
		this.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	}`, &ok, words)
	if err == nil && !ok {
		err = fmt.Errorf("%s %q has no option %q", e.Role, e.Name, words)
	}
	return err
}

// Focus gives an element the keyboard.
func (e Element) Focus() error {
	_, err := call(e.page, dom.Focus, dom.FocusParams{BackendNodeID: e.id})
	if err != nil {
		return fmt.Errorf("focus %s %q: %w", e.Role, e.Name, err)
	}
	return nil
}

// On calls a function of JavaScript with the element as this, and reads its
// answer unless into is nil.
func (e Element) On(function string, into any, args ...any) error {
	node, err := call(e.page, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: e.id})
	if err != nil {
		return err
	}
	byValue := true
	params := runtime.CallFunctionOnParams{FunctionDeclaration: function, ObjectID: node.Object.ObjectID, ReturnByValue: &byValue, AwaitPromise: &byValue, UserGesture: &byValue}
	for _, a := range args {
		value, err := json.Marshal(a)
		if err != nil {
			return err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: value})
	}
	answer, err := call(e.page, runtime.CallFunctionOn, params)
	if err != nil {
		return err
	}
	if answer.ExceptionDetails != nil {
		return errors.New(exception(answer.ExceptionDetails))
	}
	if into == nil || len(answer.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(answer.Result.Value, into)
}

// Press types keys, one after the other; those without a letter are in
// chromedp/kb.
func (p *Page) Press(keys string) error {
	_, err := run(p, chromedp.KeyEvent(keys))
	return err
}

// Send sends a command of the protocol to the tab.
func Send[P, R any](p *Page, cmd cdp.Command[P, R], params P) (R, error) { return call(p, cmd, params) }
