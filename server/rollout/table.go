package rollout

import (
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Draft is the state before a rollout starts; all others are those that
// handsets see.
const Draft policy.State = "draft"

// Action is what an operator asks for.
type Action string

// The actions.
const (
	Start   Action = "start"
	Pause   Action = "pause"
	Resume  Action = "resume"
	Advance Action = "advance"
	Halt    Action = "halt"
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
	Agreed     []string         `json:"agreed,omitempty"` // to enter the next stage

	Version  int64     `json:"-"` // for If-Match
	Sequence int64     `json:"-"`
	Created  time.Time `json:"-"`
	Changed  time.Time `json:"-"`
}

// Share is what is open now; nothing before the start.
func (r *Rollout) Share() manifests.SharePPM {
	if r.State == Draft || r.State == policy.Abandoned {
		return 0
	}
	return r.Plan.Stages[r.Stage].Share
}

// Live tells whether the rollout still does something.
func (r *Rollout) Live() bool {
	return r.State == policy.Active || r.State == policy.Held || r.State == policy.Complete
}

// Facts are what a change is judged by.
type Facts struct {
	Now     time.Time
	By      string // the person
	Reason  string
	Release *manifests.Release // nil if it is withdrawn
	Trials  int64              // votes of class trial
}

// transition is one row of the table.
type transition struct {
	from   []policy.State
	reason bool
	apply  func(*Rollout, Facts) error
	done   []policy.State // where the action has nothing left to do
}

var table = map[Action]transition{
	Start:   {from: []policy.State{Draft}, apply: start},
	Pause:   {from: []policy.State{policy.Active}, done: []policy.State{policy.Held}, reason: true, apply: pause},
	Resume:  {from: []policy.State{policy.Held}, reason: true, apply: resume},
	Advance: {from: []policy.State{policy.Active}, apply: advance},
	Halt: {
		from: []policy.State{Draft, policy.Active, policy.Held, policy.Complete}, done: []policy.State{policy.Halted, policy.Abandoned},
		reason: true, apply: halt,
	},
}

// Apply gives the rollout after an action, or refuses it. It is pure. An
// action that has nothing left to do gives the rollout as it is.
func (r Rollout) Apply(a Action, f Facts) (Rollout, error) {
	t, ok := table[a]
	if !ok {
		return r, refuse(api.CodeBadRequest, "%q is not an action", a)
	}
	if slices.Contains(t.done, r.State) {
		return r, nil
	}
	if !slices.Contains(t.from, r.State) {
		return r, refuse(api.CodeConflict, "the rollout is %s; %s is for one that is %s", r.State, a, join(t.from))
	}
	if err := checkReason(t.reason, f.Reason); err != nil {
		return r, err
	}
	r.Agreed = slices.Clone(r.Agreed)
	r.Reason = f.Reason
	return r, t.apply(&r, f)
}

func join(states []policy.State) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, " or ")
}

const maxReason = 500

func checkReason(needed bool, reason string) error {
	switch {
	case needed && strings.TrimSpace(reason) == "":
		return refuse(api.CodeReasonNeeded, "say why; handsets' owners and colleagues read it")
	case len(reason) > maxReason:
		return refuse(api.CodeBadRequest, "the reason is longer than %d bytes", maxReason)
	}
	if err := strict.CheckText("reason", reason); err != nil {
		return refuse(api.CodeBadRequest, "%v", err)
	}
	return nil
}

func start(r *Rollout, f Facts) error {
	entered, err := r.enter(0, f)
	if entered {
		r.State = policy.Active
	}
	return err
}

func pause(r *Rollout, _ Facts) error {
	r.State = policy.Held
	return nil
}

// resume begins the stage's soak anew: while it was held nothing was learnt.
func resume(r *Rollout, f Facts) error {
	if f.Release == nil {
		return withdrawn(r)
	}
	r.State, r.StageSince = policy.Active, manifests.At(f.Now)
	return nil
}

func halt(r *Rollout, _ Facts) error {
	if r.State == Draft {
		r.State = policy.Abandoned
		return nil
	}
	r.State = policy.Halted
	return nil
}

// advance leaves the stage: soaked, heard of by enough handsets, and then
// within the pace and with enough people for the next one.
func advance(r *Rollout, f Facts) error {
	s := r.Plan.Stages[r.Stage]
	if until := r.StageSince.Add(s.Soak.Duration); f.Now.Before(until) {
		return refuse(api.CodeSoaking, "stage %d soaks until %s", r.Stage, manifests.At(until))
	}
	if f.Trials < int64(s.MinVotes) {
		return refuse(api.CodeVotesNeeded, "%d trials were counted; stage %d needs %d", f.Trials, r.Stage, s.MinVotes)
	}
	if r.Stage == len(r.Plan.Stages)-1 {
		r.State = policy.Complete
		return nil
	}
	_, err := r.enter(r.Stage+1, f)
	return err
}

// enter opens a stage, if the signed pace allows its share. Where the stage
// asks for several people the last of them opens it.
func (r *Rollout) enter(stage int, f Facts) (bool, error) {
	if f.Release == nil {
		return false, withdrawn(r)
	}
	next := r.Plan.Stages[stage]
	if f.Now.After(f.Release.OfferUntil.Time) {
		return false, refuse(api.CodeConflict, "build %d was to be offered until %s; handsets refuse it now", f.Release.Build, f.Release.OfferUntil)
	}
	if allowed := f.Release.ShareAfter(f.Now.Sub(f.Release.NotBefore.Time)); next.Share > allowed {
		return false, refuse(api.CodePace, "the engineers signed a pace that reaches %s from %s on; it is %s now", next.Share, paceReaches(f.Release, next.Share), allowed)
	}
	if !slices.Contains(r.Agreed, f.By) {
		r.Agreed = append(r.Agreed, f.By)
	}
	if len(r.Agreed) < int(next.Approvals) {
		return false, nil
	}
	r.Stage, r.StageSince, r.Agreed = stage, manifests.At(f.Now), nil
	return true, nil
}

func withdrawn(r *Rollout) error {
	return refuse(api.CodeConflict, "the engineers no longer sign build %d", r.Plan.Build)
}

func paceReaches(release *manifests.Release, share manifests.SharePPM) string {
	for _, s := range release.Pace {
		if s.MaxShare >= share {
			return manifests.At(release.NotBefore.Add(s.After.Duration)).String()
		}
	}
	return "no time"
}
