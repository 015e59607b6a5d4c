package sim

import (
	"math/rand/v2"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/manifests"
	policy "github.com/candor-ota/candor/manifests/rollout"
)

const (
	model   manifests.Name = "m-1"
	channel manifests.Name = "stable"
)

// step is what a handset does when its turn comes.
type step uint8

const (
	polls    step = iota
	casts         // its attempt, then arms
	restarts      // armed, waits for the window
	boots         // armed, and switched on again: the boot loader takes the new slot
	speaks        // casts a healthy trial
	regrets       // casts a failed one
)

// handset is what the simulation keeps of one whose turn has come.
type handset struct {
	step    step
	optedIn bool
	version uint8 // of the document by which it decided last
	off     uint8 // when it is switched off each day, in dayParts; always is not
}

const (
	day      = 24 * time.Hour
	dayParts = 96
	alwaysOn = dayParts
)

// offAt is the time of the virtual day at which it is switched off.
func (h *handset) offAt() time.Duration { return time.Duration(h.off) * (day / dayParts) }

// nextOff is when that comes next, at a tick or after.
func (h *handset) nextOff(tick int) time.Duration {
	now := time.Duration(tick) * Tick
	return now + (h.offAt()-now%day+day)%day
}

// newHandset is what decisions read of a handset; all of the fleet are alike
// but for the secret.
func newHandset(running manifests.Build) *policy.Handset {
	return &policy.Handset{
		Product: Product, Model: model, Channel: channel, Build: running,
		Conditions: policy.Conditions{BatteryPercent: 80, MinBattery: 30},
	}
}

// begins gives a handset an owner and the moment of its next poll.
func (w *World) begins(rank int) {
	h := &w.handsets[rank]
	*h = handset{optedIn: w.random.Float64() < w.s.OptIn, off: alwaysOn}
	if w.random.Float64() < w.s.Off.Part {
		h.off = uint8(w.random.IntN(dayParts))
	}
	w.after(rank, polls, phase(w.s.Poll, w.random))
}

// phase is how long it is to the next poll of a handset that has polled for
// long: the wait into which a moment falls is a long one in proportion to its
// length, and the moment lies anywhere in it.
func phase(p agent.Poll, r *rand.Rand) time.Duration {
	longest := p.Every.Duration + p.Jitter.Duration
	for {
		if d := p.Next(r.Int64N); r.Int64N(int64(longest)) < int64(d) {
			return time.Duration(r.Int64N(int64(d)))
		}
	}
}

// after has a handset do something later, when it is switched on.
func (w *World) after(rank int, s step, d time.Duration) {
	h := &w.handsets[rank]
	h.step = s
	at := time.Duration(w.tick)*Tick + d
	if h.off != alwaysOn {
		at = awake(at, h.offAt(), w.s.Off.For)
	}
	w.calendar.put(int(at/Tick), rank)
}

func (w *World) within(d manifests.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d.Duration) + 1))
}

// turn takes a handset's next step.
func (w *World) turn(rank int) {
	h := &w.handsets[rank]
	switch h.step {
	case polls:
		w.poll(rank, h)
	case casts:
		w.service.attempt(w.now())
		w.arm(rank, h)
	case restarts:
		w.restart(rank, h)
	case boots:
		w.install(rank, h)
	case speaks, regrets:
		w.run.Waiting--
		w.run.Dishonest += w.service.trial(h.step == speaks)
	}
}

// poll decides; an offer is taken and installed at once.
func (w *World) poll(rank int, h *handset) {
	switch offer := w.decide(rank, h); {
	case offer == nil:
		w.after(rank, polls, w.s.Poll.Next(w.random.Int64N))
	case h.optedIn:
		w.after(rank, casts, w.within(w.s.Report.AttemptWithin))
	default:
		w.arm(rank, h)
	}
}

func (w *World) decide(rank int, h *handset) *policy.Offer {
	h.version = w.version
	w.in.Handset.Secret = w.s.Fleet.Secret(w.order.Handset(rank))
	now := w.now()
	w.in.Times = policy.Times{Expiry: now, Pace: now}
	w.in.Handset.Conditions.LocalMinute = policy.ClockTime(now.Hour()*60 + now.Minute())
	return policy.Decide(w.in).Offer
}

// arm decides once more, as every handset does just before it. By the same
// document it would decide the same, so only a new one is asked.
func (w *World) arm(rank int, h *handset) {
	if h.version == w.version && w.s.Plan.Window == nil {
		w.install(rank, h)
		return
	}
	w.restart(rank, h)
}

// restart waits, armed, for the window of the offer; each poll decides again.
func (w *World) restart(rank int, h *handset) {
	offer := w.decide(rank, h)
	switch {
	case offer == nil: // called off
		w.after(rank, polls, w.s.Poll.Next(w.random.Int64N))
	case policy.CheckRestart(w.in.Handset, offer, w.in.Times) != nil:
		w.armed(rank, h, offer.Window)
	default:
		w.install(rank, h)
	}
}

// armed waits for the next poll or into the window, as the client does, unless
// the owner switches the handset off before.
func (w *World) armed(rank int, h *handset, window *policy.Window) {
	wait := w.s.Poll.Next(w.random.Int64N)
	if opens, length := window.Opens(w.in.Handset.Conditions.LocalMinute); length > 0 {
		wait = min(wait, opens+time.Duration(w.random.Int64N(int64(length/2+1))))
	}
	if h.off != alwaysOn {
		on := awake(h.nextOff(w.tick), h.offAt(), w.s.Off.For) - time.Duration(w.tick)*Tick
		if on-w.s.Off.For <= wait {
			w.after(rank, boots, on)
			return
		}
	}
	w.after(rank, restarts, wait)
}

// install restarts into the new build and learns what it does.
func (w *World) install(rank int, h *handset) {
	w.run.Installed++
	if w.run.End != "" {
		w.run.Later++
	}
	t, luck := &w.s.Truth, w.random.Float64()
	says, silent := speaks, false
	switch {
	case luck < t.Brick:
		w.run.Bricked++
		silent = true
	case luck < t.Brick+(1-t.Brick)*t.failing():
		w.run.Failed++
		says = regrets
	}
	if !h.optedIn {
		return
	}
	w.run.OptedIn++
	if silent || w.random.Float64() < t.Lost {
		w.run.Silent++
		return
	}
	w.run.Waiting++
	w.after(rank, says, w.within(w.s.Report.OutcomeWithin))
}
