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

// Action is what somebody asks for.
type Action string

// The actions.
const (
	Propose Action = "propose" // a draft: ask the others
	Approve Action = "approve" // stages, or the resumption, that somebody else asked for
	Reject  Action = "reject"  // back to a draft
	Start   Action = "start"
	Pause   Action = "pause"
	Resume  Action = "resume" // a paused one; a halted one with a second person
	Advance Action = "advance"
	Halt    Action = "halt"
	Abandon Action = "abandon" // before handsets heard of it
)

// Actions are all of them.
var Actions = []Action{Propose, Approve, Reject, Start, Pause, Resume, Advance, Halt, Abandon}

// Facts are what an action of a person is judged by.
type Facts struct {
	Evidence
	Now    time.Time
	By     Person
	Reason string
	// UpTo is the last stage of an approval, counted from 0; nil: the last.
	UpTo *int
	// BreakGlass asks to go past people, soak and votes; the caller has made
	// sure that By may.
	BreakGlass bool
}

// needsReason are the actions for which a person must say why.
var needsReason = []Action{Pause, Resume, Halt, Reject, Abandon}

// Apply gives the rollout after an action of a person, or refuses it. It is
// pure. An action that has nothing left to do gives the rollout as it is.
func (r Rollout) Apply(a Action, f Facts) (Rollout, error) {
	if !slices.Contains(Actions, a) {
		return r, refuse(api.CodeBadRequest, "%q is not an action", a)
	}
	s, ok := states[r.State]
	if !ok {
		return r, refuse(api.CodeConflict, "the rollout is %s; nothing can be done about it", r.State)
	}
	if slices.Contains(s.done, a) {
		return r, nil
	}
	do, ok := s.actions[a]
	if !ok {
		return r, refuse(api.CodeConflict, "the rollout is %s; %s is for one that is %s", r.State, a, statesFor(a))
	}
	if err := checkReason(slices.Contains(needsReason, a) || f.BreakGlass, f.Reason); err != nil {
		return r, err
	}
	r.Approvals, r.BreakGlass = slices.Clone(r.Approvals), slices.Clone(r.BreakGlass)
	before, stage := r.State, r.Stage
	err := do(&r, f)
	if err == nil {
		if r.State != before || r.Stage != stage { // an approval does not overwrite why it was halted
			r.Reason = f.Reason
		}
		if f.BreakGlass {
			r.BreakGlass = append(r.BreakGlass, Override{Person: f.By, At: manifests.At(f.Now), Why: f.Reason, Action: a, Stage: stage})
		}
	}
	return r, err
}

// statesFor names the states in which an action is for something.
func statesFor(a Action) string {
	var words []string
	for _, name := range order {
		if _, ok := states[name].actions[a]; ok {
			words = append(words, string(name))
		}
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

// state is one state of the machine; each has a file of its name.
type state struct {
	// actions of people, by name.
	actions map[Action]func(*Rollout, Facts) error
	// done are the actions that have nothing left to do here.
	done []Action
	// next is what the engine does.
	next func(*Rollout, Evidence, time.Time) Decision
}

// order is the order in which states are named.
var order = []policy.State{Draft, Proposed, Approved, policy.Scheduled, policy.Active, policy.Held, policy.Halted, policy.Complete}

var states map[policy.State]state

func init() {
	states = map[policy.State]state{
		Draft: draft, Proposed: proposed, Approved: approved, policy.Scheduled: scheduled,
		policy.Active: active, policy.Held: held, policy.Halted: halted, policy.Complete: complete,
	}
}

// blocked gives the first wait as a refusal, nil if there is none.
func blocked(waits []Wait) error {
	if len(waits) == 0 {
		return nil
	}
	return &Refusal{Code: waits[0].Code, Detail: waits[0].Sentence}
}

// without leaves out the waits of the codes given.
func without(waits []Wait, codes ...string) []Wait {
	return slices.DeleteFunc(slices.Clone(waits), func(w Wait) bool { return slices.Contains(codes, w.Code) })
}

// approve records the word of somebody else than those who asked.
func approve(r *Rollout, f Facts) error {
	upTo := r.last()
	if f.UpTo != nil {
		upTo = *f.UpTo
	}
	switch {
	case upTo < r.Stage || upTo > r.last():
		return refuse(api.CodeBadRequest, "there is no stage %d to approve; the plan has %d and is in stage %d", upTo+1, len(r.Plan.Stages), r.Stage+1)
	case f.By.ID == r.Proposer.ID || f.By.ID == r.Author.ID:
		return refuse(api.CodeOwnRequest, "%s wrote or proposed it; somebody else has to approve it", f.By.Name)
	}
	for i := range r.Approvals {
		if r.Approvals[i].ID != f.By.ID {
			continue
		}
		if r.Approvals[i].UpTo >= upTo {
			return refuse(api.CodeOwnRequest, "%s approved it already; one person counts once", f.By.Name)
		}
		r.Approvals[i].UpTo, r.Approvals[i].At, r.Approvals[i].Why = upTo, manifests.At(f.Now), f.Reason
		return nil
	}
	r.Approvals = append(r.Approvals, Approval{Person: f.By, At: manifests.At(f.Now), Why: f.Reason, UpTo: upTo})
	return nil
}

// propose puts a draft before the others; where nobody else is needed it is
// approved at once.
func propose(r *Rollout, f Facts) error {
	r.Proposer, r.State = f.By, Proposed
	if r.Missing(0, f.ApprovalShare) == 0 || f.BreakGlass {
		r.State = Approved
	}
	return nil
}

func reject(r *Rollout, _ Facts) error {
	r.Proposer, r.Approvals, r.State = Person{}, nil, Draft
	return nil
}

func abandon(r *Rollout, _ Facts) error {
	r.State = policy.Abandoned
	return nil
}

func halt(r *Rollout, f Facts) error {
	r.State, r.HaltedAt, r.Resume = policy.Halted, manifests.At(f.Now), nil
	return nil
}

// enter opens a stage.
func enter(r *Rollout, stage int, now time.Time) {
	r.State, r.Stage, r.StageSince = policy.Active, stage, manifests.At(now)
}
