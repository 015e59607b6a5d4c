package outbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/candor-ota/candor/client/receipts"
)

// ErrNotLab says that only a handset in lab mode is enrolled for that alone.
var ErrNotLab = errors.New("the handset is not in lab mode")

// ByName has every report signed with the device key instead of cast as a vote,
// or ends that: lab mode. What waits in the other form is destroyed, and with
// the end an enrolment that was made for lab mode alone, which Send, or
// Withdraw, has the service delete. It makes no request, and repeating it
// changes nothing. After an error it holds as long as this process lives, and
// must be repeated by the next.
func (o *Outbox) ByName(on bool) error {
	if o.identity.ByName == on {
		return nil
	}
	o.identity.ByName = on
	c := o.identity.Consent
	ends := !on && c != nil && c.LabOnly
	if ends {
		o.resign()
	}
	failure := errors.Join(o.saveIdentity(), o.destroy())
	if ends {
		failure = errors.Join(failure, o.note(receipts.Entry{Kind: receipts.ReportsOff, Why: "Reports by name end with lab mode."}))
	}
	if failure != nil {
		return fmt.Errorf("lab mode: %w", failure)
	}
	return nil
}

// OptInByName is the owner's word that a handset in lab mode may report by
// name, and no more: the enrolment ends with lab mode, unless OptIn was or is
// called too. It takes the factory credential of a lab batch as OptIn does; one
// that is not that of the enrolment replaces it. It makes no request. Repeating
// it changes nothing, unless the enrolment was refused: then it is tried anew.
// The receipt of lab mode stands for it.
func (o *Outbox) OptInByName(credentialPEM []byte) error {
	if !o.identity.ByName {
		return ErrNotLab
	}
	next, err := o.credential(credentialPEM)
	if err != nil {
		return fmt.Errorf("enrol for lab mode: %w", err)
	}
	before := o.identity
	c := before.Consent
	next.LabOnly = c == nil || c.LabOnly
	switch {
	case c == nil || c.Key != next.Key:
		if _, err := io.ReadFull(o.options.Random, next.Device[:]); err != nil {
			return fmt.Errorf("enrol for lab mode: make the device key: %w", err)
		}
		o.resign()
	case c.Refused == "":
		return nil
	default:
		next.Device, next.Asked = c.Device, c.Asked
	}
	o.identity.Consent = &next
	if err := o.saveIdentity(); err != nil {
		o.identity = before
		return fmt.Errorf("enrol for lab mode: %w", err)
	}
	return nil
}

// Named gives the device key by which operators know a handset that reports by
// name, in hexadecimal as they see it; empty if it does not, or its enrolment
// was refused.
func (o *Outbox) Named() string {
	c := o.identity.Consent
	if c == nil || c.Refused != "" || !o.identity.ByName {
		return ""
	}
	key := c.deviceKey()
	return hex.EncodeToString(key[:])
}
