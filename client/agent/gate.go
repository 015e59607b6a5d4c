package agent

import (
	"context"

	"github.com/candor-ota/candor/manifests/rollout"
)

// paused ends a download in the middle: until a condition holds again, or, with
// off, because the offer is gone.
type paused struct {
	hold *rollout.Hold
	off  bool
}

func (p *paused) Error() string { return p.hold.Sentence }

func (a *Agent) pausedBy(p *paused) (State, error) {
	if p.off {
		return a.callOff(p.hold)
	}
	return a.pause(p.hold)
}

// gate decides again before each segment, by the conditions of this moment.
// Once it runs, an update goes on down to the lower floor of the battery. A
// download that takes longer than the time between two polls looks for news in
// between, so that a halt ends it too (AMENDMENTS H7).
func (a *Agent) gate(ctx context.Context) error {
	up, err := a.Device.Uptime()
	if err != nil {
		return err
	}
	if every := a.Config.Poll.Every.Duration; every > 0 && up-a.polled >= every {
		if err := a.poll(ctx); err != nil {
			a.Log.Warn("no news in the middle of a download; it goes on by what is known", "reason", err)
		}
	}
	in, err := a.input()
	if err != nil {
		return err
	}
	in.Handset.Conditions.MinBattery = a.Config.AbortBattery
	off, wait := a.stands(in)
	switch {
	case off != nil:
		return &paused{hold: off, off: true}
	case wait != nil:
		return &paused{hold: wait}
	}
	return nil
}
