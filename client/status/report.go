package status

import (
	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/manifests"
)

// Report is what `status` shows.
type Report struct {
	Product    manifests.Product `json:"product"`
	Build      manifests.Build   `json:"build"`
	Version    string            `json:"version"`
	Slot       boot.Slot         `json:"slot"`
	Status     agent.Status      `json:"status"`
	Next       *Next             `json:"next,omitempty"`
	Running    bool              `json:"running"`            // an agent runs, and looks for news by itself
	Head       string            `json:"head,omitempty"`     // of the chain of rollouts, to compare with another handset's
	Warnings   []string          `json:"warnings,omitempty"` // about the maker and the way to him
	Reporting  bool              `json:"reporting"`
	Lab        bool              `json:"lab,omitempty"` // in lab mode: reports leave by name
	Waiting    bool              `json:"waiting"`       // reports are not sent yet
	Downloaded int64             `json:"downloaded"`    // bytes of images, since the handset was made
}

// Next is when the agent looks again, and why then.
type Next struct {
	At  *manifests.Time `json:"at,omitempty"` // nil: no agent runs, or not before the next poll
	Why string          `json:"why,omitempty"`
}

// Event is one thing that happened to an agent that runs.
type Event struct {
	Event    EventKind       `json:"event"`
	Report   *Report         `json:"report,omitempty"`   // with state and hold
	Progress *agent.Progress `json:"progress,omitempty"` // with progress
}

// EventKind says what an event is about.
type EventKind string

// The kinds of events.
const (
	StateEvent    EventKind = "state"    // the update goes on: the state or the sentence is another
	HoldEvent     EventKind = "hold"     // something holds it; the code says what
	ProgressEvent EventKind = "progress" // at most twice a second
)

// Event gives the event that a new report makes.
func (r Report) Event() Event {
	kind := StateEvent
	if r.Status.Code != "" {
		kind = HoldEvent
	}
	return Event{Event: kind, Report: &r}
}
