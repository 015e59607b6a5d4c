package evidence

import (
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/rollout"
)

// needed is how many people must stand behind a stage.
func (c *check) needed(plan *rollout.Plan, stage int) int {
	n := max(1, int(plan.Stages[stage].Approvals))
	if plan.Stages[stage].Share > c.b.ApprovalShare {
		n = max(n, 2)
	}
	return n
}

// distinct gives the names of different people.
func distinct(people []person) []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range people {
		if p.ID != "" && !seen[p.ID] {
			seen[p.ID] = true
			names = append(names, p.Name)
		}
	}
	return names
}

// people checks the approvals that are claimed: each by another person than
// those who asked, each in the log, and enough for the stage that is open.
func (c *check) people() {
	before := c.failures()
	r := &c.b.Rollout
	seen := map[string]bool{}
	for _, a := range r.Approvals {
		subject := "approval of " + a.By.Name
		switch {
		case a.By.Id == "":
			c.fail(subject, "does not say whose it is")
		case seen[a.By.Id]:
			c.fail(subject, "is counted twice")
		case a.By.Id == r.Author.Id || r.Proposer != nil && a.By.Id == r.Proposer.Id:
			c.fail(subject, "is the word of who asked for it")
		case a.UpTo < 0 || a.UpTo >= len(r.Stages):
			c.fail(subject, "is for stage %d, which is not there", a.UpTo+1)
		case !c.said(a):
			c.fail(subject, "is not in the log")
		}
		seen[a.By.Id] = true
	}
	standing := c.behindNow()
	opened := r.StageSince != nil
	if opened && len(c.plan.Stages) > r.Stage {
		if n := c.needed(&c.plan, r.Stage); len(standing) < n && !c.alone[r.Stage] {
			c.fail("people", "stage %d needs the word of %d people; %d stand behind it (%s)", r.Stage+1, n, len(standing), strings.Join(standing, ", "))
		}
	}
	if c.failures() > before {
		return
	}
	words := "nobody has asked for it yet"
	if len(standing) > 0 {
		words = fmt.Sprintf("%s stand behind stage %d; this service asks for two people above %s", strings.Join(standing, ", "), r.Stage+1, c.b.ApprovalShare)
	}
	if c.override > 0 {
		words += fmt.Sprintf("; an admin went past the rules %d times (see above)", c.override)
	}
	c.hold("people", "%s", words)
}

// behindNow are the names of those who stand behind the stage that is claimed.
func (c *check) behindNow() []string {
	r := &c.b.Rollout
	var people []person
	if r.Proposer != nil {
		people = append(people, person{r.Proposer.Id, r.Proposer.Name})
	}
	for _, a := range r.Approvals {
		if a.UpTo >= r.Stage {
			people = append(people, person{a.By.Id, a.By.Name})
		}
	}
	return distinct(people)
}

// said finds the entry by which somebody agreed; going on is agreeing.
func (c *check) said(a api.Approval) bool {
	for i := range c.b.Rows {
		row := &c.b.Rows[i]
		if c.about(i) && row.Who == a.By.Name && (row.What == "rollout.approve" || row.What == "rollout."+advance || row.What == glass) {
			return true
		}
	}
	return false
}
