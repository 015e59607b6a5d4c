package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/events"
	"github.com/candor-ota/candor/server/live"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/votes"
	"github.com/candor-ota/candor/server/watch"
)

// refusal is an answer decided in this package.
type refusal struct{ code, detail, field string }

func (r *refusal) Error() string { return r.code + ": " + r.detail }

var (
	errNoRoute  = &refusal{code: contract.CodeNotFound, detail: "there is no such route"}
	errTooLarge = &refusal{code: contract.CodeTooLarge, detail: "the body is larger than this route takes"}
)

// statuses gives each code its status; others are 422.
var statuses = map[string]int{
	contract.CodeBadRequest: http.StatusBadRequest, contract.CodeUnauthorized: http.StatusUnauthorized,
	contract.CodeForbidden: http.StatusForbidden, contract.CodeNotFound: http.StatusNotFound,
	contract.CodeConflict: http.StatusConflict, contract.CodeStale: http.StatusPreconditionFailed,
	contract.CodeTooLarge: http.StatusRequestEntityTooLarge, contract.CodeBusy: http.StatusServiceUnavailable,
	contract.CodeInternal: http.StatusInternalServerError, contract.CodeWrongOffset: http.StatusConflict,
	contract.CodeReasonNeeded: http.StatusBadRequest, contract.CodePace: http.StatusConflict,
	contract.CodeSoaking: http.StatusConflict, contract.CodeVotesNeeded: http.StatusConflict,
	contract.CodeBadCredential: http.StatusForbidden, contract.CodeNotEnrolled: http.StatusForbidden,
	contract.CodeTooYoung: http.StatusForbidden, contract.CodeBatchFull: http.StatusTooManyRequests,
	contract.CodeBatchRevoked: http.StatusForbidden, contract.CodeAlreadyIssued: http.StatusConflict,
	contract.CodeBadElement: http.StatusBadRequest, contract.CodeBadToken: http.StatusForbidden,
	contract.CodeAlreadyVoted: http.StatusConflict, contract.CodeVotingClosed: http.StatusGone,
	contract.CodeRateLimited: http.StatusTooManyRequests, contract.CodeNoGrant: http.StatusForbidden,
	contract.CodeSignInFailed: http.StatusForbidden, contract.CodeForeignRequest: http.StatusForbidden,
	contract.CodeScheduled: http.StatusConflict, contract.CodeUndecided: http.StatusConflict,
	contract.CodeManual: http.StatusConflict, contract.CodeApprovalNeeded: http.StatusConflict,
	contract.CodeOwnRequest: http.StatusForbidden, contract.CodeBreakGlass: http.StatusForbidden,
	contract.CodeEventSuperseded: http.StatusConflict, contract.CodeEventIncomplete: http.StatusConflict,
	contract.CodeEventClosed:   http.StatusConflict,
	contract.CodeClock:         http.StatusConflict,
	contract.CodeTooSlow:       http.StatusRequestTimeout,
	contract.CodeHTTPVersion:   http.StatusHTTPVersionNotSupported,
	contract.CodeInProgress:    http.StatusConflict,
	contract.CodeNotConfigured: http.StatusServiceUnavailable, contract.CodeKeyRetired: http.StatusConflict,
}

// titles are the same for every problem of a code.
func title(status int) string { return http.StatusText(status) }

// refusalOf finds what an error means to the caller; nil if it is our fault.
func refusalOf(err error) *refusal {
	var (
		own     *refusal
		vote    *votes.Error
		change  *rollout.Refusal
		signed  *release.Refusal
		open    *events.Refusal
		missing *release.MissingBlob
		field   *strict.FieldError
		many    *auth.TooManyError
		busy    *overload.BusyError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &many):
		return &refusal{code: contract.CodeRateLimited, detail: many.Error()}
	case errors.As(err, &busy):
		return &refusal{code: contract.CodeBusy, detail: busy.Error()}
	case errors.As(err, &vote):
		return &refusal{code: vote.Code, detail: vote.Detail}
	case errors.As(err, &change):
		return &refusal{code: change.Code, detail: change.Detail}
	case errors.As(err, &open):
		return &refusal{code: open.Code, detail: open.Detail}
	case errors.As(err, &signed):
		return &refusal{code: contract.CodeNotVerified, detail: signed.Error(), field: signed.Field}
	case errors.As(err, &missing):
		return &refusal{code: contract.CodeMissingBlob, detail: missing.Error(), field: missing.Path}
	case errors.As(err, &field):
		return &refusal{code: contract.CodeBadRequest, detail: field.Error(), field: field.Path}
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			return &refusal{code: known.code, detail: known.detail}
		}
	}
	return nil
}

var sentinels = []struct {
	err          error
	code, detail string
}{
	{rollout.ErrUnpublished, contract.CodeBusy, rollout.ErrUnpublished.Error()},
	{auth.ErrUnauthorized, contract.CodeUnauthorized, auth.ErrUnauthorized.Error()},
	{auth.ErrForbidden, contract.CodeForbidden, auth.ErrForbidden.Error()},
	{auth.ErrForeign, contract.CodeForeignRequest, auth.ErrForeign.Error()},
	{auth.ErrNoOrigin, contract.CodeForeignRequest, auth.ErrNoOrigin.Error()},
	{auth.ErrSignInOff, contract.CodeNotFound, auth.ErrSignInOff.Error()},
	{auth.ErrNoGrant, contract.CodeNoGrant, auth.ErrNoGrant.Error()},
	{auth.ErrSignInFailed, contract.CodeSignInFailed, auth.ErrSignInFailed.Error()},
	{auth.ErrProviderDown, contract.CodeBusy, auth.ErrProviderDown.Error()},
	{release.ErrWrongOffset, contract.CodeWrongOffset, release.ErrWrongOffset.Error()},
	{release.ErrWrongHash, contract.CodeWrongHash, release.ErrWrongHash.Error()},
	{release.ErrTooMany, contract.CodeBusy, release.ErrTooMany.Error()},
	{release.ErrTooLarge, contract.CodeTooLarge, release.ErrTooLarge.Error()},
	{watch.ErrNoProduct, contract.CodeNotFound, watch.ErrNoProduct.Error()},
	{watch.ErrFull, contract.CodeBusy, watch.ErrFull.Error()},
	{watch.ErrAddressFull, contract.CodeBusy, watch.ErrAddressFull.Error()},
	{watch.ErrClosed, contract.CodeBusy, watch.ErrClosed.Error()},
	{live.ErrClosed, contract.CodeBusy, live.ErrClosed.Error()},
	{watch.ErrVersion, contract.CodeHTTPVersion, watch.ErrVersion.Error()},
	{publish.ErrNotConfigured, contract.CodeNotConfigured, publish.ErrNotConfigured.Error()},
	{store.ErrNotFound, contract.CodeNotFound, "there is no such thing"},
	{store.ErrBusy, contract.CodeBusy, "too much is waiting to be written; try again"},
	{store.ErrUnavailable, contract.CodeBusy, "the ledger's database is not available; try again"},
	{store.ErrStale, contract.CodeBusy, "somebody else is publishing; try again"},
	{store.ErrConflict, contract.CodeBusy, "somebody else is publishing; try again"},
}

// fail answers with a problem and ends the request. What is our fault is
// logged, and only said to be so.
func (a *API) fail(c *gin.Context, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errTooLarge
	}
	r := refusalOf(err)
	if r == nil {
		a.Log.Error("request failed", "route", c.FullPath(), "request", request(c), "error", err)
		r = &refusal{code: contract.CodeInternal, detail: "the server failed; its log has the reason"}
	} else if errors.Is(err, rollout.ErrUnpublished) {
		a.Log.Error("a rollout is changed but not published yet", "request", request(c), "error", err)
	} else if errors.Is(err, store.ErrUnavailable) && a.outage.due(time.Now()) {
		a.Log.Error("the ledger is not available", "route", c.FullPath(), "request", request(c), "error", err)
	}
	status, ok := statuses[r.code]
	if !ok {
		status = http.StatusUnprocessableEntity
	}
	if wantsPlain(c) {
		if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
			c.Header("Retry-After", retryAfter(err))
		}
		a.failPlain(c, status, r)
		return
	}
	p := contract.Problem{Type: "about:blank", Title: title(status), Status: status, Code: r.code}
	if r.detail != "" {
		p.Detail = &r.detail
	}
	if r.field != "" {
		p.Field = &r.field
	}
	body, failed := json.Marshal(p)
	if failed != nil {
		a.Log.Error("encode problem", "error", failed)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		c.Header("Retry-After", retryAfter(err))
	}
	if status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", "Bearer")
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/problem+json", body)
	c.Abort()
}

// recovered turns a panic into a problem; the log gets the stack, no request.
func (a *API) recovered(c *gin.Context) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			a.Log.Error("panic", "route", c.FullPath(), "request", request(c), "panic", p, "stack", string(debug.Stack()))
			a.fail(c, errors.New("panic"))
		}
	}()
	c.Next()
}
