package outbox

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

const maxSent = 512

// Sent is one report as it left the handset: a vote without nonce and MAC, or
// in lab mode a report by name.
type Sent struct {
	At      manifests.Time    `json:"at"` // of the first try
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Class   vote.Class        `json:"class"`
	Vote    vote.Vote         `json:"vote"`
	ByName  bool              `json:"byName,omitempty"`
	Counted bool              `json:"counted"` // the service acknowledged it
}

// String is a line for the owner.
func (s Sent) String() string {
	body, err := s.Vote.Canonical()
	if err != nil {
		body = []byte(err.Error())
	}
	state := "not acknowledged"
	if s.Counted {
		state = "counted"
	}
	if s.ByName {
		state = "by name, " + state
	}
	return fmt.Sprintf("%s %s of %s build %d: %s (%s)", s.At, s.Class, s.Product, s.Build, body, state)
}

// log is the file that the owner reads.
type log struct {
	Votes []Sent `json:"votes,omitempty"`

	kept strict.Kept // of a newer version of this program
}

// record notes that a report is about to leave, or that it was counted.
func (o *Outbox) record(r Sent) error {
	for i := range o.sent.Votes {
		s := &o.sent.Votes[i]
		if s.Product == r.Product && s.Build == r.Build && s.Class == r.Class && s.Vote == r.Vote && s.ByName == r.ByName && !s.Counted {
			if !r.Counted {
				return nil
			}
			s.Counted = true
			return o.saveSent()
		}
	}
	r.At = manifests.At(o.now())
	o.sent.Votes = append(o.sent.Votes, r)
	if extra := len(o.sent.Votes) - maxSent; extra > 0 {
		o.sent.Votes = o.sent.Votes[extra:]
	}
	return o.saveSent()
}

func (o *Outbox) saveSent() error { return o.save(sentFile, &o.sent, o.sent.kept) }
