package evidence

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/evidence"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/manifests/verdict"
)

// detail is what a row about a rollout says beside its words.
type detail struct {
	Action   string             `json:"action"`
	State    rollout.State      `json:"state"`
	Stage    *int               `json:"stage"`
	Share    manifests.SharePPM `json:"sharePPM"`
	Plan     *rollout.Plan      `json:"plan"`
	Release  *rollout.Reference `json:"release"`
	Rules    *verdict.Rules     `json:"rules"`
	Evidence *verdict.Evidence  `json:"evidence"`
	Verdict  *verdict.Verdict   `json:"verdict"`
	// Acquitted are counts from before a resumption, which are not judged again.
	Acquitted *verdict.Counts `json:"acquitted"`
	People    []person        `json:"people"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The names that the log uses.
const (
	engine     = "engine"
	glass      = "rollout.break-glass"
	start      = "start"
	advance    = "advance"
	halt       = "halt"
	fewestHalt = 5 // votes on which a halt may rest, whatever is signed
)

// story is what the rows tell, one after another.
type story struct {
	*check
	plan     rollout.Plan
	release  *rollout.Reference
	state    rollout.State
	stage    int
	verdicts int
	steps    int
}

// story follows the rows about the rollout from its making to the state that
// is claimed, and judges every decision again.
func (c *check) story() {
	before := c.failures()
	s := &story{check: c}
	for i := range c.b.Rows {
		if c.about(i) {
			s.row(&c.b.Rows[i])
		}
	}
	claimed := &c.b.Rollout
	if string(s.state) != string(claimed.State) || s.stage != claimed.Stage {
		c.fail("history", "leads to %s, stage %d; the rollout is claimed to be %s, stage %d", s.state, s.stage+1, claimed.State, claimed.Stage+1)
	}
	if !same(s.plan, c.plan) {
		c.fail("history", "the plan that was written last is not the plan that is claimed")
	}
	if c.standing != nil && c.standing.Release != nil && (s.release == nil || *s.release != c.standing.Signed) {
		c.fail("history", "was made for another release than the engineers sign as build %d", c.b.Build)
	}
	if n := len(claimed.BreakGlass); n != c.override {
		c.fail("history", "an admin went past the rules %d times by the log, %d times by the rollout", c.override, n)
	}
	if c.failures() == before {
		c.hold("history", "%d entries lead to %s, stage %d; %d verdicts follow again from the numbers recorded with them", s.steps, s.state, s.stage+1, s.verdicts)
	}
}

// row takes the next entry about the rollout.
func (s *story) row(r *evidence.Row) {
	s.steps++
	subject := fmt.Sprintf("entry %d (%s by %s)", r.Seq, r.What, r.Who)
	var d detail
	if len(r.Detail) > 0 {
		if err := json.Unmarshal(r.Detail, &d); err != nil {
			s.fail(subject, "its detail cannot be read: %v", err)
			return
		}
	}
	if d.Plan != nil {
		s.plan = *d.Plan
	}
	if d.Release != nil {
		s.release = d.Release
	}
	if r.What == glass {
		s.override++
		s.hold(subject, "went past the rules: %s", r.Why)
	}
	if d.Verdict != nil {
		s.judge(subject, &d)
	}
	if d.Action != "" {
		s.step(subject, r, &d)
	}
	if d.State != "" {
		s.state = d.State
	}
	if d.Stage != nil {
		s.stage = *d.Stage
	}
}

// step checks what one action did.
func (s *story) step(subject string, r *evidence.Row, d *detail) {
	if r.What != glass && r.What != "rollout."+d.Action {
		s.fail(subject, "its detail is of %q", d.Action)
	}
	next := s.stage
	if d.Stage != nil {
		next = *d.Stage
	}
	if next < 0 || next >= len(s.plan.Stages) {
		s.fail(subject, "there is no stage %d", next+1)
		return
	}
	want := s.stage
	if d.Action == advance && d.State == rollout.Active {
		want++
	}
	if next != want {
		s.fail(subject, "goes from stage %d to stage %d", s.stage+1, next+1)
	}
	proved := verdict.Outcome("no verdict")
	if d.Verdict != nil {
		proved = d.Verdict.Outcome
	}
	switch {
	case d.Action == advance && r.Who == engine && proved != verdict.Pass:
		s.fail(subject, "the engine went on with %s; it may on a pass alone", proved)
	case d.Action == advance && proved == verdict.Halt:
		s.fail(subject, "went on although the votes spoke against it")
	case d.Action == halt && r.Who == engine && proved != verdict.Halt:
		s.fail(subject, "the engine halted with %s", proved)
	}
	if (d.Action == start || d.Action == advance) && d.State == rollout.Active {
		s.alone[next] = r.What == glass
		s.behind(subject, next, d.People)
	}
}

// behind checks that enough different people stood behind a stage when it was
// opened, unless an admin took that upon themselves.
func (s *story) behind(subject string, stage int, people []person) {
	needed, have := s.needed(&s.plan, stage), distinct(people)
	if len(have) < needed && !s.alone[stage] {
		s.fail(subject, "opened stage %d (%s) on the word of %d people (%s); it needs %d", stage+1, s.plan.Stages[stage].Share,
			len(have), strings.Join(have, ", "), needed)
	}
}

// judge holds the numbers of a row against its rules again.
func (s *story) judge(subject string, d *detail) {
	if d.Rules == nil || d.Evidence == nil {
		s.fail(subject, "records a verdict without the numbers behind it")
		return
	}
	s.verdicts++
	if again := verdict.Judge(*d.Rules, *d.Evidence); !agrees(again, *d.Verdict) && !s.agreesAcquitted(d) {
		s.fail(subject, "records the verdict %q; its own numbers give %q (%s)", d.Verdict.Outcome, again.Outcome, again.Sentence)
	}
	s.rules(subject, d)
}

// agreesAcquitted judges once more without what was acquitted, where the row
// records that apart.
func (s *story) agreesAcquitted(d *detail) bool {
	if d.Acquitted == nil {
		return false
	}
	e := *d.Evidence
	e.Counts = e.Counts.Since(*d.Acquitted)
	return agrees(verdict.Judge(*d.Rules, e), *d.Verdict)
}

// rules checks that a verdict was reached by the plan's own limits.
func (s *story) rules(subject string, d *detail) {
	fewest := uint32(fewestHalt)
	if s.standing != nil && s.standing.Release != nil {
		fewest = max(fewest, s.standing.Release.Votes.MinToHalt)
	}
	if s.stage >= len(s.plan.Stages) || !same(d.Rules.Guard, s.plan.Guard) || d.Rules.Pass != s.plan.PassLimit(s.stage) || d.Rules.MinToHalt < fewest {
		s.fail(subject, "was judged by other limits than those of the plan and the release")
	}
	open := s.state == rollout.Active || s.state == rollout.Held || s.state == rollout.Halted || s.state == rollout.Complete
	if open && s.stage < len(s.plan.Stages) && d.Evidence.Share != s.plan.Stages[s.stage].Share {
		s.fail(subject, "was judged as if %s were open; it was %s", d.Evidence.Share, s.plan.Stages[s.stage].Share)
	}
}

// agrees compares two verdicts in all but their sentences, which another
// version of the program may word otherwise.
func agrees(a, b verdict.Verdict) bool {
	if a.Outcome != b.Outcome || len(a.Findings) != len(b.Findings) {
		return false
	}
	for i := range a.Findings {
		x, y := a.Findings[i], b.Findings[i]
		x.Sentence, y.Sentence = "", ""
		if x != y {
			return false
		}
	}
	return true
}
