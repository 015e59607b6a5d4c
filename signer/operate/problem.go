package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
)

// Refusal is an answer other than the one that was asked for.
type Refusal struct {
	Status int
	Code   string        // of package api; empty when the answer was no problem of Candor's
	Text   string        // the server's sentence, with the field that it is about
	After  time.Duration // to wait before trying again; 0: not said
	About  string        // the rollout or event that it is about; may be empty
	event  bool          // it is about an event
}

func (r *Refusal) Error() string {
	if r.Code == "" {
		return fmt.Sprintf("the server refused it (%d): %s", r.Status, r.Text)
	}
	return fmt.Sprintf("the server refused it: %s [%s]", r.Text, r.Code)
}

// refusalOf turns a problem (RFC 9457), or any other answer, into an error.
func refusalOf(status int, header http.Header, body []byte) *Refusal {
	r := &Refusal{Status: status, Text: http.StatusText(status)}
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
		r.After = time.Duration(seconds) * time.Second
	}
	var p api.Problem
	if json.Unmarshal(body, &p) != nil || p.Title == "" {
		return r
	}
	r.Code, r.Text = p.Code, p.Title
	if p.Detail != nil && *p.Detail != "" {
		r.Text = *p.Detail
	}
	if p.Field != nil && *p.Field != "" {
		r.Text = *p.Field + ": " + r.Text
	}
	return r
}

// passing tells whether the same request may be answered otherwise in a moment.
func (r *Refusal) passing() bool {
	return r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Code == api.CodeInProgress
}

// waiting are the codes of steps that come too early, that the votes do not
// carry yet, or that need the word of somebody else.
var waiting = []string{
	api.CodeSoaking, api.CodeVotesNeeded, api.CodePace, api.CodeScheduled, api.CodeUndecided, api.CodeManual,
	api.CodeApprovalNeeded, api.CodeOwnRequest,
}

// Waits tells whether the step was refused only because something is still to
// come: time, votes or another person.
func (r *Refusal) Waits() bool { return slices.Contains(waiting, r.Code) }

// advice says what to do about a code.
var advice = map[string]string{
	api.CodeUnauthorized:        "check the token file; `candor-server token new` makes a new token",
	api.CodeForbidden:           "use the token of somebody with the right, or have an admin grant it",
	api.CodeNoGrant:             "have an admin grant your group a role",
	api.CodeNotFound:            "`candor-signer rollout list` shows the rollouts; a build has to be submitted first",
	api.CodeConflict:            "`candor-signer rollout show ID` says where it stands",
	api.CodeStale:               "somebody changed it, perhaps you yourself: look with `candor-signer rollout show ID`, then repeat with its version",
	api.CodeReasonNeeded:        `repeat with --reason "…"`,
	api.CodePace:                "wait; only a release that is signed anew with a faster pace is earlier",
	api.CodeSoaking:             "wait (`candor-signer rollout watch ID` shows how long), or have an admin go ahead with --break-glass --reason",
	api.CodeVotesNeeded:         "wait for votes (`candor-signer rollout watch ID`), or have an admin go ahead with --break-glass --reason",
	api.CodeScheduled:           "wait; it begins by itself",
	api.CodeUndecided:           "wait for votes; with --reason you may go ahead of the verdict, nobody goes against it",
	api.CodeManual:              "somebody has to say `candor-signer rollout advance ID`",
	api.CodeApprovalNeeded:      "have somebody else say `candor-signer rollout approve ID`",
	api.CodeOwnRequest:          "have somebody else do it, with a token of their own",
	api.CodeClock:               "have the server's clock set right",
	api.CodeBreakGlass:          "have an admin do it, and say why with --reason",
	api.CodeNotConfigured:       "publish the first root (`candor-signer event publish`)",
	api.CodeRateLimited:         "wait, then try again",
	api.CodeBusy:                "try again in a moment",
	api.CodeInternal:            "the server's log says more; try again",
	api.CodeInProgress:          "look with `candor-signer rollout show ID`; it is still being done",
	api.CodeIdempotencyMismatch: "run the command again",
}

// Next says what to do now; empty if the refusal says all.
func (r *Refusal) Next() string {
	next := advice[r.Code]
	if words, ok := eventAdvice[r.Code]; ok && (r.event || next == "") {
		next = words
	}
	if r.About == "" {
		return next
	}
	return strings.ReplaceAll(next, " ID", " "+r.About)
}

// about notes in a refusal which rollout it is about.
func about(id manifests.Name, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.About = string(id)
	}
	return err
}
