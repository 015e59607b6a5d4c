package outbox

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

// queue is what waits, and what became of it. Times are Unix milliseconds.
type queue struct {
	Entries []entry `json:"entries,omitempty"`
	Named   []named `json:"named,omitempty"` // in lab mode
	// Pause holds everything back while the service cannot be reached.
	Pause wait `json:"pause,omitzero"`

	kept strict.Kept // of a newer version of this program
}

// wait is a time to leave the service alone for.
type wait struct {
	Failures int   `json:"failures,omitempty"` // in a row
	Until    int64 `json:"until,omitempty"`
}

type state string

const (
	waiting state = "waiting"
	counted state = "counted" // the service acknowledged the vote
	refused state = "refused" // it never will; Reason says why
)

// UnmarshalText refuses other states.
func (s *state) UnmarshalText(b []byte) error {
	if v := state(b); v == waiting || v == counted || v == refused {
		*s = v
		return nil
	}
	return errors.New("is not a state of a vote")
}

// entry is the one vote of a class that a release takes from this handset: its
// token, from the first draw on, and the vote once there is one.
type entry struct {
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
	Class   vote.Class        `json:"class"`
	Key     manifests.VoteKey `json:"key"`             // that the service must prove to hold; as signed in the release
	Spare   bool              `json:"spare,omitempty"` // Key is of the spare set; it never goes back
	State   state             `json:"state"`
	Reason  string            `json:"reason,omitempty"`

	AskAt    int64         `json:"askAt,omitempty"` // when the token is due to be asked for
	Failures int           `json:"failures,omitempty"`
	Pending  *vote.Pending `json:"pending,omitempty"` // drawn; stored before it is first used
	Token    *vote.Token   `json:"token,omitempty"`

	Vote   *vote.Vote `json:"vote,omitempty"`
	Within int64      `json:"within,omitempty"` // length of the random delay, in ms
	CastAt int64      `json:"castAt,omitempty"`
}

const maxEntries = 256

func newEntry(ref vote.Ref, class vote.Class, rules manifests.VoteRules) (entry, error) {
	key, err := keyOf(rules, class, vote.Primary)
	return entry{Product: ref.Product, Build: ref.Build, Class: class, State: waiting, Key: key}, err
}

// keyOf gives a key that a release signs.
func keyOf(rules manifests.VoteRules, class vote.Class, set vote.Set) (manifests.VoteKey, error) {
	key, _ := vote.KeyOf(rules, class, set)
	if err := vote.CheckKey(key); err != nil {
		return key, fmt.Errorf("%s vote key of class %s: %w", set, class, err)
	}
	return key, nil
}

// set is the one whose key the entry has.
func (e *entry) set() vote.Set {
	if e.Spare {
		return vote.Spare
	}
	return vote.Primary
}

func (q *queue) find(ref vote.Ref, class vote.Class) *entry {
	for i := range q.Entries {
		if e := &q.Entries[i]; e.ref() == ref && e.Class == class {
			return e
		}
	}
	return nil
}

// makeRoom drops the oldest entries that hold no vote on its way.
func (q *queue) makeRoom(n int) error {
	for len(q.Entries)+n > maxEntries {
		i := slices.IndexFunc(q.Entries, func(e entry) bool { return !e.pending() })
		if i < 0 {
			return fmt.Errorf("%d votes wait already, and no more are kept", len(q.Entries))
		}
		q.Entries = slices.Delete(q.Entries, i, i+1)
	}
	return nil
}

func (e *entry) ref() vote.Ref { return vote.Ref{Product: e.Product, Build: e.Build} }

func (e *entry) String() string { return fmt.Sprintf("%s of %s", e.Class, e.ref()) }

// pending tells whether a vote was queued and is not settled.
func (e *entry) pending() bool { return e.Vote != nil && e.State == waiting }

func (e *entry) within() time.Duration { return time.Duration(e.Within) * time.Millisecond }

// settle ends an entry. Nonce and token go: nothing that stays on the handset
// could tie it to the vote.
func (e *entry) settle(s state, reason string) {
	e.State, e.Reason, e.Pending, e.Token = s, reason, nil, nil
}

func (o *Outbox) saveQueue() error { return o.save(queueFile, &o.queue, o.queue.kept) }
