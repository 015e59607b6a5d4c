package rollout

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// Plan is a rollout as its author writes it, in YAML or JSON: the stages that
// the service walks through, and the conditions for handsets.
type Plan struct {
	Product  manifests.Product  `json:"product"`
	Build    manifests.Build    `json:"build"`
	Channel  manifests.Name     `json:"channel"`
	Audience Audience           `json:"audience,omitzero"`
	Stages   []Stage            `json:"stages"`
	Kind     manifests.Kind     `json:"kind"`
	Deadline *manifests.Time    `json:"deadline,omitempty"`
	Deferral manifests.Duration `json:"deferral"`
	Window   *Window            `json:"window,omitempty"`
	Spread   manifests.Duration `json:"spread"`
	Start    *manifests.Time    `json:"start,omitempty"`   // not before; absent: when somebody starts it
	Advance  Advance            `json:"advance,omitempty"` // who goes on to the next stage; absent: auto
	Guard    Guard              `json:"guard,omitzero"`    // what halts it
	Budget   *Budget            `json:"budget,omitempty"`  // how many handsets a bad build may harm
	Rescues  manifests.Name     `json:"rescues,omitempty"` // the halted rollout whose handsets this one helps
}

// Advance says who opens the next stage once everything allows it.
type Advance string

// The ways to advance.
const (
	Auto   Advance = "auto"   // the service, on a pass; a person may go ahead of it with a reason
	Manual Advance = "manual" // a person
)

// Stage is one step of a plan.
type Stage struct {
	Share     manifests.SharePPM `json:"sharePPM"`
	Soak      manifests.Duration `json:"soak"`                // the shortest stay
	MinVotes  uint32             `json:"minVotes,omitempty"`  // trials needed before it may advance
	Approvals uint32             `json:"approvals,omitempty"` // people who must agree to enter it, its author among them
	// Pass is the failure rate that must be ruled out before the stage is
	// left; 0 is the guard's.
	Pass manifests.SharePPM `json:"passPPM,omitempty"`
}

const maxStages = 1000

// ParsePlan reads a plan from YAML, of which JSON is a part.
func ParsePlan(data []byte) (*Plan, error) {
	var p Plan
	if err := manifests.DecodeYAML(data, MaxBytes, &p); err != nil {
		return nil, fmt.Errorf("rollout plan: %w", err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("rollout plan: %w", err)
	}
	return &p, nil
}

// Validate checks everything that the plan says about itself.
func (p *Plan) Validate() error {
	if len(p.Stages) == 0 || len(p.Stages) > maxStages {
		return strict.Refuse("stages", "has %d entries; 1 to %d are allowed", len(p.Stages), maxStages)
	}
	for i, s := range p.Stages {
		path := fmt.Sprintf("stages[%d].sharePPM", i)
		switch {
		case s.Share == 0 || s.Share > manifests.WholeFleet:
			return strict.Refuse(path, "is %d; 1 to 1000000 parts per million are allowed", s.Share)
		case i > 0 && s.Share <= p.Stages[i-1].Share:
			return strict.Refuse(path, "%d does not widen the stage before; a share never shrinks", s.Share)
		case s.Pass >= manifests.WholeFleet:
			return strict.Refuse(fmt.Sprintf("stages[%d].passPPM", i), "is %d; a rate below 1000000 parts per million can be ruled out", s.Pass)
		}
	}
	switch {
	case p.Build == 0:
		return strict.Refuse("build", "is 0; the first build is 1")
	case p.Kind.Rank() < 0:
		return strict.Refuse("kind", "is %q; use optional, normal or critical", p.Kind)
	case p.Advance != "" && p.Advance != Auto && p.Advance != Manual:
		return strict.Refuse("advance", "is %q; use auto or manual", p.Advance)
	}
	if err := p.Guard.validate("guard"); err != nil {
		return err
	}
	if p.Budget != nil {
		if err := p.Budget.check(p); err != nil {
			return err
		}
	}
	return p.Audience.validate("audience")
}

// PassLimit is the failure rate that must be ruled out before a stage is left.
func (p *Plan) PassLimit(stage int) manifests.SharePPM {
	if limit := p.Stages[stage].Pass; limit != 0 {
		return limit
	}
	return p.Guard.FailureLimit()
}

// CheckAgainst refuses a plan that asks for more than the release signs.
func (p *Plan) CheckAgainst(r *manifests.Release) error {
	switch {
	case p.Product != r.Product || p.Build != r.Build:
		return strict.Refuse("build", "the plan is for build %d of %s, the release is %d of %s", p.Build, p.Product, r.Build, r.Product)
	case p.Kind.Rank() > r.Urgency.MaxKind.Rank():
		return strict.Refuse("kind", "%q is harsher than %q, which the release signs as the most", p.Kind, r.Urgency.MaxKind)
	case p.Deferral.Duration < r.Urgency.MinDeferral.Duration:
		return strict.Refuse("deferral", "%s is shorter than %s, which the release promises to owners", p.Deferral, r.Urgency.MinDeferral)
	case p.Deadline != nil && (r.Urgency.EarliestDeadline == nil || p.Deadline.Before(r.Urgency.EarliestDeadline.Time)):
		return strict.Refuse("deadline", "is earlier than the release allows")
	}
	for i, s := range p.Stages {
		if top := r.Pace[len(r.Pace)-1].MaxShare; s.Share > top {
			return strict.Refuse(fmt.Sprintf("stages[%d].sharePPM", i), "%s is more than the pace of the release ever allows (%s)", s.Share, top)
		}
	}
	return nil
}
