package trust

import (
	"errors"
	"fmt"
)

// The kinds of refusal, for callers that branch.
var (
	ErrRollback    = errors.New("replayed older metadata")
	ErrExpired     = errors.New("expired metadata")
	ErrSignature   = errors.New("not signed as required")
	ErrMalformed   = errors.New("malformed metadata")
	ErrMismatch    = errors.New("does not match what vouches for it")
	ErrStaleMirror = errors.New("the mirror is behind")
	ErrUnreachable = errors.New("not reachable")
)

// Refusal says which role or document was refused, why, and what to do.
type Refusal struct {
	Role   string
	Kind   error
	Detail string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s: %s; %s", r.Role, r.Kind, r.Detail, advice[r.Kind])
}

func (r *Refusal) Unwrap() error { return r.Kind }

var advice = map[error]string{
	ErrRollback:    "nothing was changed; if it goes on for a day, tell the maker",
	ErrExpired:     "check this device's clock; if it is right, the maker must sign again",
	ErrSignature:   "nothing was changed; tell the maker",
	ErrMalformed:   "nothing was changed; the network or mirror may be answering in the server's place",
	ErrMismatch:    "nothing was changed; the next poll tries again",
	ErrStaleMirror: "the next poll tries again",
	ErrUnreachable: "the next poll tries again",
}

func refuse(role string, kind error, format string, args ...any) error {
	return &Refusal{Role: role, Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
