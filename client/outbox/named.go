package outbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// maxUrgent bounds the waits of a handset in lab mode, whose report may be a
// veto: those of votes grow to hours.
const maxUrgent = 5 * time.Minute

const maxNamed = 64

// named is a report that leaves by name. It is signed when it leaves.
type named struct {
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Class   vote.Class        `json:"class"`
	Vote    vote.Vote         `json:"vote"`
	State   state             `json:"state"`
	Reason  string            `json:"reason,omitempty"`
	Wait    wait              `json:"wait,omitzero"`
}

func (n *named) ref() vote.Ref { return vote.Ref{Product: n.Product, Build: n.Build} }

func (n *named) String() string { return fmt.Sprintf("%s of %s, by name", n.Class, n.ref()) }

// reportNamed queues what lab handsets are heard on: trials and regressions.
// The first report of a class stands, as with votes.
func (o *Outbox) reportNamed(ref vote.Ref, class vote.Class, v vote.Vote) error {
	if class != vote.Trial && class != vote.Regression {
		return nil
	}
	if slices.ContainsFunc(o.queue.Named, func(n named) bool { return n.ref() == ref && n.Class == class }) {
		return nil
	}
	before := o.queue.Named
	list := slices.Clone(before)
	if len(list) >= maxNamed {
		i := slices.IndexFunc(list, func(n named) bool { return n.State != waiting })
		if i < 0 {
			return fmt.Errorf("report %s of %s: %d reports wait already, and no more are kept", class, ref, len(list))
		}
		list = slices.Delete(list, i, i+1)
	}
	o.queue.Named = append(list, named{Product: ref.Product, Build: ref.Build, Class: class, Vote: v, State: waiting})
	if err := o.saveQueue(); err != nil {
		o.queue.Named = before
		return err
	}
	return nil
}

// sendNamed sends the reports that are due.
func (o *Outbox) sendNamed(ctx context.Context) error {
	var failures error
	for i := range o.queue.Named {
		n := &o.queue.Named[i]
		if n.State != waiting || !o.due(n.Wait.Until) {
			continue
		}
		failures = errors.Join(failures, o.tell(ctx, n))
		if ctx.Err() != nil || !o.identity.Consent.Enrolled {
			break
		}
	}
	return failures
}

// tell sends one report by name. The same bytes go out at each try.
func (o *Outbox) tell(ctx context.Context, n *named) error {
	c := o.identity.Consent
	r := vote.LabReport{Product: n.Product, Build: n.Build, Class: n.Class, Vote: n.Vote, DeviceKey: c.deviceKey()}
	if err := r.Sign(c.device()); err != nil {
		n.State, n.Reason = refused, err.Error()
		return errors.Join(fmt.Errorf("report %s: %w", n, err), o.saveQueue())
	}
	if err := o.noteNamed(&r); err != nil {
		return fmt.Errorf("report %s: %w", n, err)
	}
	sent := Sent{Product: n.Product, Build: n.Build, Class: n.Class, Vote: n.Vote, ByName: true}
	if err := o.record(sent); err != nil {
		return err
	}
	_, err := o.known.send(ctx, "v1/lab-reports", &r, http.StatusNoContent)
	switch reason, isFinal := verdict(err); {
	case err == nil:
		sent.Counted = true
		if err := o.record(sent); err != nil {
			return err
		}
		n.State, n.Wait = counted, wait{}
	case isFinal:
		n.State, n.Reason = refused, reason
	default:
		if hasCode(err, codeNotEnrolled) {
			c.Enrolled = false
			err = errors.Join(err, o.saveIdentity())
		}
		n.Wait = o.backoff(n.Wait, err)
	}
	if err != nil {
		err = fmt.Errorf("report %s: %w", n, err)
	}
	return errors.Join(err, o.saveQueue())
}

func (o *Outbox) namedTimes() []time.Time {
	var times []time.Time
	for i := range o.queue.Named {
		if n := &o.queue.Named[i]; n.State == waiting {
			times = append(times, o.moment(n.Wait.Until))
		}
	}
	return times
}
