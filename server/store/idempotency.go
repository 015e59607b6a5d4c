package store

import (
	"context"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Bounds of what is kept about changes that may be repeated.
const (
	// ClaimLife is how long a change may be under way before somebody else may
	// take it up: what a crash in the middle costs.
	ClaimLife = time.Minute
	// AnswerLife is how long an answer is kept, from when its change began.
	AnswerLife = 24 * time.Hour
	// MaxAnswers is how many a person or token may have kept at a time.
	MaxAnswers = 1000
)

// KeyedChange is a change that its sender gave a key, so that repeating it
// makes it once.
type KeyedChange struct {
	Who     string           // person or token
	Key     manifests.SHA256 // of the sender's key
	Request manifests.SHA256 // of all that makes this request what it is
	Claim   string           // unique to this attempt
	Now     time.Time
}

// Answer is what a change was answered with.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Idempotency keeps the answers to changes, for senders that repeat them.
type Idempotency interface {
	// BeginChange claims the key until Now + ClaimLife. If the change was made
	// before, claimed is false and the answer is the one of then; with a status
	// of 0, somebody is still making it. ErrConflict means that the key belongs
	// to another request, ErrFull that Who has MaxAnswers already. Expired
	// answers are forgotten.
	BeginChange(ctx context.Context, c KeyedChange) (was Answer, claimed bool, err error)
	// FinishChange keeps the answer; ErrStale if the claim has passed on.
	FinishChange(ctx context.Context, c KeyedChange, a Answer) error
	// DropChange frees the key of a change that came to nothing. A claim that
	// has passed on is left alone.
	DropChange(ctx context.Context, c KeyedChange) error
}
