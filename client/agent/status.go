package agent

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// Status is the answer to "why does nothing happen?".
type Status struct {
	State    State           `json:"state,omitempty"`
	Code     rollout.Code    `json:"code,omitempty"` // of Meanings; none: nothing holds it
	Sentence string          `json:"sentence,omitempty"`
	Build    manifests.Build `json:"build,omitempty"`
	At       *manifests.Time `json:"at,omitempty"`    // of the step that said so
	Since    *manifests.Time `json:"since,omitempty"` // the same code has held the same build
	Ends     string          `json:"ends,omitempty"`  // when it does
	Can      string          `json:"can,omitempty"`   // what the owner can do
	// Progress is how far the update is, or was when it was held; nil outside of
	// downloads and read-backs.
	Progress *Progress `json:"progress,omitempty"`
}

// Status is the answer to "why does nothing happen?" as of the last step; from
// within Observe, as of now.
func (a *Agent) Status() Status { return a.mem.Last }

// say sets the sentence that the owner is shown.
func (a *Agent) say(code rollout.Code, build manifests.Build, format string, args ...any) {
	s := Status{State: a.mem.Last.State, Code: code, Build: build, Sentence: fmt.Sprintf(format, args...), Progress: a.mem.Last.Progress}
	if code != "" {
		m := meaningOf(code)
		s.Since, s.Ends, s.Can = new(manifests.At(a.now)), m.Ends, m.Can
		if before := a.before; before.Code == code && before.Build == build && before.Since != nil {
			s.Since = before.Since
		}
	}
	a.mem.Last = s
}

// hold shows the owner what holds the update.
func (a *Agent) hold(h *rollout.Hold) { a.say(h.Code, h.Build, "%s", h.Sentence) }

// shows has Observe told of a state.
func (a *Agent) shows(s State) {
	a.mem.Last.State = s
	if s != Downloading && s != Verifying && s != Paused {
		a.mem.Last.Progress = nil
	}
	a.observed()
}

func (a *Agent) observed() {
	if a.Observe != nil {
		a.Observe(a.mem.Last)
	}
}
