package outbox

import (
	"fmt"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

const maxSent = 512

// Sent is one vote as it left the handset, without nonce and MAC.
type Sent struct {
	At      manifests.Time    `json:"at"` // of the first try
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Class   vote.Class        `json:"class"`
	Vote    vote.Vote         `json:"vote"`
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
	return fmt.Sprintf("%s %s of %s build %d: %s (%s)", s.At, s.Class, s.Product, s.Build, body, state)
}

// log is the file that the owner reads.
type log struct {
	Votes []Sent `json:"votes,omitempty"`
}

// record notes that a vote is about to leave, or that it was counted.
func (o *Outbox) record(e *entry, counted bool) error {
	for i := range o.sent.Votes {
		s := &o.sent.Votes[i]
		if s.Product == e.Product && s.Build == e.Build && s.Class == e.Class && s.Vote == *e.Vote && !s.Counted {
			if !counted {
				return nil
			}
			s.Counted = true
			return o.saveSent()
		}
	}
	o.sent.Votes = append(o.sent.Votes, Sent{
		At: manifests.At(o.now()), Product: e.Product, Build: e.Build, Class: e.Class, Vote: *e.Vote, Counted: counted,
	})
	if extra := len(o.sent.Votes) - maxSent; extra > 0 {
		o.sent.Votes = o.sent.Votes[extra:]
	}
	return o.saveSent()
}

func (o *Outbox) saveSent() error { return save(o.path(sentFile), &o.sent) }
