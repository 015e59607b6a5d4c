package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/server/publish"
	"github.com/candor-ota/candor/server/release"
	"github.com/candor-ota/candor/server/store"
)

// Intake judges and takes what is signed, and records again what is published.
type Intake interface {
	Published(ctx context.Context) (*release.Published, error)
	Reconcile(ctx context.Context, by string) error
	Submit(ctx context.Context, by string, s publish.Submission, permit func(manifests.Product) error) (release.Result, error)
}

// Options of a Service.
type Options struct {
	Ledger store.Events
	Intake Intake
	Now    func() time.Time
	Log    *slog.Logger // nil is slog.Default
}

// Service keeps signing events. It is safe for concurrent use.
type Service struct{ Options }

// New makes a Service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{o}
}

// Person is who acts.
type Person struct {
	ID    string // the human being
	Name  string // for the log and for display
	Admin bool   // may end what others opened
}

// Refusal is a no of this package.
type Refusal struct{ Code, Detail string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// State is where an event stands.
type State string

// The states of an event; see the package comment.
const (
	Open       = State(store.EventOpen)
	Complete   = State("complete")
	Published  = State(store.EventPublished)
	Rejected   = State(store.EventRejected)
	Superseded = State(store.EventSuperseded)
	Expired    = State(store.EventExpired)
)

// sentences say what follows from a state.
var sentences = map[State]string{
	Open:       "it waits for signatures",
	Complete:   "enough people have signed; publish it with `candor-signer event publish ID`",
	Published:  "it is published",
	Rejected:   "it was rejected; make another proposal that answers the reasons",
	Superseded: "something else was published meanwhile, and it starts from what was there before; make it again with `candor-signer event renew ID`",
	Expired:    "it was not signed in time; make it again with `candor-signer event renew ID`",
}

// Sentence says what follows from the state.
func (s State) Sentence() string { return sentences[s] }

// Event is one as it stands.
type Event struct {
	store.Event
	State  State
	Tables release.Tables
	Said   []event.Said
}

// facts are kept with an event, for what is asked often.
type facts struct {
	Tables release.Tables    `json:"tables"`
	Base   map[string]string `json:"base"`
	After  map[string]string `json:"after"`
}

// understand works out how an event stands.
func (s *Service) understand(v store.Event, published *release.Published) (Event, error) {
	var f facts
	out := Event{Event: v, State: State(v.State)}
	if err := json.Unmarshal(v.Facts, &f); err != nil {
		return out, fmt.Errorf("event %.12s: %w", v.ID, err)
	}
	var err error
	if out.Tables = f.Tables; err == nil {
		out.Said, err = saidOf(v.Words)
	}
	if err != nil || v.State != store.EventOpen {
		return out, err
	}
	holds, err := published.Holds(f.After)
	if err != nil {
		return out, err
	}
	fits, err := published.Fits(f.Base)
	switch {
	case err != nil:
		return out, err
	case holds:
		out.State = Published
	case f.Tables.Hopeless(out.Said):
		out.State = Rejected
	case !fits:
		out.State = Superseded
	case !v.Expires.After(s.Now()):
		out.State = Expired
	case f.Tables.Complete(out.Said):
		out.State = Complete
	}
	return out, nil
}

// saidOf joins words by key.
func saidOf(words []store.EventWord) ([]event.Said, error) {
	var out []event.Said
	at := map[string]int{}
	for _, w := range words {
		var said event.Said
		if err := json.Unmarshal(w.Said, &said); err != nil {
			return nil, fmt.Errorf("word of key %.12s: %w", w.KeyID, err)
		}
		i, ok := at[w.KeyID]
		if !ok {
			i = len(out)
			at[w.KeyID] = i
			out = append(out, event.Said{KeyID: w.KeyID})
		}
		if w.Reject {
			out[i].Rejection = said.Rejection
		} else {
			out[i].Statement, out[i].Signatures = said.Statement, said.Signatures
		}
	}
	return out, nil
}

// Get gives an event.
func (s *Service) Get(ctx context.Context, id string) (Event, error) {
	v, err := s.Ledger.Event(ctx, id)
	if err != nil {
		return Event{}, err
	}
	published, err := s.Intake.Published(ctx)
	if err != nil {
		return Event{}, err
	}
	return s.understand(v, published)
}

// List gives events, the newest first.
func (s *Service) List(ctx context.Context, q store.EventQuery) ([]Event, error) {
	list, err := s.Ledger.Events(ctx, q)
	if err != nil {
		return nil, err
	}
	published, err := s.Intake.Published(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Event, len(list))
	for i := range list {
		if out[i], err = s.understand(list[i], published); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// File gives the proposal with what everybody has said.
func (s *Service) File(ctx context.Context, id string) ([]byte, Event, error) {
	v, err := s.Get(ctx, id)
	if err != nil {
		return nil, v, err
	}
	p, err := proposalOf(v)
	if err != nil {
		return nil, v, err
	}
	data, err := p.Marshal()
	return data, v, err
}

// proposalOf reads what is kept.
func proposalOf(v Event) (*release.Proposal, error) {
	p, err := release.ReadProposal(v.Body)
	if err == nil {
		p, err = p.With(v.Said...)
	}
	if err != nil {
		return nil, fmt.Errorf("event %.12s: what is kept does not hold: %s", v.ID, err.Error()) // not the fault of who asks
	}
	return p, nil
}

// Waiting tells how many events are open or complete, and since when the oldest
// is; zero if there is none.
func (s *Service) Waiting(ctx context.Context) (count int, oldest time.Time, err error) {
	list, err := s.List(ctx, store.EventQuery{Open: true})
	for i := range list {
		if list[i].State != Open && list[i].State != Complete {
			continue
		}
		if count++; oldest.IsZero() || list[i].Opened.Before(oldest) {
			oldest = list[i].Opened
		}
	}
	return count, oldest, err
}

// Settle records of each open event that it has come to its end.
func (s *Service) Settle(ctx context.Context) error {
	list, err := s.List(ctx, store.EventQuery{Open: true})
	for i := range list {
		v := &list[i]
		if v.State == Open || v.State == Complete {
			continue
		}
		e := s.entry("server", "event."+string(v.State), &v.Event, nil)
		e.Why = v.State.Sentence()
		// ErrStale: somebody else has just said so, or signed.
		if moved := s.Ledger.MoveEvent(ctx, v.ID, v.Version, store.EventState(v.State), e); moved != nil && !errors.Is(moved, store.ErrStale) {
			err = errors.Join(err, moved)
		}
	}
	return err
}

// entry is a line of the audit log about an event.
func (s *Service) entry(by, what string, v *store.Event, people []string) store.Entry {
	detail, err := json.Marshal(struct {
		Kind    string            `json:"kind"`
		Product manifests.Product `json:"product,omitempty"`
		Build   manifests.Build   `json:"build,omitempty"`
		People  []string          `json:"people,omitempty"` // who signed or rejected, by their keys
	}{v.Kind, v.Product, v.Build, people})
	if err != nil {
		panic(err) // made of texts and numbers
	}
	return store.Entry{At: s.Now().UTC().Truncate(time.Second), Who: by, What: what, Subject: v.ID, Detail: detail}
}

// closed says that nothing can be added any more.
func closed(v *Event) error {
	if v.State == Superseded {
		return refuse(api.CodeEventSuperseded, "%s", v.State.Sentence())
	}
	return refuse(api.CodeEventClosed, "%s", v.State.Sentence())
}
