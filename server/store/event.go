package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
)

// EventState is what became of a signing event. Whether an open one has enough
// signatures, or still fits what is published, is worked out when it is read.
type EventState string

// The states of a signing event; all but open are final.
const (
	EventOpen       EventState = "open"
	EventPublished  EventState = "published"
	EventRejected   EventState = "rejected"
	EventSuperseded EventState = "superseded" // what it starts from has moved on
	EventExpired    EventState = "expired"
)

// Event is a proposal that lies on the server while people sign it.
type Event struct {
	ID       string // the proposal's hash, 64 hex digits
	Kind     string
	Product  manifests.Product // empty: concerns none in particular
	Build    manifests.Build   // 0: likewise
	State    EventState
	Facts    json.RawMessage // what the server worked out of the body, for lists
	Body     []byte          // the proposal without anybody's word; nil in lists
	Expires  time.Time       // it cannot be published from then on
	Opened   time.Time
	OpenedBy string // for display
	Owner    string // the person
	Changed  time.Time
	Version  int64 // set by the ledger: 1, then one more with each change
	Sequence int64 // set by the ledger: order of opening, from 1

	Words   []EventWord
	Remarks []EventRemark
}

// EventWord is what a key has said: there is at most one of each sort.
type EventWord struct {
	KeyID  string
	Reject bool // a rejection; else a statement with its signatures
	Said   json.RawMessage
	At     time.Time // when it came here
	By     string    // whose token brought it, for display
}

// EventRemark is what a person of the server said, without a key.
type EventRemark struct {
	Number int64 // set by the ledger, from 1
	At     time.Time
	By     string // for display
	Person string
	Reject bool
	Text   string
}

// Bounds of events, against whoever has a token and bad intentions; a system
// has a handful of open ones. They are constants: to raise one is harmless.
const (
	MaxOpenEvents   = 500
	MaxEventWords   = 128 // of one event
	MaxEventRemarks = 500 // of one event
)

// EventQuery picks events, the newest first.
type EventQuery struct {
	Release vote.Ref // only those that concern this release; the zero Ref: all
	Open    bool     // only open ones
	Prefix  string   // only IDs that begin so
	Before  int64    // only with a lower sequence; 0: all
	Limit   int      // 0: all
}

// Events keeps signing events.
type Events interface {
	// AddEvent gives Version and Sequence, and keeps its words. It is ErrExists
	// if the ID is there, ErrFull if MaxOpenEvents are open.
	AddEvent(ctx context.Context, v Event, e Entry) (Event, error)
	// Event gives one whole; ErrNotFound if there is none.
	Event(ctx context.Context, id string) (Event, error)
	// Events gives a part of all, with words and remarks but without bodies.
	Events(ctx context.Context, q EventQuery) ([]Event, error)
	// AddWords keeps those of which there is none of their sort and key yet, and
	// tells how many; none leaves no entry. It is ErrStale unless the event is
	// open and of that version, so that whoever checks all words together has
	// seen all of them; ErrFull beyond MaxEventWords.
	AddWords(ctx context.Context, id string, version int64, words []EventWord, e Entry) (int, error)
	// AddRemark keeps a remark; the same as the last one of that person changes
	// nothing. ErrFull beyond MaxEventRemarks.
	AddRemark(ctx context.Context, id string, r EventRemark, e Entry) error
	// MoveEvent ends an open event. It is ErrStale unless it is open and, with a
	// version, of that version; the same end again changes nothing.
	MoveEvent(ctx context.Context, id string, version int64, to EventState, e Entry) error
}
