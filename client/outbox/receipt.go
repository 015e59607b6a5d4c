package outbox

import (
	"encoding/json"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// Receipts is the owner's log; *receipts.Log is one. An entry is durable when
// either method returns nil; AppendOnce knows repeats.
type Receipts interface {
	Append(e receipts.Entry) error
	AppendOnce(e receipts.Entry) error
}

func (o *Outbox) note(e receipts.Entry) error {
	if o.options.Receipts == nil {
		return nil
	}
	return o.options.Receipts.Append(e)
}

// noteNamed notes a report by name to the letter.
func (o *Outbox) noteNamed(r *vote.LabReport) error {
	if o.options.Receipts == nil {
		return nil
	}
	body, err := strict.Canonical(r)
	if err != nil {
		return err
	}
	return o.options.Receipts.AppendOnce(receipts.Entry{Kind: receipts.NamedSent, Build: r.Build, Sent: string(body)})
}

// noteVote notes everything that a vote says. It is taken from the request
// itself, so that no field can be sent and not shown.
func (o *Outbox) noteVote(r *vote.CastRequest) error {
	if o.options.Receipts == nil {
		return nil
	}
	body, err := strict.Canonical(r)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return err
	}
	delete(fields, "nonce")
	delete(fields, "mac")
	shown, err := strict.Canonical(fields)
	if err != nil {
		return err
	}
	return o.options.Receipts.AppendOnce(receipts.Entry{Kind: receipts.VoteSent, Build: r.Build, Sent: string(shown)})
}
