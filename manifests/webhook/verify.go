package webhook

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a delivery's timestamp may be from the receiver's
// clock, either way.
const Tolerance = 5 * time.Minute

// The refusals.
var (
	// ErrForged: not signed with this secret, or not in this form.
	ErrForged = errors.New("the webhook is not signed with this secret")
	// ErrStale: signed too long ago, or in the future.
	ErrStale = errors.New("the webhook's timestamp is more than five minutes off")
	// ErrReplayed: taken before. Answer with success and do nothing.
	ErrReplayed = errors.New("the webhook was taken before")
)

// Bounds of what is looked at before a signature holds.
const (
	maxID         = 128
	maxSignatures = 8
)

// Seen remembers the deliveries that were taken. Take is false for an id that
// was taken and not given back since; it must answer rightly to many at once.
// Memory is one; a receiver that must not act twice even after a restart keeps
// the ids in its database, in the transaction that acts on them.
type Seen interface {
	Take(id string, now time.Time) bool
	// GiveBack frees an id on which the receiver failed to act, so that the
	// next delivery of it is taken.
	GiveBack(id string)
}

// Verify gives the event of a delivery: signed with the secret, at most
// Tolerance old, not taken before. The body is as it was received, to the
// byte, at most MaxBody long.
func Verify(secret Secret, header http.Header, body []byte, now time.Time, seen Seen) (Event, error) {
	id, timestamp := header.Get(HeaderID), header.Get(HeaderTimestamp)
	if len(secret) < minSecret || id == "" || len(id) > maxID || len(timestamp) > 20 || len(body) > MaxBody {
		return Event{}, ErrForged
	}
	if !signed(header.Get(HeaderSignature), secret.mac(id, timestamp, body)) {
		return Event{}, ErrForged
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return Event{}, ErrForged
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return Event{}, ErrStale
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("webhook %s: %w", id, err)
	}
	if e.ID != id {
		return Event{}, ErrForged
	}
	if !seen.Take(id, now) {
		return Event{}, ErrReplayed
	}
	return e, nil
}

// signed tells whether one of the signatures is the right one.
func signed(header string, mac []byte) bool {
	if len(header) > maxSignatures*64 {
		return false
	}
	for part := range strings.FieldsSeq(header) {
		text, ok := strings.CutPrefix(part, "v1,")
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if ok && err == nil && hmac.Equal(raw, mac) {
			return true
		}
	}
	return false
}
