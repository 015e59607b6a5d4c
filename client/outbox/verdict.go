package outbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The service's codes that are branched on, as manifests/api has them. They are
// never renamed; importing them would link the whole generated client.
const (
	codeBusy        = "busy"
	codeNotEnrolled = "not-enrolled"
	codeTooYoung    = "too-young"
	codeRetired     = "key-retired"
)

// final are the refusals that will be the same however often one asks.
//
// key-retired is among them, although the release signs a spare key: a service
// that could send one handset to the spare key by its word alone would have
// that handset's votes to itself. The switch has to be signed where all
// handsets see it; UseSpare then takes up what was refused with it.
var final = []string{
	"bad-request", "forbidden", "not-found", "conflict", "too-large",
	"bad-credential", "batch-revoked", "already-issued", "bad-element",
	"bad-token", "already-voted", "voting-closed", codeRetired,
}

// youngWait is the least time after which a device key that was too young is
// shown again.
const youngWait = time.Hour

// verdict tells whether a failure is the service's last word, and gives it.
func verdict(err error) (reason string, isFinal bool) {
	var p *Problem
	if !errors.As(err, &p) || !p.last() || !slices.Contains(final, p.Code) {
		return "", false
	}
	return fmt.Sprintf("%s: %s", p.Code, p.Detail), true
}

// last tells whether a refusal can be meant for good: trouble of the service
// and too much at once are not, whatever the code.
func (p *Problem) last() bool {
	return p.Status < http.StatusInternalServerError && p.Status != http.StatusTooManyRequests
}

func hasCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

// aboutService tells whether a failure is nobody's in particular, so that
// nothing else need be tried now either.
func aboutService(err error) bool {
	var p *Problem
	return !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || p.Code == codeBusy
}

// backoff gives the wait after one more failure: at random up to a bound that
// doubles (full jitter, but for a tenth), and never less than the service asked for.
func (o *Outbox) backoff(before wait, err error) wait {
	most := maxRetry
	if o.identity.ByName {
		most = maxUrgent
	}
	bound := min(o.options.Retry<<min(before.Failures, 16), most)
	rest := bound/10 + min(max(o.options.Delay(bound-bound/10), 0), bound-bound/10)
	var p *Problem
	var s *strayError
	var asked time.Duration
	switch {
	case errors.As(err, &p):
		asked = p.After
		if p.Code == codeTooYoung {
			asked = max(asked, youngWait)
		}
	case errors.As(err, &s):
		asked = s.after
	}
	return wait{Failures: before.Failures + 1, Until: o.now().Add(asked + rest).UnixMilli()}
}
