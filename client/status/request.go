package status

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Verb is what is asked of the agent.
type Verb string

// The verbs. All but the first two wait until the agent has carried them out.
const (
	ShowStatus Verb = "status"  // the newest report
	Watch      Verb = "watch"   // the newest report, then events until the connection ends
	Accept     Verb = "accept"  // the notice of a build
	Decline    Verb = "decline" // a build
	Later      Verb = "later"   // for a while
	Now        Verb = "now"     // not at this handset's turn
	Retry      Verb = "retry"   // a build that did not work here
	Consent    Verb = "consent" // reporting on or off
	Look       Verb = "look"    // what a bundle would install
	Install    Verb = "install" // from a bundle; the reply comes when it is done
)

// MaxLine is the longest line of the protocol that is read, in bytes.
const MaxLine = 4 << 10

// Request is one line of an owner's program. Build goes with accept, decline and
// retry, For with later, PastPace and PayForData with now, On with consent,
// Bundle with look and install, and Build, the one that was agreed to, with the
// latter.
type Request struct {
	Do         Verb                `json:"do"`
	Build      manifests.Build     `json:"build,omitempty"`
	For        *manifests.Duration `json:"for,omitempty"`
	PastPace   bool                `json:"pastPace,omitempty"`
	PayForData bool                `json:"payForData,omitempty"`
	On         *bool               `json:"on,omitempty"`
	Bundle     string              `json:"bundle,omitempty"` // absolute path of a file that the agent can read
}

// ErrRequest is a line that is no request.
var ErrRequest = errors.New("not a request")

// ParseRequest reads a line, with or without its end. What it does not know it
// refuses: a wish must not be half understood.
func ParseRequest(line []byte) (Request, error) {
	var r Request
	if err := strict.Decode(bytes.TrimRight(line, "\r\n"), MaxLine, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := r.check(); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r, nil
}

// check holds the fields against the verb: each has its own, and no others.
func (r Request) check() error {
	var want Request
	switch r.Do {
	case ShowStatus, Watch:
	case Accept, Decline, Retry:
		if r.Build == 0 {
			return fmt.Errorf("%q needs a build", r.Do)
		}
		want.Build = r.Build
	case Later:
		if r.For == nil {
			return fmt.Errorf(`%q needs "for", such as "3d"`, r.Do)
		}
		want.For = r.For
	case Now:
		want.PastPace, want.PayForData = r.PastPace, r.PayForData
	case Consent:
		if r.On == nil {
			return fmt.Errorf(`%q needs "on"`, r.Do)
		}
		want.On = r.On
	case Look, Install:
		if !filepath.IsAbs(r.Bundle) || strings.ContainsRune(r.Bundle, 0) {
			return fmt.Errorf(`%q needs "bundle", the absolute path of a file`, r.Do)
		}
		if want.Bundle = r.Bundle; r.Do == Install {
			if r.Build == 0 {
				return fmt.Errorf("%q needs the build that was agreed to", r.Do)
			}
			want.Build = r.Build
		}
	default:
		return fmt.Errorf(`"do" is %q; it is one of status, watch, accept, decline, later, now, retry, consent, look, install`, r.Do)
	}
	if want.Do = r.Do; want != r {
		return fmt.Errorf("%q has a field that belongs to another verb", r.Do)
	}
	return nil
}

// Reply is one line of the agent: the answer to a request, in the order of the
// requests.
type Reply struct {
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"`   // a sentence, if not OK
	Report  *Report  `json:"report,omitempty"`  // after the request, if OK
	Preview *Preview `json:"preview,omitempty"` // of look
}

// Preview is what installing a bundle would do.
type Preview struct {
	Running manifests.Build        `json:"running"`
	Label   manifests.PrivacyLabel `json:"label"`             // of the running build
	Release *manifests.Release     `json:"release,omitempty"` // as the engineers signed it; nil: they do not
	Hold    *rollout.Hold          `json:"hold,omitempty"`    // why it would not be installed
}
