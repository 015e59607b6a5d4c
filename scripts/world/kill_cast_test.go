package world_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/store"
)

// The builds: of goodBuild every vote is well, newerBuild supersedes it where
// both are offered, badBuild fails on command.
const (
	goodBuild  manifests.Build = 42
	newerBuild manifests.Build = 43
	badBuild   manifests.Build = 44
)

// role is what a rollout is there for.
type role string

const (
	manual  role = "manual"  // people take every step
	auto    role = "auto"    // the engine goes from stage to stage
	timed   role = "timed"   // the engine starts it
	doomed  role = "doomed"  // the engine halts it
	usurper role = "usurper" // takes a channel from an older build
)

// actor is one rollout: what it was when people last looked.
type actor struct {
	role    role
	channel string
	build   manifests.Build
	id      string // once it is known to exist
	seen    contract.Rollout
}

// place tells a rollout apart before it has an id.
func (a *actor) place() string { return fmt.Sprintf("%d on %s", a.build, a.channel) }

// company is how many of each role play at a time.
var company = []struct {
	role role
	n    int
}{{manual, 3}, {auto, 2}, {timed, 1}, {doomed, 2}, {usurper, 1}}

// script says what is asked for next: changes of one or two rollouts, one of
// them perhaps by two people or twice, and perhaps one that was lost before.
func (d *drama) script() []*request {
	d.recruit()
	var out []*request
	if r := d.repeatable(); r != nil {
		out = append(out, r)
	}
	if d.chance(10) { // the engine alone
		return out
	}
	for _, i := range d.random.Perm(len(d.cast))[:1+d.random.IntN(2)] {
		out = append(out, d.wishes(d.cast[i])...)
	}
	return out
}

// recruit lets those go that are over and brings new ones.
func (d *drama) recruit() {
	d.cast = slices.DeleteFunc(d.cast, func(a *actor) bool {
		switch a.seen.State {
		case contract.Superseded, contract.Abandoned:
			return true
		case contract.Complete:
			return d.chance(80)
		case contract.Halted:
			return a.role != doomed && d.chance(30)
		}
		return false
	})
	for _, c := range company {
		have := 0
		for _, a := range d.cast {
			if a.role == c.role {
				have++
			}
		}
		for ; have < c.n; have++ {
			d.built++
			a := &actor{role: c.role, channel: fmt.Sprintf("c%d", d.built), build: goodBuild}
			switch c.role {
			case doomed:
				a.build = badBuild
			case usurper:
				a.build = newerBuild
				if old := d.victim(); old != nil {
					a.channel = old.channel
				}
			}
			d.cast = append(d.cast, a)
		}
	}
}

// victim is somebody whose channel a newer build can take.
func (d *drama) victim() *actor {
	for _, a := range d.cast {
		if a.build == goodBuild && a.id != "" && a.role != timed {
			return a
		}
	}
	return nil
}

func (d *drama) plan(a *actor) map[string]any {
	shares := []int{10_000, 20_000, 50_000, 100_000, 300_000, 600_000, 1_000_000}
	var stages []map[string]any
	for i, s := range shares {
		stage := map[string]any{"sharePPM": s, "soak": "0s"}
		if i == 2 || a.role == timed {
			stage["approvals"] = 2
		}
		stages = append(stages, stage)
	}
	p := map[string]any{
		"product": product, "build": a.build, "channel": a.channel, "kind": "normal", "deferral": "168h", "spread": "0s",
		"stages": stages, "advance": "manual",
	}
	switch a.role {
	case auto:
		p["advance"] = "auto"
	case timed:
		p["advance"], p["start"] = "auto", manifests.At(time.Now().Add(4*time.Second))
	}
	return p
}

// wishes are what people want of a rollout now.
func (d *drama) wishes(a *actor) []*request {
	if a.id == "" {
		return []*request{d.create(a)}
	}
	first, second := d.ask(a, d.w.Token), d.ask(a, d.w.Second)
	waits := !slices.ContainsFunc(a.seen.Approvals, func(p contract.Approval) bool { return p.By.Id == "local:second" })
	some := func(p int, r *request) []*request {
		if d.chance(p) {
			return []*request{r}
		}
		return nil
	}
	switch a.seen.State {
	case contract.Draft:
		if a.role == timed || d.chance(50) {
			return []*request{first("propose")}
		}
		return []*request{first("start")}
	case contract.Proposed:
		return d.twice(second("approve"))
	case contract.Approved:
		return d.twice(first("start"))
	case contract.Scheduled:
		return some(15, second("halt"))
	case contract.Held:
		if d.chance(15) {
			return []*request{second("halt"), first("resume")}
		}
		return d.twice(first("resume"))
	case contract.Halted:
		if a.seen.Resume != nil {
			return d.twice(second("approve"))
		}
		return []*request{first("resume")}
	case contract.Complete:
		return some(20, first("halt"))
	case contract.Active:
		return d.active(a, first, second, waits)
	}
	return nil
}

// active is where people meet one another and the engine.
func (d *drama) active(a *actor, first, second func(string) *request, waits bool) []*request {
	switch n := d.random.IntN(100); {
	case waits && n < 40:
		return d.twice(second("approve"))
	case waits && n < 50: // the same person twice: counts once
		return []*request{second("approve"), second("approve")}
	case a.role == doomed && n < 80:
		return []*request{first("pause")}
	case n < 60: // a double click, and a colleague's, on what all of them saw
		out := []*request{first("advance"), second("advance"), first("advance")}
		for _, r := range out {
			r.match = a.seen.Version
		}
		return out
	case n < 85:
		return d.twice(first("advance"))
	case n < 90:
		return []*request{first("advance"), second("halt")}
	case n < 96:
		return []*request{second("pause")}
	default:
		return []*request{first("advance"), second("pause")}
	}
}

// twice sends the same request twice at once, at times.
func (d *drama) twice(r *request) []*request {
	if d.chance(25) {
		r.copies = 2
	}
	return []*request{r}
}

// ask makes requests of one person about one rollout. Each has a reason of its
// own.
func (d *drama) ask(a *actor, token string) func(action string) *request {
	who := "world"
	if token == d.w.Second {
		who = "second"
	}
	return func(action string) *request {
		r := &request{token: token, who: who, action: action, path: "/v1/rollouts/" + a.id + "/" + action, copies: 1}
		r.why = fmt.Sprintf("%s %d of %s", action, len(d.asked), a.channel)
		d.must(d.remember(r, map[string]string{"reason": r.why}))
		return r
	}
}

func (d *drama) create(a *actor) *request {
	r := &request{token: d.w.Token, who: "world", action: "create", path: "/v1/rollouts", copies: 1}
	if d.asked["create "+a.place()] != nil { // the first is repeated, and must not be taken for this one
		d.built++
		a.channel = fmt.Sprintf("c%d", d.built)
	}
	r.why = "create " + a.place()
	d.must(d.remember(r, d.plan(a)))
	return r
}

func (d *drama) remember(r *request, body any) (err error) {
	r.key = fmt.Sprintf("key-%d", len(d.asked))
	d.asked[r.why] = r
	r.body, err = json.Marshal(body)
	return err
}

func wellCell(t *testing.T) vote.Cell {
	return cell(t, vote.Vote{V: 1, Outcome: vote.InstalledHealthy, Reason: vote.None, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour})
}

func loopCell(t *testing.T) vote.Cell {
	return cell(t, vote.Vote{V: 1, Outcome: vote.RolledBack, Reason: vote.BootLoop, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.UnderHour})
}

func cell(t *testing.T, v vote.Vote) vote.Cell {
	t.Helper()
	c, err := v.Cell(vote.Trial)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vote counts trials, and attempts of long ago, as redeemed tokens would, beside
// the servers.
func (d *drama) vote(build manifests.Build, trial vote.Cell, n int) {
	d.t.Helper()
	l, err := d.servers.book()
	d.must(err)
	var group errgroup.Group
	group.SetLimit(64)
	for i := range 2 * n {
		d.ballots++
		b := store.Ballot{Ref: vote.Ref{Product: product, Build: build}, Set: vote.Primary, Class: vote.Trial, Cell: trial, Hour: store.HourOf(time.Now().Add(-30 * time.Hour))}
		if i%2 == 1 {
			b.Class, b.Cell = vote.Attempt, 0
		}
		binary.BigEndian.PutUint64(b.Nullifier[:], d.ballots)
		group.Go(func() error { return l.CastVote(ctx, b) })
	}
	d.must(group.Wait())
	d.must(l.Close())
}

// temptEngine gives the engine a reason to halt the doomed, at times.
func (d *drama) temptEngine() bool {
	for _, a := range d.cast {
		if a.role == doomed && a.seen.State == contract.Active && d.chance(40) {
			d.vote(badBuild, loopCell(d.t), 8)
			return true
		}
	}
	return false
}

// halted waits until the engine has halted all that the votes speak against.
func (d *drama) halted() {
	d.t.Helper()
	d.eventually("the votes halt build 44", func() string {
		for _, r := range d.rollouts() {
			live := r.State == contract.Active || r.State == contract.Held || r.State == contract.Complete
			if live && r.Build == int64(badBuild) {
				return fmt.Sprintf("rollout %s is %s", r.Id, r.State)
			}
		}
		return ""
	})
	d.check(nil)
}
