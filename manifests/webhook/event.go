package webhook

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// MaxBody is the largest body that is sent or taken, in bytes.
const MaxBody = 1 << 20

// Event is the body: one entry of the audit log, as JSON. Receivers ignore
// fields that they do not know; there may be more one day.
type Event struct {
	ID      string            `json:"id"`    // the hook's name, a dot and the entry's number; stable over retries
	Event   string            `json:"event"` // the audit log's verb, such as "rollout.halt"
	At      manifests.Time    `json:"at"`    // when it happened, not when it is told
	Product manifests.Product `json:"product,omitempty"`
	Subject string            `json:"subject"` // what it was done to, such as a rollout's ID
	Who     string            `json:"who"`
	Why     string            `json:"why,omitempty"` // the person's own words
	Detail  json.RawMessage   `json:"detail,omitempty"`
}

// ID gives the id of an entry's delivery through a hook.
func ID(hook string, seq int64) string { return hook + "." + strconv.FormatInt(seq, 10) }

// Encode gives the body. A detail that would make it too large is left out.
func (e Event) Encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err == nil && len(body) > MaxBody {
		e.Detail = nil
		body, err = json.Marshal(e)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", e.ID, err)
	}
	return body, nil
}

// Wanted tells whether an event is among those asked for: whole names, or
// beginnings such as "rollout.*". None at all asks for every event.
func Wanted(asked []string, event string) bool {
	for _, a := range asked {
		if begin, all := strings.CutSuffix(a, "*"); a == event || all && strings.HasPrefix(event, begin) {
			return true
		}
	}
	return len(asked) == 0
}
