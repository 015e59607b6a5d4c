package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

const (
	rescueSoak = time.Hour
	// BadBuild is the failure rate, in parts per million, of the bad build by
	// which a plan is measured.
	BadBuild manifests.SharePPM = 30_000
	// AssumedOptIn is the share of owners who report, where none was given and
	// none was seen.
	AssumedOptIn manifests.SharePPM = 100_000
)

// Question is what a preview is asked about.
type Question struct {
	Plan  *policy.Plan
	Fleet uint64             // handsets that the audience holds
	OptIn manifests.SharePPM // 0: as seen at the release before, or AssumedOptIn
	// Sample is a handset to ask what it would do; nil: none. Its secret does
	// not matter: Position is where it stands.
	Sample   *policy.Handset
	Position manifests.SharePPM
}

// Where an opt-in rate comes from.
const (
	OptInGiven   = "given"
	OptInSeen    = "seen"
	OptInAssumed = "assumed"
)

// Preview is what a plan would do to a fleet.
type Preview struct {
	Stages       []StagePreview
	OptIn        manifests.SharePPM
	OptInSource  string
	Finish       time.Time // at the earliest; zero: the pace never allows it
	Harmed       float64   // handsets, by a build of which BadBuild fails, on average
	HarmedAtMost uint64    // if the whole stage installs before a vote is counted
	Warnings     []string
	Sentence     string
}

// StagePreview is what one stage would do.
type StagePreview struct {
	Stage          policy.Stage
	Handsets       uint64
	Earliest       time.Time // zero: never
	WaitsForPace   bool
	Votes          int64 // to be expected
	VotesToPass    int64 // without a failure
	HandsetsToPass uint64
	Decides        bool
	People         int
	Halted         float64 // chance that the bad build is halted by then
	Sample         *policy.Decision
}

// Preview says what a plan would do if it were started now.
func (e *Engine) Preview(ctx context.Context, q Question) (Preview, error) {
	release, reference, err := e.Live(ctx, vote.Ref{Product: q.Plan.Product, Build: q.Plan.Build})
	if errors.Is(err, store.ErrNotFound) {
		return Preview{}, unsigned(q.Plan.Product, q.Plan.Build)
	}
	if err != nil {
		return Preview{}, err
	}
	if err := q.Plan.CheckAgainst(release); err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err) // names the field
	}
	source := OptInGiven
	if q.OptIn == 0 {
		if q.OptIn, source, err = e.optIn(ctx, q.Plan, q.Fleet); err != nil {
			return Preview{}, err
		}
	}
	p := foresee(q, release, reference, e.Now(), e.ApprovalShare)
	p.OptIn, p.OptInSource = q.OptIn, source
	return p, nil
}

// optIn is what the tokens of the newest release before say of a fleet of this
// size: every handset that reports asks for one, in share or not.
func (e *Engine) optIn(ctx context.Context, plan *policy.Plan, fleet uint64) (manifests.SharePPM, string, error) {
	r := &Rollout{Plan: *plan}
	below, err := e.below(ctx, r)
	if err != nil {
		return 0, "", err
	}
	before, err := e.before(ctx, forerunner(r, below), e.Votes.Shown)
	if err != nil || before == nil || before.Issued == 0 || fleet == 0 {
		return AssumedOptIn, OptInAssumed, err
	}
	seen := float64(before.Issued-before.Revoked) / float64(fleet) * float64(manifests.WholeFleet)
	return manifests.SharePPM(min(max(seen, 1), float64(manifests.WholeFleet))), OptInSeen, nil
}

// foresee is pure.
func foresee(q Question, release *manifests.Release, reference policy.Reference, now time.Time, approvalShare manifests.SharePPM) Preview {
	r := Rollout{ID: "preview", Plan: *q.Plan, Release: reference}
	opens := now
	if s := q.Plan.Start; s != nil && s.After(opens) {
		opens = s.Time
	}
	power := verdict.NewPower(BadBuild, q.Plan.Guard.FailureLimit(), max(minToHalt, release.Votes.MinToHalt), previewVotes)
	var p Preview
	budget := policy.Budget{Fleet: q.Fleet}
	reachable := true
	for i, s := range q.Plan.Stages {
		v := StagePreview{Stage: s, Handsets: budget.Handsets(s.Share), People: r.Needed(i, approvalShare)}
		at, ok := earliest(release, s.Share, opens)
		v.WaitsForPace = at.After(opens)
		if opens, reachable = at, reachable && ok; reachable {
			v.Earliest = opens
		}
		v.Votes = int64(float64(v.Handsets) * part(q.OptIn))
		v.VotesToPass, _ = verdict.VotesToPass(q.Plan.PassLimit(i), 0)
		v.VotesToPass = max(v.VotesToPass, int64(s.MinVotes))
		v.HandsetsToPass = uint64(math.Ceil(float64(v.VotesToPass) / part(q.OptIn)))
		v.Decides = v.Votes >= v.VotesToPass
		v.Halted = power.By(v.Votes)
		if q.Sample != nil {
			v.Sample = q.sample(&r, i, release, opens)
		}
		p.Stages = append(p.Stages, v)
		opens = opens.Add(s.Soak.Duration)
		if !v.Decides {
			p.Warnings = append(p.Warnings, fmt.Sprintf("stage %d is %d handsets, of which about %d report; the test needs %d without a failure, so %d handsets: a person will have to advance it",
				i+1, v.Handsets, v.Votes, v.VotesToPass, v.HandsetsToPass))
		}
		if v.Earliest.IsZero() {
			p.Warnings = append(p.Warnings, fmt.Sprintf("stage %d (%s) is never reached: the signed pace or offerUntil (%s) ends before", i+1, s.Share, release.OfferUntil))
		}
	}
	p.harm(q, power)
	if last := p.Stages[len(p.Stages)-1]; !last.Earliest.IsZero() {
		p.Finish = opens
	}
	p.Sentence = p.words(q)
	return p
}

// earliest is when a share can be opened that everything but the signed words
// allows from a moment on; false if they never do.
func earliest(m *manifests.Release, share manifests.SharePPM, from time.Time) (time.Time, bool) {
	at, ok := PaceReaches(m, share)
	if at.Before(from) {
		at = from
	}
	return at, ok && !at.After(m.OfferUntil.Time)
}

// Opening is when a stage opens at the earliest.
type Opening struct {
	Stage int
	Share manifests.SharePPM
	At    time.Time
}

// Ahead gives the earliest that the stages still to come can open, as soaks,
// pace and the plan's start have it; what votes and people still have to say
// may only make it later. It ends with the first stage that is never reached.
func (r *Rollout) Ahead(m *manifests.Release, now time.Time) []Opening {
	if m == nil || r.State == policy.Complete || !r.Live() && !r.Unstarted() {
		return nil
	}
	from, stage := now, r.NextStage()
	switch {
	case stage > 0:
		from = later(from, r.StageSince.Add(r.Plan.Stages[stage-1].Soak.Duration))
	case r.Plan.Start != nil:
		from = later(from, r.Plan.Start.Time)
	}
	var out []Opening
	for ; stage < len(r.Plan.Stages); stage++ {
		at, ok := earliest(m, r.Plan.Stages[stage].Share, from)
		if !ok {
			break
		}
		out = append(out, Opening{stage, r.Plan.Stages[stage].Share, at})
		from = at.Add(r.Plan.Stages[stage].Soak.Duration)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// previewVotes is as far as the chances of a halt are computed; nearly every
// bad build is halted long before.
const previewVotes = 5000

func part(p manifests.SharePPM) float64 { return float64(p) / float64(manifests.WholeFleet) }

// harm follows the bad build: it stays in the first stage that can decide, for
// the test lets it pass there in one of twenty cases at most.
func (p *Preview) harm(q Question, power verdict.Power) {
	for _, s := range p.Stages {
		p.HarmedAtMost = uint64(math.Ceil(part(BadBuild) * float64(s.Handsets)))
		p.Harmed = part(BadBuild) * min(float64(s.Handsets), power.Expected(s.Votes)/part(q.OptIn))
		if s.Decides {
			return
		}
		if q.Plan.Advance != policy.Manual { // the engine does not go on without a verdict
			return
		}
	}
}

func (p *Preview) words(q Question) string {
	text := fmt.Sprintf("%d stages; the first opens to %d of %d handsets", len(p.Stages), p.Stages[0].Handsets, q.Fleet)
	if p.Finish.IsZero() {
		text += "; it never reaches all of them"
	} else {
		text += "; all are reached by " + manifests.At(p.Finish).String() + " at the earliest"
	}
	return text + fmt.Sprintf("; a build that fails on %s of the handsets harms about %.0f of them, %d at most, before it is halted", BadBuild, p.Harmed, p.HarmedAtMost)
}

// sample asks the handsets' own decision about one of them.
func (q Question) sample(r *Rollout, stage int, release *manifests.Release, now time.Time) *policy.Decision {
	h := *q.Sample
	if h.Channel == "" {
		h.Channel = q.Plan.Channel
	}
	h.Product = q.Plan.Product
	shown := policy.Rollout{
		ID: r.ID, Release: r.Release, Build: q.Plan.Build, Channel: q.Plan.Channel, Audience: q.Plan.Audience, State: policy.Active,
		Stage: stage, Share: q.Plan.Stages[stage].Share, Kind: q.Plan.Kind, Deadline: q.Plan.Deadline, Deferral: q.Plan.Deferral, Window: q.Plan.Window,
	}
	d := policy.DecideAt(policy.Input{
		Document: &policy.Document{Spec: policy.Spec, Product: q.Plan.Product, Counter: 1, Rollouts: []policy.Rollout{shown}},
		Releases: map[manifests.Build]policy.Signed{q.Plan.Build: {Reference: r.Release, Release: release}},
		Handset:  &h, Times: policy.Times{Expiry: now, Pace: now},
	}, q.Position)
	return &d
}

// OptIn is the share of owners who report, as the tokens of a product's newest
// release say of a fleet of this size; AssumedOptIn where none was given out.
func (e *Engine) OptIn(ctx context.Context, product manifests.Product, fleet uint64) (manifests.SharePPM, error) {
	share, _, err := e.optIn(ctx, &policy.Plan{Product: product, Build: manifests.Build(math.MaxInt64)}, fleet)
	return share, err
}
