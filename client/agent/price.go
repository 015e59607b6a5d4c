package agent

import (
	"fmt"

	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// slackBytes is what an update may cost beyond what was said without anybody
// being asked: what an interruption has fetched twice.
const slackBytes = 1 << 20

// agree is asked when the plan of an image has become dearer on the way.
func (a *Agent) agree(name manifests.Name, q install.Quote) error {
	a.keepPlan(name, q)
	if err := a.affords(q.Why); err != nil {
		return err
	}
	a.Log.Warn("the plan has changed", "build", a.rec.Build, "image", name, "kind", q.Kind, "bytes", q.Bytes, "reason", q.Why)
	return a.saveJournal()
}

// affords compares the plan with what the owner was told. A dearer one goes on
// where data costs nothing, and says so; on a metered network the owner is asked
// again, whatever was agreed to before: that was the cheaper plan.
func (a *Agent) affords(why string) error {
	if a.rec.Agreed == 0 {
		a.rec.Agreed = a.rec.Planned
	}
	if a.rec.Planned <= a.rec.Agreed+slackBytes {
		return nil
	}
	c, err := a.Device.Conditions()
	if err != nil {
		return err
	}
	if why == "" {
		why = "what it was planned with is gone"
	}
	if c.Metered && a.bundle == nil {
		a.rec.Asked = a.rec.Planned
		return &paused{hold: &rollout.Hold{
			Code: rollout.Metered, Build: a.rec.Build,
			Sentence: fmt.Sprintf("Build %d costs up to %s now, not %s, as %s. It waits for a network that is not metered, or for the owner's word.",
				a.rec.Build, megabytes(a.rec.Planned), megabytes(a.rec.Agreed), why),
		}}
	}
	a.say("", a.rec.Build, "Build %d costs up to %s now, not %s, as %s. It goes on, as this network is not metered.",
		a.rec.Build, megabytes(a.rec.Planned), megabytes(a.rec.Agreed), why)
	a.rec.Agreed = a.rec.Planned
	return nil
}

// pays takes the owner's word that data may be paid for: also for the dearer
// plan about which the owner was asked.
func (a *Agent) pays() error {
	if a.rec.Asked <= a.rec.Agreed {
		return nil
	}
	a.rec.Agreed, a.rec.Asked = a.rec.Asked, 0
	return a.saveJournal()
}

// priced adds to a hold on a metered network what the build would cost, as far
// as the signed document alone tells.
func (a *Agent) priced(h rollout.Hold) rollout.Hold {
	signed, ok := a.view.Releases[h.Build]
	if h.Code != rollout.Metered || !ok || a.rec.Build == h.Build {
		return h
	}
	total, exact := int64(0), true
	for _, m := range signed.Release.Images {
		bytes, sure := install.Estimate(m, a.runs(m.Slot))
		total, exact = total+bytes, exact && sure
	}
	if exact {
		h.Sentence += fmt.Sprintf(" It costs %s; the full image is %s.", megabytes(total), megabytes(fullBytes(signed.Release)))
	} else {
		h.Sentence += fmt.Sprintf(" It costs at most %s.", megabytes(total))
	}
	return h
}

// runs is the hash of the image of that name that runs; zero if there is none.
func (a *Agent) runs(name manifests.Name) (sum manifests.SHA256) {
	slot, err := a.Slots.Booted()
	if err != nil {
		return sum
	}
	m, err := a.Slots.Metadata(slot)
	if err != nil {
		return sum
	}
	for _, image := range m.Images {
		if image.Name == name {
			return image.SHA256
		}
	}
	return sum
}
