package handset

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests"
)

// Lab is what `lab show` shows.
type Lab struct {
	On        bool              `json:"lab"`
	Hash      *manifests.SHA256 `json:"hash,omitempty"`      // for `audience.lab` of a plan
	Reporting bool              `json:"reporting"`           // by name
	DeviceKey string            `json:"deviceKey,omitempty"` // in hexadecimal, as operators see it beside a report
	Waiting   int               `json:"waiting"`             // reports that are not sent yet
	Refused   []string          `json:"refused,omitempty"`   // what will never be counted, and why
	Sent      []outbox.Sent     `json:"sent,omitempty"`      // by name
}

// LabOn puts the handset in lab mode. With a credential in the configuration it
// enrols, so that trials and regressions are reported by name; the service is
// told now, or at a later poll if it cannot be reached. Repeating it keeps the
// lab id, and tries the enrolment again.
func (h *Handset) LabOn(ctx context.Context) error {
	if _, err := h.agent.LabOn(); err != nil {
		return err
	}
	if h.Config.Credential == "" {
		return nil
	}
	if err := h.enrol(ctx, h.outbox.OptInByName); err != nil {
		return fmt.Errorf("the handset is in lab mode, but cannot report: %w", err)
	}
	return nil
}

// LabOff destroys the lab id and ends reports by name. An enrolment that was
// made for lab mode alone is given up; with an error that wraps
// outbox.ErrWithdrawal the service is told later.
func (h *Handset) LabOff(ctx context.Context) error {
	return errors.Join(h.agent.LabOff(), h.outbox.Withdraw(ctx))
}

func (h *Handset) inLab() bool {
	_, on := h.agent.Lab()
	return on
}

// Lab tells whether the handset is in lab mode and what it reported there.
func (h *Handset) Lab() Lab {
	hash, on := h.agent.Lab()
	sent := slices.DeleteFunc(h.outbox.Sent(), func(s outbox.Sent) bool { return !s.ByName })
	if !on {
		return Lab{Sent: sent}
	}
	name := h.outbox.Named()
	return Lab{
		On: true, Hash: &hash, Reporting: name != "", DeviceKey: name, Waiting: h.outbox.Waiting(), Refused: h.outbox.Refused(), Sent: sent,
	}
}
