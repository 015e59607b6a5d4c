package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// Problems are what went wrong in a page while nobody looked.
type Problems struct {
	mu       sync.Mutex
	found    []string
	requests map[network.RequestID]string
	sent     []string
	dialogs  []string
}

// Take gives the problems so far, one line each, and forgets them.
func (p *Problems) Take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.found
	p.found = nil
	return found
}

// Dialogs are the words of the dialogs that scripts opened.
func (p *Problems) Dialogs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.dialogs)
}

// Forget forgets the requests so far.
func (p *Problems) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = nil
}

// Sent are the requests since the last Forget, as METHOD URL.
func (p *Problems) Sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

func (p *Problems) add(format string, args ...any) {
	p.found = append(p.found, fmt.Sprintf(format, args...))
}

// note hears the events of the tab. It may not call the browser.
func (p *Problems) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.add("console.%s: %s", e.Type, words(e.Args))
		}
	case *runtime.EventExceptionThrown:
		p.add("exception: %s", exception(e.ExceptionDetails))
	case *log.EventEntryAdded:
		// What the network says is told by its own events, with the method.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			p.add("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			details, err := json.Marshal(e.Issue.Details)
			p.add("content security policy: %s %v", details, err)
		}
	case *page.EventJavascriptDialogOpening:
		p.dialogs = append(p.dialogs, e.Message)
		p.add("dialog (%s): %s", e.Type, e.Message)
	default:
		p.noteNetwork(event)
	}
}

func (p *Problems) noteNetwork(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests[e.RequestID] = e.Request.Method + " " + e.Request.URL
		p.sent = append(p.sent, p.requests[e.RequestID])
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.add("request: %s: %d", p.requests[e.RequestID], int(e.Response.Status))
		}
	case *network.EventLoadingFailed:
		// A page that is left gives up what it had asked for.
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			p.add("request: %s: %s %s", p.requests[e.RequestID], e.ErrorText, e.BlockedReason)
		}
	}
}

func words(args []*runtime.RemoteObject) string {
	var out []string
	for _, a := range args {
		switch {
		case len(a.Value) > 0:
			out = append(out, string(a.Value))
		default:
			out = append(out, a.Description)
		}
	}
	return strings.Join(out, " ")
}

func exception(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return d.Text
}
