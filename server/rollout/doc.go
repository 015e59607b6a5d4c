// Package rollout walks releases through the stages of their plans, and says
// what the rollouts documents hold.
//
// Parties. An operator writes a plan and proposes it; where a stage is wider
// than one person may open, somebody else approves it. From the start on the
// engine looks after it: it judges the votes (package verdict), goes on to the
// next stage on a pass, halts on proof of harm, and otherwise waits and says
// for what. People may pause, halt, go ahead of a verdict with a reason, and,
// as admins, break the glass. The engineers' signed pace bounds every stage;
// the handset enforces it too, so nobody here can widen past it.
//
// The machine. Each state has a file of its name (state_*.go): what people may
// do there (Rollout.Apply) and what the engine does by itself (Next). Both are
// pure; time, votes and people come in as Facts and Evidence. Before handsets
// hear of a rollout: draft, proposed, approved. Then: scheduled, active, held,
// halted, complete; and for good: superseded, abandoned. A share never
// shrinks. A newer build that opens supersedes older ones of the same channel
// and audience, but a complete one only once the newer is complete: until then
// it is the fix that late handsets get. A halted rollout stays in the document
// as a signed tombstone for as long as its release is signed; two people may
// resume it, and only later votes are judged then.
//
// The runner (Engine.Tick) holds a lease, so that one process decides, and
// writes every decision with the numbers behind it into the audit log, in the
// transaction that makes it. Who loses the lease half-way is stopped by the
// rollout's version.
//
// Failure. Refusals are *Refusal with a code of package api. A change is one
// transaction with its audit entry; if publishing fails afterwards the error
// is ErrUnpublished, the change stands, and the publisher repeats by itself.
// While the clock stands before what is recorded nothing is widened; halts
// still work.
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
