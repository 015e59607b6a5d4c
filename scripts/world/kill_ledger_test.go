package world_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/candor-ota/candor/client/trust"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// line is what the audit log says of one step of one rollout.
type line struct {
	action, who, why string
	state            policy.State
	stage            int
	reason           string // why it is where it is: of the last step that led elsewhere
}

func (l line) String() string {
	return fmt.Sprintf("%s by %s (%s): %s, stage %d", l.action, l.who, l.why, l.state, l.stage)
}

// book is the audit log as it was read, each entry once.
type book struct {
	chain    audit.Chain
	rollouts map[string][]line   // by id
	channels map[string][]string // ids of rollouts by channel and build
	made     map[string]int      // rows by reason
	approved map[string][]string // who stands behind a rollout, by id
	proposer map[string]string
}

// read takes what is new in the log. Its chain must go on from where it was.
func (d *drama) read() (news int) {
	d.t.Helper()
	b := &d.ledger
	if b.made == nil {
		b.made, b.rollouts, b.channels = map[string]int{}, map[string][]line{}, map[string][]string{}
		b.approved, b.proposer = map[string][]string{}, map[string]string{}
	}
	var export []byte
	d.must(d.get(fmt.Sprintf("/v1/audit/export?after=%d", b.chain.Head.Seq), &export))
	for lines := bufio.NewScanner(bytes.NewReader(export)); lines.Scan(); {
		e, err := audit.Parse(lines.Bytes())
		d.must(err)
		d.must(b.chain.Add(e))
		news++
		if action, ok := strings.CutPrefix(e.What, "rollout."); ok {
			d.must(b.step(action, e))
			d.figures.rows++
			if e.Who == "engine" {
				d.figures.engineSteps++
			}
		}
	}
	return news
}

// step adds a row to its rollout; it must follow from the one before.
func (b *book) step(action string, e audit.Entry) error {
	n := line{action: action, who: e.Who, why: e.Why}
	rows := b.rollouts[e.Subject]
	if action == "create" {
		var made struct {
			State policy.State `json:"state"`
			Plan  policy.Plan  `json:"plan"`
		}
		if err := json.Unmarshal(e.Detail, &made); err != nil || len(rows) != 0 {
			return fmt.Errorf("rollout %s is created with %d rows: %w", e.Subject, len(rows), err)
		}
		n.state = made.State
		place := (&actor{build: made.Plan.Build, channel: string(made.Plan.Channel)}).place()
		b.channels[place] = append(b.channels[place], e.Subject)
		b.rollouts[e.Subject] = []line{n}
		return nil
	}
	if len(rows) == 0 {
		return fmt.Errorf("rollout %s was never created: %s", e.Subject, n)
	}
	last := rows[len(rows)-1]
	after := struct {
		State policy.State `json:"state"`
		Stage int          `json:"stage"`
	}{Stage: last.stage}
	if err := json.Unmarshal(e.Detail, &after); err != nil {
		return err
	}
	n.state, n.stage, n.reason = after.State, after.Stage, last.reason
	if n.state != last.state || n.stage != last.stage {
		n.reason = n.why
	}
	if !follows(last, n) {
		return fmt.Errorf("rollout %s: %s; but before it was %s", e.Subject, n, last)
	}
	b.rollouts[e.Subject] = append(rows, n)
	b.people(e.Subject, last, n)
	if n.who != "engine" {
		if b.made[n.why]++; b.made[n.why] > 1 {
			return fmt.Errorf("rollout %s: made twice: %s", e.Subject, n)
		}
	}
	return nil
}

// people counts who stands behind a rollout, each person once.
func (b *book) people(id string, last, n line) {
	switch {
	case n.action == "propose" || n.action == "start" && last.state == "draft":
		b.proposer[id] = n.who
	case n.action == "approve" && last.state != policy.Halted, n.action == "advance" && n.stage > last.stage:
		if n.who != "engine" && n.who != b.proposer[id] && !slices.Contains(b.approved[id], n.who) {
			b.approved[id] = append(b.approved[id], n.who)
		}
	}
}

// follows is the state machine as the documentation has it.
func follows(last, n line) bool {
	from := func(states ...policy.State) bool { return slices.Contains(states, last.state) }
	stays := n.stage == last.stage
	switch n.action {
	case "propose":
		return from("draft") && stays && (n.state == "proposed" || n.state == "approved")
	case "approve":
		switch {
		case from("proposed"):
			return stays && (n.state == "proposed" || n.state == "approved")
		case from(policy.Halted):
			return stays && n.state == policy.Active
		}
		return from("approved", policy.Scheduled, policy.Active, policy.Held) && stays && n.state == last.state
	case "start":
		return from("draft", "approved", policy.Scheduled) && n.stage == 0 && (n.state == policy.Active || n.state == policy.Scheduled && n.who != "engine")
	case "advance":
		return from(policy.Active) && (n.state == policy.Active && n.stage == last.stage+1 || n.state == policy.Complete && stays)
	case "pause":
		return from(policy.Active) && stays && n.state == policy.Held
	case "resume":
		return stays && (from(policy.Held) && n.state == policy.Active || from(policy.Halted) && n.state == policy.Halted)
	case "halt":
		return from(policy.Scheduled, policy.Active, policy.Held, policy.Complete) && stays && n.state == policy.Halted
	case "superseded":
		return from(policy.Scheduled, policy.Active, policy.Held, policy.Complete) && stays && n.state == policy.Superseded
	}
	return false
}

// get asks, again for a while where there are several servers: the one that was
// asked may be about to lose its connections.
func (d *drama) get(path string, into any) error {
	for end := time.Now().Add(d.servers.patience()); ; {
		err := d.w.Call(ctx, http.MethodGet, path, nil, into)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func (d *drama) rollouts() []contract.Rollout {
	d.t.Helper()
	var list contract.RolloutList
	d.must(d.get("/v1/rollouts?product="+string(product), &list))
	return list.Rollouts
}

// eventually asks until there is nothing to complain about.
func (d *drama) eventually(what string, complaint func() string) {
	d.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	for limit := time.After(time.Minute + d.servers.patience()); ; {
		wrong := complaint()
		if wrong == "" {
			d.figures.agreed = max(d.figures.agreed, time.Since(begun))
			return
		}
		select {
		case <-limit:
			d.fail("%s: %s", what, wrong)
		case <-tick.C:
		}
	}
}

// check looks at everything from the outside, once the server says that it is
// ready: at log, rollouts and what handsets read, all of one moment. What people
// did is published by then; a step that the engine has just taken may lag
// behind for as long as it takes to publish it.
func (d *drama) check(requests []*request) {
	d.t.Helper()
	d.read()
	d.eventually("ledger and handsets agree", func() string {
		list := d.rollouts()
		if err := d.handset.look(ctx); err != nil {
			if d.servers.patience() == 0 || !errors.Is(err, trust.ErrUnreachable) && !errors.Is(err, trust.ErrStaleMirror) {
				d.fail("a handset: %v", err)
			}
			return err.Error() // one server knows what the next one does not yet
		}
		still := d.read() == 0
		d.handset.follow()
		wrong, who := d.agree(list)
		if wrong != "" && still && who != "engine" && d.servers.patience() == 0 {
			d.fail("ledger and handsets disagree: %s", wrong)
		}
		return wrong
	})
	for _, r := range requests {
		d.judge(r)
		d.settle(r)
	}
}

// agree holds rollouts against log and document. It says what is wrong, and who
// took the last step there.
func (d *drama) agree(list []contract.Rollout) (wrong, who string) {
	published := map[string]policy.Rollout{}
	for _, r := range d.handset.document.Rollouts {
		published[string(r.ID)] = r
	}
	for i := range list {
		r := &list[i]
		rows := d.ledger.rollouts[r.Id]
		if int64(len(rows)) != r.Version {
			return fmt.Sprintf("rollout %s is at version %d with %d rows in the log", r.Id, r.Version, len(rows)), ""
		}
		last := rows[len(rows)-1]
		if string(last.state) != string(r.State) || last.stage != r.Stage {
			return fmt.Sprintf("rollout %s is %s in stage %d; the log says %s", r.Id, r.State, r.Stage, last), ""
		}
		if wrong := d.stand(r); wrong != "" {
			return wrong, ""
		}
		if wrong := misread(r, published); wrong != "" {
			return wrong, last.who
		}
		delete(published, r.Id)
		for _, a := range d.cast {
			if a.channel == *r.Channel && int64(a.build) == r.Build {
				a.id, a.seen = r.Id, *r
			}
		}
	}
	for id := range published {
		return "handsets read of a rollout that the ledger does not know: " + id, ""
	}
	return "", ""
}

// stand compares who stands behind a rollout with the log.
func (d *drama) stand(r *contract.Rollout) string {
	var names []string
	for _, a := range r.Approvals {
		names = append(names, a.By.Name)
	}
	if want := d.ledger.approved[r.Id]; !slices.Equal(names, want) {
		return fmt.Sprintf("rollout %s has the word of %v; the log has it of %v", r.Id, names, want)
	}
	return ""
}

// misread compares a rollout with the document that handsets read.
func misread(r *contract.Rollout, published map[string]policy.Rollout) string {
	p, ok := published[r.Id]
	switch r.State {
	case contract.Scheduled, contract.Active, contract.Held, contract.Complete, contract.Halted:
		reason := ""
		if r.Reason != nil {
			reason = *r.Reason
		}
		if !ok || string(p.State) != string(r.State) || p.Stage != r.Stage || int(p.Share) != r.SharePPM || p.Reason != reason {
			return fmt.Sprintf("rollout %s is %s, stage %d, %d ppm (%s); handsets read %s, stage %d, %d ppm (%s)",
				r.Id, r.State, r.Stage, r.SharePPM, reason, p.State, p.Stage, p.Share, p.Reason)
		}
	default:
		if ok {
			return fmt.Sprintf("rollout %s is %s; handsets read %s", r.Id, r.State, p.State)
		}
	}
	return ""
}

// idle says in which states an action has nothing left to do.
var idle = map[string][]contract.RolloutState{
	"propose": {contract.Proposed, contract.Approved, contract.Scheduled, contract.Active, contract.Held, contract.Halted, contract.Complete},
	"start":   {contract.Scheduled, contract.Active, contract.Held, contract.Complete},
	"pause":   {contract.Held}, "halt": {contract.Halted}, "advance": {contract.Complete},
}

// times is how often a request was made.
func (d *drama) times(r *request) int {
	if place, ok := strings.CutPrefix(r.why, "create "); ok {
		return len(d.ledger.channels[place])
	}
	return d.ledger.made[r.why]
}

// judge holds a request against the log: acknowledged is there, refused is
// not, and nothing is there twice.
func (d *drama) judge(r *request) {
	d.t.Helper()
	n := d.times(r)
	if n > 1 {
		d.fail("%s: made %d times", r.why, n)
	}
	if r.acknowledged {
		d.answered(r, n)
	} else if r.refused != nil && n != 0 && r.copies == 1 {
		d.fail("%s: refused (%s), and made; repeated: %t", r.why, r.refused.Code, r.repeated)
	}
}

// answered demands that what an answer said is in the log: the rollout as it
// was at that version, and the change itself, unless there was nothing to do.
func (d *drama) answered(r *request, n int) {
	d.t.Helper()
	a, rows := &r.answer, d.ledger.rollouts[r.answer.Id]
	if a.Version < 1 || int64(len(rows)) < a.Version {
		d.fail("%s: acknowledged as version %d, and lost: the log has %d rows", r.why, a.Version, len(rows))
	}
	at := rows[a.Version-1]
	if string(at.state) != string(a.State) || at.stage != a.Stage {
		d.fail("%s: acknowledged as %s in stage %d; the log says %s", r.why, a.State, a.Stage, at)
	}
	fresh := !r.repeated && r.copies == 1 && r.action != "create"
	switch {
	case n == 0 && !slices.Contains(idle[r.action], a.State):
		d.fail("%s: acknowledged as %s in stage %d, and never made", r.why, a.State, a.Stage)
	case n == 1 && fresh && at.why != r.why:
		d.fail("%s: acknowledged with version %d; the log says %s", r.why, a.Version, at)
	}
}

// settle counts what became of a request and keeps what is to be repeated.
func (d *drama) settle(r *request) {
	switch {
	case r.acknowledged:
		d.figures.acknowledged++
	case r.refused != nil:
		d.figures.refused++
	default:
		if d.times(r) == 1 {
			d.figures.lostWhole++
		} else {
			d.figures.lostAbsent++
		}
		d.lost = append(d.lost, r)
	}
}
