package sim

import (
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

// End is how a run ended.
type End string

// The ends.
const (
	Halted    End = "halted"    // by the engine
	Complete  End = "complete"  // every stage was passed
	Passed    End = "passed"    // the stage that was asked for was left
	Undecided End = "undecided" // neither, by the horizon; a person has to look
)

// Run is what happened. Times count from the opening of the first stage.
type Run struct {
	Seed      uint64
	End       End
	Rule      policy.Rule `json:",omitempty"` // that halted it
	Sentence  string      // of the engine at the end
	Stage     int         // that was open at the end, counted from 0
	Took      time.Duration
	Attempts  int64 // counted
	Votes     int64 // trials counted, those of the attacker among them
	Dishonest int64

	Installed int64
	Failed    int64 // returned to the old slot
	Bricked   int64
	OptedIn   int64 // of Installed, those whose owner lets outcomes be reported
	Waiting   int64 // of OptedIn, those whose trial is still to be cast
	Silent    int64 // of OptedIn, those from which there will never be a trial
	Later     int64 // installed after the halt, while that was watched
}

// Harmed are the handsets that the build did not serve.
func (r *Run) Harmed() int64 { return r.Failed + r.Bricked }

// epoch is when virtual time begins.
var epoch = time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC)

// World holds one run after another.
type World struct {
	s        *Scenario
	order    *Order
	random   *rand.Rand
	calendar calendar
	handsets []handset
	open     int // handsets whose turn has come: the first of the order
	tick     int
	begin    time.Time
	in       policy.Input
	version  uint8 // of the document
	service  service
	eager    bool // asks the engine at every tick, as the service does
	run      Run
}

// NewWorld makes a world for fleets and horizons up to these.
func NewWorld(handsets int, horizon time.Duration) *World {
	return &World{calendar: newCalendar(int(horizon/Tick)+1, handsets), handsets: make([]handset, handsets)}
}

// Run plays a scenario to its end.
func (w *World) Run(s *Scenario, order *Order, seed uint64) (Run, error) {
	w.s, w.order, w.run = s, order, Run{Seed: seed}
	w.random = rand.New(rand.NewPCG(seed, uint64(order.Build)))
	w.calendar.clear()
	w.open, w.tick, w.version = 0, 0, 0
	w.begin = epoch.Add(time.Duration(w.random.Int64N(int64(time.Hour)))).Truncate(time.Second)
	release := newRelease(order.Build, w.begin)
	w.in = policy.Input{
		Releases: map[manifests.Build]policy.Signed{order.Build: release},
		Handset:  newHandset(order.Build - 1),
	}
	if err := w.service.start(s, release, w.begin, w.random); err != nil {
		return Run{}, err
	}
	w.service.patient = !w.eager
	w.publish()
	ticks := min(len(w.calendar.first), int(s.Horizon/Tick)+1)
	for ; w.tick < ticks && w.run.End == ""; w.tick++ {
		w.deliver()
		w.run.End = w.look()
	}
	w.run.Took = time.Duration(w.tick-1) * Tick
	if w.run.End == "" {
		w.run.End = Undecided
	}
	c := &w.service.ballots.counts
	w.run.Sentence, w.run.Stage, w.run.Attempts, w.run.Votes = w.service.said, w.service.rollout.Stage, c.Attempts, c.Trials
	if w.run.End == Halted {
		for end := min(ticks, w.tick+int(s.Watch/Tick)); w.tick < end; w.tick++ {
			w.deliver()
		}
	}
	return w.run, nil
}

func (w *World) now() time.Time { return w.begin.Add(time.Duration(w.tick) * Tick) }

// deliver gives each handset of this tick its turn.
func (w *World) deliver() {
	for rank, ok := w.calendar.take(w.tick); ok; rank, ok = w.calendar.take(w.tick) {
		w.turn(rank)
	}
}

// look has the engine decide, and tells when there is nothing more to be
// decided.
func (w *World) look() End {
	acted := w.service.look(w.now())
	r := &w.service.rollout
	switch {
	case acted && r.State == policy.Halted:
		w.run.Rule = w.service.halted
		w.publish()
		return Halted
	case acted && r.State == policy.Complete:
		return Complete
	case acted && w.s.LeavesAt > 0 && r.Stage >= w.s.LeavesAt:
		return Passed
	case acted:
		w.publish()
	case w.calendar.held == 0 && w.service.settled(w.now()):
		return Undecided
	}
	return ""
}

// publish shows the handsets the new document, and has those whose turn it
// opens meet it at their next poll.
func (w *World) publish() {
	w.version++
	w.in.Document = w.service.document()
	for within := w.order.Within(w.in.Document.Rollouts[0].Share); w.open < within; w.open++ {
		w.begins(w.open)
	}
}
