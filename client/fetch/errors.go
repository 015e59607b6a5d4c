package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The answers on which callers branch.
var (
	// ErrNotFound is 404, and 403, which S3 gives for a file that is not there.
	ErrNotFound = errors.New("not there")
	// ErrTooLarge is a body beyond what the caller allows, or without an end.
	ErrTooLarge = errors.New("body is too large")
	// ErrWrongLength is a file of another length than the signed one.
	ErrWrongLength = errors.New("file has the wrong length")
	// ErrStalled is a body that came more slowly than the least rate.
	ErrStalled = errors.New("body stalled")
	// ErrWebPage is a web page where JSON belongs.
	ErrWebPage = errors.New("a web page came instead of JSON; is this network waiting for a login (captive portal)?")
	// ErrRangeIgnored is an answer with the whole file to a request for its
	// rest. Going on costs the first part once more; the caller decides.
	ErrRangeIgnored = errors.New("the server sends the whole file instead of the rest")
	// ErrRedirect is a redirect from https to http, or one too many.
	ErrRedirect = errors.New("redirect refused")
	// ErrNoMirror says that every mirror sent bad bytes three times.
	ErrNoMirror = errors.New("every mirror sent bad bytes; nothing more is fetched until the next poll")
)

// StatusError is an answer with a status that means failure.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.Code, http.StatusText(e.Code))
}

// BusyError is a server that asked to be left alone until a moment.
type BusyError struct{ Until time.Time }

func (e *BusyError) Error() string {
	return "the server asks to come back after " + e.Until.UTC().Format(time.RFC3339)
}

// verdict says what a failure means for further attempts.
type verdict int

const (
	transient verdict = iota // may go away: try other mirrors, then again
	elsewhere                // will not go away here: try other mirrors
	final                    // an answer
)

func judge(err error) verdict {
	var status *StatusError
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrTooLarge), errors.Is(err, ErrWrongLength),
		errors.Is(err, ErrWebPage), errors.Is(err, ErrRangeIgnored), errors.Is(err, ErrRedirect):
		return elsewhere
	case errors.As(err, &status):
		if status.Code >= 500 || status.Code == http.StatusTooManyRequests || status.Code == http.StatusRequestTimeout {
			return transient
		}
		return elsewhere
	}
	return transient
}
