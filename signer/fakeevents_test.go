package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/rogpeppe/go-internal/testscript"
)

// fakeEvents carries proposals as the contract has it, and checks what a
// signer's program would. Scripts make it fail, or lie, by files in its folder.
type fakeEvents struct {
	kept  map[string]*ceremony.Proposal
	state map[string]string // of those that are over
	notes map[string][]api.EventRemark
	order []string
}

func (s *fakeServer) eventRoutes(mux *http.ServeMux) {
	s.events = fakeEvents{kept: map[string]*ceremony.Proposal{}, state: map[string]string{}, notes: map[string][]api.EventRemark{}}
	mux.HandleFunc("GET /v1/events", s.listEvents)
	mux.HandleFunc("POST /v1/events", s.openEvent)
	mux.HandleFunc("GET /v1/events/{id}", s.known(func(w http.ResponseWriter, _ *http.Request, p *ceremony.Proposal) { s.answer(w, s.eventOf(p)) }))
	mux.HandleFunc("GET /v1/events/{id}/proposal", s.known(func(w http.ResponseWriter, _ *http.Request, p *ceremony.Proposal) {
		data, err := p.Marshal()
		if err == nil {
			_, err = w.Write(data)
		}
		s.broken(w, err)
	}))
	mux.HandleFunc("POST /v1/events/{id}/words", s.known(s.words))
	mux.HandleFunc("POST /v1/events/{id}/remarks", s.known(s.remark))
	mux.HandleFunc("POST /v1/events/{id}/publish", s.known(s.publishEvent))
}

func (s *fakeServer) broken(w http.ResponseWriter, err error) {
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (s *fakeServer) answer(w http.ResponseWriter, v any) { s.broken(w, json.NewEncoder(w).Encode(v)) }

func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: &detail})
}

// known finds the event of a path.
func (s *fakeServer) known(f func(http.ResponseWriter, *http.Request, *ceremony.Proposal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := s.events.kept[r.PathValue("id")]
		if p == nil {
			problem(w, http.StatusNotFound, api.CodeNotFound, "there is no such thing")
			return
		}
		f(w, r, p)
	}
}

func (s *fakeServer) eventOf(p *ceremony.Proposal) api.Event {
	out := api.Event{
		Id: p.Hash(), Words: p.Words(), Kind: string(p.Kind), State: "open", Sentence: "see what `event status ID` says", OpenedBy: "ci \x1b[2J", Opened: time.Now(), Changed: time.Now(),
		Expires: time.Now(), Version: 1, Sequence: 1, Roles: []api.EventRole{}, Statements: []api.EventStatement{}, Rejections: []api.EventRejection{},
		Remarks: s.events.notes[p.Hash()],
	}
	if p.Complete() == nil {
		out.State = "complete"
	}
	if state := s.events.state[p.Hash()]; state != "" {
		out.State = state
	}
	for _, r := range p.Status() {
		out.Roles = append(out.Roles, api.EventRole{Role: r.Role, Version: r.Version, Threshold: r.Threshold, Complete: r.Complete, Signed: r.Signed, Waiting: r.Waiting})
	}
	for _, r := range p.Rejected() {
		out.Rejections = append(out.Rejections, api.EventRejection{Holder: r.Holder, At: r.At, Reason: r.Reason})
	}
	return out
}

func (s *fakeServer) listEvents(w http.ResponseWriter, r *http.Request) {
	out := api.EventList{Events: []api.Event{}}
	for _, id := range s.events.order {
		if strings.HasPrefix(id, r.URL.Query().Get("id")) && (s.events.state[id] == "" || r.URL.Query().Get("all") == "true") {
			out.Events = append(out.Events, s.eventOf(s.events.kept[id]))
		}
	}
	s.answer(w, out)
}

func (s *fakeServer) openEvent(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	s.broken(w, err)
	p, err := ceremony.Parse(data)
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, api.CodeNotVerified, err.Error())
		return
	}
	have := s.events.kept[p.Hash()]
	if have == nil {
		s.events.order = append(s.events.order, p.Hash())
	} else if p, err = ceremony.Merge(have, p); err != nil {
		problem(w, http.StatusUnprocessableEntity, api.CodeNotVerified, err.Error())
		return
	}
	s.events.kept[p.Hash()] = p
	s.answer(w, s.eventOf(p))
}

func (s *fakeServer) words(w http.ResponseWriter, r *http.Request, p *ceremony.Proposal) {
	var in struct{ Said []event.Said }
	err := json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		var data []byte
		if data, err = p.With(in.Said...).Marshal(); err == nil {
			p, err = ceremony.Parse(data)
		}
	}
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, api.CodeNotVerified, err.Error())
		return
	}
	s.events.kept[p.Hash()] = p
	if s.cut > 0 { // the words are kept, their answer is lost
		s.cut--
		panic(http.ErrAbortHandler)
	}
	s.answer(w, s.eventOf(p))
}

func (s *fakeServer) remark(w http.ResponseWriter, r *http.Request, p *ceremony.Proposal) {
	var in api.EventRemarkRequest
	s.broken(w, json.NewDecoder(r.Body).Decode(&in))
	s.events.notes[p.Hash()] = append(s.events.notes[p.Hash()], api.EventRemark{By: "Li", Text: in.Text, Reject: in.Reject != nil && *in.Reject})
	s.answer(w, s.eventOf(p))
}

func (s *fakeServer) publishEvent(w http.ResponseWriter, _ *http.Request, p *ceremony.Proposal) {
	done, err := p.Submission()
	if err != nil {
		problem(w, http.StatusConflict, api.CodeEventIncomplete, err.Error())
		return
	}
	if s.events.state[p.Hash()] == "" {
		if missing := s.missing(p); missing != "" {
			problem(w, http.StatusUnprocessableEntity, api.CodeMissingBlob, missing)
			return
		}
		if err := s.publish(done.Metadata, done.Targets); err != nil {
			s.broken(w, err)
			return
		}
		s.events.state[p.Hash()] = "published"
	}
	s.answer(w, api.EventPublished{Event: s.eventOf(p), Accepted: []string{}, Snapshot: s.stamps})
}

// eventID sets ID to the beginning of the ID that a proposal has: eventid FILE.
func eventIDOf(ts *testscript.TestScript, _ bool, args []string) {
	p, err := ceremony.Parse([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Setenv("ID", p.Hash()[:12])
}

// loseAnswers has the next answer to words get lost on its way.
func loseAnswers(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(serverKey).(*fakeServer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = 1
}
