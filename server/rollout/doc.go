// Package rollout walks releases through the stages of their plans, and says
// what the rollouts documents hold.
//
// Parties. An operator makes a draft of a plan and starts, pauses, resumes,
// advances or halts it; a stage may ask for several people. The engineers'
// signed pace bounds every stage (the handset enforces it too). The ledger
// keeps each rollout with a version; the publisher asks Engine.Rollouts for
// the documents, so what is published always follows the ledger.
//
// States (table.go): draft, active, held, complete; and for good: halted,
// superseded, abandoned. Halting needs one person and no confirmation. A share
// never shrinks. A newer build that starts supersedes older ones of the same
// channel and audience, but a complete one only once the newer is complete:
// until then it is the fix that late handsets get. A halted rollout stays in
// the document as a signed tombstone for as long as its release is signed.
//
// Failure. Refusals are *Refusal with a code of package api. A change is one
// transaction with its audit entry; if publishing fails afterwards the error
// is ErrUnpublished, the change stands, and the publisher repeats by itself.
package rollout

import (
	"errors"
	"fmt"
)

// Refusal says why a change is not made: a code of package api and a sentence.
type Refusal struct {
	Code   string
	Detail string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// ErrUnpublished means that a change is recorded but not published yet.
var ErrUnpublished = errors.New("the change is recorded and will be published as soon as that works")
