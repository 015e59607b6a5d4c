package rollout

import (
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// The states before handsets hear of a rollout; all others are those that
// they see.
const (
	Draft    policy.State = "draft"    // its author still edits it
	Proposed policy.State = "proposed" // waits for other people
	Approved policy.State = "approved" // may be started
)

// Rollout is one rollout as the ledger keeps it.
type Rollout struct {
	ID         manifests.Name   `json:"-"`
	Plan       policy.Plan      `json:"plan"`
	Release    policy.Reference `json:"release"`
	State      policy.State     `json:"state"`
	Stage      int              `json:"stage"`
	StageSince manifests.Time   `json:"stageSince"` // zero: not started
	Reason     string           `json:"reason,omitempty"`

	Author    Person     `json:"author,omitzero"`   // who wrote the plan last
	Proposer  Person     `json:"proposer,omitzero"` // who asked for it; counts as the first who agrees
	Approvals []Approval `json:"approvals,omitempty"`
	// Resume is the wish of one person to resume a halted rollout.
	Resume *Approval `json:"resume,omitempty"`
	// BreakGlass is every occasion on which an admin went past the rules.
	BreakGlass []Override `json:"breakGlass,omitempty"`
	// Acquitted are the counts at the last resumption after a halt; only what
	// came later is judged.
	Acquitted *verdict.Counts `json:"acquitted,omitempty"`
	// Resumed is when that was; lab reports from before are not judged again.
	Resumed manifests.Time `json:"resumed,omitzero"`
	// HaltedAt is when it was halted, for the halt bound.
	HaltedAt manifests.Time `json:"haltedAt,omitzero"`

	// Made are the last changes that had a key, the newest last.
	Made []Keyed `json:"made,omitempty"`

	Version  int64     `json:"-"` // for If-Match
	Sequence int64     `json:"-"`
	Created  time.Time `json:"-"`
	Changed  time.Time `json:"-"`
}

// Person is somebody who acts: ID tells two people apart, Name is for reading.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Approval is the word of one person for the stages up to one of them.
type Approval struct {
	Person
	At   manifests.Time `json:"at"`
	Why  string         `json:"why,omitempty"`
	UpTo int            `json:"upTo"`
}

// Override is one use of the break-glass right.
type Override struct {
	Person
	At     manifests.Time `json:"at"`
	Why    string         `json:"why"`
	Action Action         `json:"action"`
	Stage  int            `json:"stage"`
}

// Share is what is open now; nothing before the start.
func (r *Rollout) Share() manifests.SharePPM {
	switch r.State {
	case Draft, Proposed, Approved, policy.Scheduled, policy.Abandoned:
		return 0
	}
	return r.Plan.Stages[r.Stage].Share
}

// The states of rollouts that the engine has to do with: few at a time, however
// many there have been.
var (
	liveStates      = []policy.State{policy.Scheduled, policy.Active, policy.Held, policy.Complete}
	unstartedStates = []policy.State{Draft, Proposed, Approved}
	haltedState     = []policy.State{policy.Halted}
)

// Live tells whether handsets hear of the rollout and it may still do
// something.
func (r *Rollout) Live() bool { return slices.Contains(liveStates, r.State) }

// Unstarted tells whether handsets have never heard of the rollout.
func (r *Rollout) Unstarted() bool { return slices.Contains(unstartedStates, r.State) }

// People gives who stands behind a stage: who proposed the rollout, and who
// approved it that far.
func (r *Rollout) People(stage int) []Person {
	var out []Person
	if r.Proposer.ID != "" {
		out = append(out, r.Proposer)
	}
	for _, a := range r.Approvals {
		if a.UpTo >= stage && !slices.ContainsFunc(out, func(p Person) bool { return p.ID == a.ID }) {
			out = append(out, a.Person)
		}
	}
	return out
}

// Needed is how many people must stand behind a stage: two where its share is
// above the one that a single person may open, more if the plan says so.
func (r *Rollout) Needed(stage int, approvalShare manifests.SharePPM) int {
	s := r.Plan.Stages[stage]
	n := max(1, int(s.Approvals))
	if s.Share > approvalShare {
		n = max(n, 2)
	}
	return n
}

// Missing is how many people's word a stage still lacks.
func (r *Rollout) Missing(stage int, approvalShare manifests.SharePPM) int {
	return max(0, r.Needed(stage, approvalShare)-len(r.People(stage)))
}

// NextStage is the stage that would be opened next.
func (r *Rollout) NextStage() int {
	if r.Unstarted() || r.State == policy.Scheduled {
		return 0
	}
	return r.Stage + 1
}

// last is the number of the last stage.
func (r *Rollout) last() int { return len(r.Plan.Stages) - 1 }

// Keyed is a change that its sender gave a key.
type Keyed struct {
	Key manifests.SHA256 `json:"key"`
	At  manifests.Time   `json:"at"`
}

// Changes are remembered by their keys for as long as answers are kept, and so
// many of one rollout at most.
const (
	madeLife = 24 * time.Hour
	maxMade  = 256
)

// made tells whether the change with a key is in.
func (r *Rollout) made(key manifests.SHA256) bool {
	return !key.IsZero() && slices.ContainsFunc(r.Made, func(k Keyed) bool { return k.Key == key })
}

// note remembers the key of a change in the very write that makes it.
func (r *Rollout) note(key manifests.SHA256, now time.Time) {
	if key.IsZero() {
		return
	}
	made := slices.DeleteFunc(slices.Clone(r.Made), func(k Keyed) bool { return now.Sub(k.At.Time) > madeLife })
	made = append(made, Keyed{Key: key, At: manifests.At(now)})
	r.Made = made[max(0, len(made)-maxMade):]
}
