package api

import (
	"cmp"
	"fmt"
	"slices"

	contract "github.com/candor-ota/candor/manifests/api"
	policy "github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
)

// of is something about a rollout.
func (v *view) of(l *looked, kind contract.AttentionKind, severity contract.AttentionSeverity, need auth.Permission) contract.Attention {
	id, product := string(l.ID), string(l.Plan.Product)
	return contract.Attention{
		Kind: kind, Severity: severity, Since: l.Changed, Rollout: &id, Product: &product, Mine: v.may(need, l.Plan.Product),
	}
}

// named says in words what a rollout opens, and to whom.
func named(r *rollout.Rollout) string {
	return fmt.Sprintf("build %d of %s (%s)", r.Plan.Build, r.Plan.Product, cmp.Or(string(r.Plan.Channel), "every channel"))
}

// about says what a rollout needs of people.
func (v *view) about(l *looked) []contract.Attention {
	switch l.State {
	case policy.Halted:
		return v.halted(l)
	case policy.Held:
		one := v.of(l, contract.NeedsHeld, contract.AttentionSeveritySoon, auth.Operate)
		one.Sentence = fmt.Sprintf("Rollout of %s is paused: %s.", named(l.Rollout), cmp.Or(l.Reason, "nobody said why"))
		return append([]contract.Attention{one}, v.lacking(l)...)
	case rollout.Approved:
		one := v.of(l, contract.NeedsDraft, contract.AttentionSeverityNotice, auth.Operate)
		one.Sentence = fmt.Sprintf("Rollout of %s is approved, and nobody has started it.", named(l.Rollout))
		return []contract.Attention{one}
	case policy.Active:
		if out := v.lacking(l); len(out) > 0 {
			return out
		}
		return v.manual(l)
	}
	return v.lacking(l)
}

// halted needs a person until something newer is on its way; after that, until
// the engineers have taken the build back (AMENDMENTS C4).
func (v *view) halted(l *looked) []contract.Attention {
	var out []contract.Attention
	if l.Resume != nil {
		one := v.of(l, contract.NeedsApproval, contract.AttentionSeverityNow, auth.Approve)
		mine := *one.Mine && l.Resume.ID != v.who.Person()
		one.Mine, one.Since = &mine, l.Resume.At.Time
		one.Sentence = fmt.Sprintf("%s wants to resume the halted rollout of %s; somebody else has to approve that.", l.Resume.Name, named(l.Rollout))
		out = append(out, one)
	}
	signed, over := l.known.Release != nil, v.superseded(l)
	if over && !signed {
		return out
	}
	one := v.of(l, contract.NeedsHalted, contract.AttentionSeverityNow, auth.Operate)
	one.Sentence = fmt.Sprintf("Rollout of %s was halted: %s.", named(l.Rollout), cmp.Or(l.Reason, "nobody said why"))
	if !l.HaltedAt.IsZero() {
		one.Since = l.HaltedAt.Time
	}
	if over {
		one.Severity = contract.AttentionSeverityNotice
		one.Sentence = fmt.Sprintf("Build %d of %s was halted and is still signed: a thief of the server's keys could offer it. `candor-signer withdraw %s %d` takes it back.",
			l.Plan.Build, l.Plan.Product, l.Plan.Product, l.Plan.Build)
		one.Mine = v.may(auth.Submit, l.Plan.Product)
	}
	return append(out, one)
}

// superseded tells whether a higher build is on its way to the same channel, or
// has arrived.
func (v *view) superseded(l *looked) bool {
	newer := func(r *rollout.Rollout) bool {
		return r != nil && r.Plan.Product == l.Plan.Product && r.Plan.Channel == l.Plan.Channel && r.Plan.Build > l.Plan.Build && r.Live() && r.Share() > 0
	}
	return newer(v.complete[l.Plan.Product]) || slices.ContainsFunc(v.rollouts, func(o looked) bool { return newer(o.Rollout) })
}

// lacking is the word of people that the next stage lacks. It is urgent once
// nothing else stands in the way.
func (v *view) lacking(l *looked) []contract.Attention {
	next := l.NextStage()
	if next >= len(l.Plan.Stages) {
		return nil
	}
	n := l.Missing(next, l.known.ApprovalShare)
	if n == 0 {
		return nil
	}
	one := v.of(l, contract.NeedsApproval, contract.AttentionSeveritySoon, auth.Approve)
	if l.State == policy.Active && !slices.ContainsFunc(l.d.Waits, func(w rollout.Wait) bool { return w.Code != contract.CodeApprovalNeeded }) {
		one.Severity = contract.AttentionSeverityNow
	}
	person := v.who.Person()
	mine := *one.Mine && person != l.Author.ID && person != l.Proposer.ID &&
		!slices.ContainsFunc(l.People(next), func(p rollout.Person) bool { return p.ID == person })
	one.Mine = &mine
	people := "1 more person"
	if n > 1 {
		people = fmt.Sprintf("%d more people", n)
	}
	one.Sentence = fmt.Sprintf("Stage %d (%s) of %s needs the word of %s.", next+1, l.Plan.Stages[next].Share, named(l.Rollout), people)
	return []contract.Attention{one}
}

// manual is a stage that only a person leaves, once nothing else keeps it.
func (v *view) manual(l *looked) []contract.Attention {
	if len(l.d.Waits) != 1 || l.d.Waits[0].Code != contract.CodeManual {
		return nil
	}
	one := v.of(l, contract.NeedsApproval, contract.AttentionSeveritySoon, auth.Operate)
	one.Sentence = fmt.Sprintf("Stage %d of %s has passed; a person has to advance it.", l.Stage+1, named(l.Rollout))
	if soaked := l.StageSince.Add(l.Plan.Stages[l.Stage].Soak.Duration); soaked.After(one.Since) {
		one.Since = soaked
	}
	return []contract.Attention{one}
}
