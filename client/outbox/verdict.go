package outbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests/api"
)

// codeKeyRetired: the key set of the token is no longer in use; a token of the
// other set may still be asked for (AMENDMENTS C3).
const codeKeyRetired = "key-retired"

// final are the refusals that will be the same however often one asks.
var final = []string{
	api.CodeBadRequest, api.CodeForbidden, api.CodeNotFound, api.CodeConflict, api.CodeTooLarge,
	api.CodeBadCredential, api.CodeBatchRevoked, api.CodeAlreadyIssued, api.CodeBadElement,
	api.CodeBadToken, api.CodeAlreadyVoted, api.CodeVotingClosed,
}

// verdict tells whether a failure is the service's last word, and gives it.
func verdict(err error) (reason string, isFinal bool) {
	var p *Problem
	if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || !slices.Contains(final, p.Code) {
		return "", false
	}
	return fmt.Sprintf("%s: %s", p.Code, p.Detail), true
}

func hasCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

// aboutService tells whether a failure is nobody's in particular, so that
// nothing else need be tried now either.
func aboutService(err error) bool {
	var p *Problem
	return !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || p.Code == api.CodeBusy
}

// backoff gives the wait after one more failure: at random up to a bound that
// doubles (full jitter, but for a tenth), and never less than the service asked for.
func (o *Outbox) backoff(before wait, err error) wait {
	bound := min(o.options.Retry<<min(before.Failures, 16), maxRetry)
	rest := bound/10 + min(max(o.options.Delay(bound-bound/10), 0), bound-bound/10)
	var p *Problem
	var s *strayError
	var asked time.Duration
	switch {
	case errors.As(err, &p):
		asked = p.After
	case errors.As(err, &s):
		asked = s.after
	}
	return wait{Failures: before.Failures + 1, Until: o.now().Add(asked + rest).UnixMilli()}
}
