package outbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// identity is everything by which the service could know the handset.
type identity struct {
	Consent     *consent     `json:"consent,omitempty"` // nil: reporting is off
	ByName      bool         `json:"byName,omitempty"`  // in lab mode; no vote is cast
	Withdrawals []withdrawal `json:"withdrawals,omitempty"`

	kept strict.Kept // of a newer version of this program; goes with the consent
}

// consent is the owner's word, with the keys that it made.
type consent struct {
	Device     seed   `json:"deviceKey"`
	Credential string `json:"credential"` // certificates in PEM
	Key        seed   `json:"credentialKey"`
	Asked      bool   `json:"asked,omitempty"` // an enrolment was sent, whatever became of it
	Enrolled   bool   `json:"enrolled,omitempty"`
	LabOnly    bool   `json:"labOnly,omitempty"` // ends with lab mode: the owner agreed to no votes
	Refused    string `json:"refused,omitempty"` // why enrolling is given up
	Wait       wait   `json:"wait,omitzero"`
}

// withdrawal is signed when the owner turns reporting off, before the key goes.
type withdrawal struct {
	Request vote.WithdrawRequest `json:"request"`
	Wait    wait                 `json:"wait,omitzero"`
}

// maxWithdrawals bounds the file: whoever turns reporting on and off that often
// without a network waits for one.
const maxWithdrawals = 64

func (c *consent) device() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(c.Device[:]) }

func (c *consent) credential() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(c.Key[:]) }

func (c *consent) deviceKey() vote.DeviceKey {
	return vote.DeviceKey(c.device().Public().(ed25519.PublicKey))
}

// OptIn is the owner's word that outcomes may be reported. It takes the factory
// credential in PEM: the handset's certificate, optionally that of its batch
// CA, and the private key. A device key is made; Send, or Enrol, enrols it.
// It makes no request. Repeating it changes nothing, unless the enrolment was
// refused: then it is tried anew. In lab mode votes wait for its end.
func (o *Outbox) OptIn(credentialPEM []byte) error {
	next, err := o.credential(credentialPEM)
	if err != nil {
		return fmt.Errorf("opt in: %w", err)
	}
	if c := o.identity.Consent; c != nil {
		switch {
		case c.Refused != "":
			next.Device, next.Asked = c.Device, c.Asked
		case c.LabOnly:
			next = *c
			next.LabOnly = false
		default:
			return nil
		}
	} else if _, err := io.ReadFull(o.options.Random, next.Device[:]); err != nil {
		return fmt.Errorf("opt in: make the device key: %w", err)
	}
	if err := o.note(receipts.Entry{Kind: receipts.ReportsOn}); err != nil {
		return fmt.Errorf("opt in: %w", err)
	}
	before := o.identity
	o.identity.Consent = &next
	if err := o.saveIdentity(); err != nil {
		o.identity = before
		return fmt.Errorf("opt in: %w", err)
	}
	return nil
}

// credential reads a factory credential for an enrolment that is to be made.
func (o *Outbox) credential(credentialPEM []byte) (consent, error) {
	chain, key, err := parseCredential(credentialPEM)
	if err != nil {
		return consent{}, fmt.Errorf("factory credential: %w", err)
	}
	if len(o.identity.Withdrawals) >= maxWithdrawals {
		return consent{}, fmt.Errorf("the service has to be told of %d withdrawals first; connect the handset and let it poll", maxWithdrawals)
	}
	return consent{Credential: chain, Key: key}, nil
}

// OptOut turns reporting off at once, by name too: keys, tokens and waiting
// reports are destroyed, durably, before it makes any request. Then it tells
// the service to delete the enrolment. An error that wraps ErrWithdrawal means
// only that the service could not be told yet; Send goes on trying.
func (o *Outbox) OptOut(ctx context.Context) error {
	var unnoted error
	if o.identity.Consent != nil {
		before := o.identity
		o.resign()
		if err := o.saveIdentity(); err != nil {
			o.identity = before
			return fmt.Errorf("opt out: %w", err)
		}
		unnoted = o.note(receipts.Entry{Kind: receipts.ReportsOff}) // off it is all the same
	}
	if err := o.destroy(); err != nil {
		return fmt.Errorf("opt out: %w", err)
	}
	return errors.Join(o.Withdraw(ctx), unnoted)
}

// resign drops the consent with its keys, and signs the withdrawal before, if
// the service may know of the enrolment. The caller saves.
func (o *Outbox) resign() {
	c := o.identity.Consent
	if c == nil {
		return
	}
	o.identity.Consent, o.identity.kept = nil, strict.Kept{}
	if c.Asked {
		w := withdrawal{Request: vote.WithdrawRequest{DeviceKey: c.deviceKey()}}
		w.Request.Sign(c.device())
		o.identity.Withdrawals = append(slices.Clone(o.identity.Withdrawals), w)
	}
}

// Withdraw tells the service now to delete the enrolments that were given up.
// An error that wraps ErrWithdrawal means that Send goes on trying.
func (o *Outbox) Withdraw(ctx context.Context) error {
	for i := range o.identity.Withdrawals {
		o.identity.Withdrawals[i].Wait.Until = 0
	}
	return o.withdraw(ctx)
}

// destroy drops what must not outlive the consent: the queue, and what is left
// of files that were set aside or not finished.
func (o *Outbox) destroy() error {
	o.queue = queue{}
	failure := o.saveQueue()
	for _, name := range []string{identityFile, queueFile} {
		for _, suffix := range []string{damaged, disk.Unfinished} {
			if err := o.options.Disk.Remove(o.path(name + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failure = errors.Join(failure, err)
			}
		}
	}
	return errors.Join(failure, o.options.Disk.SyncDir(o.options.Dir))
}

// ErrWithdrawal says that the service still has to be told of a withdrawal.
var ErrWithdrawal = errors.New("reporting is off and its keys are destroyed, but the service could not be told yet to delete the enrolment; this is tried again")

// withdraw sends the withdrawals that wait.
func (o *Outbox) withdraw(ctx context.Context) error {
	var left []withdrawal
	var failure error
	tried := false
	for _, w := range o.identity.Withdrawals {
		if !o.due(w.Wait.Until) {
			left = append(left, w)
			continue
		}
		tried = true
		_, err := o.known.send(ctx, "v1/enrolments/withdraw", &w.Request, http.StatusNoContent)
		if err != nil {
			w.Wait = o.backoff(w.Wait, err)
			left = append(left, w)
			failure = fmt.Errorf("%w: %w", ErrWithdrawal, err)
			continue
		}
		failure = errors.Join(failure, o.note(receipts.Entry{Kind: receipts.Withdrawal}))
	}
	if !tried {
		return nil
	}
	o.identity.Withdrawals = left
	return errors.Join(failure, o.saveIdentity())
}

// Enrol makes the device key known to the service now. It does nothing when it
// is known already. ErrOff, ErrEnrolment, or what kept it from being sent.
func (o *Outbox) Enrol(ctx context.Context) error {
	c := o.identity.Consent
	switch {
	case c == nil:
		return ErrOff
	case c.Enrolled:
		return nil
	case c.Refused != "":
		return fmt.Errorf("%w: %s", ErrEnrolment, c.Refused)
	}
	if !c.Asked {
		if err := o.note(receipts.Entry{Kind: receipts.Enrolment}); err != nil {
			return fmt.Errorf("enrol: %w", err)
		}
		c.Asked = true
		if err := o.saveIdentity(); err != nil {
			return fmt.Errorf("enrol: %w", err)
		}
	}
	r := vote.EnrolRequest{DeviceKey: c.deviceKey(), Credential: c.Credential}
	r.Sign(c.credential())
	_, err := o.known.send(ctx, "v1/enrolments", &r, http.StatusNoContent)
	switch reason, final := verdict(err); {
	case err == nil:
		c.Enrolled, c.Wait = true, wait{}
	case final:
		c.Refused = reason
		err = fmt.Errorf("%w: %s", ErrEnrolment, reason)
	default:
		c.Wait = o.backoff(c.Wait, err)
		err = fmt.Errorf("enrol: %w", err)
	}
	return errors.Join(err, o.saveIdentity())
}

func (o *Outbox) saveIdentity() error { return o.save(identityFile, &o.identity, o.identity.kept) }
