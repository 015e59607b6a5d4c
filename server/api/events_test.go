package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/event"
	"github.com/candor-ota/candor/server/auth"
)

func (w *world) proposal(build manifests.Build) *event.Proposal {
	w.t.Helper()
	state, err := w.api.Tree.State(ctx)
	w.must(err)
	return w.Propose(state, w.Release(build))
}

func (w *world) file(p *event.Proposal) []byte {
	w.t.Helper()
	data, err := p.Marshal()
	w.must(err)
	return data
}

// says is the body that brings an engineer's signature.
func (w *world) says(p *event.Proposal, who int) map[string]any {
	w.t.Helper()
	return map[string]any{"said": []event.Said{w.Says(p, w.Engineers[who], event.ImageRecomputed)}}
}

func TestEventGoesFromHandToHandThroughTheAPI(t *testing.T) {
	w := ready(t, 42)
	p := w.proposal(43)
	status, h, _ := w.call(auth.Engineer, "POST", "/v1/events", w.file(p))
	if status != http.StatusCreated || h.Get("ETag") != `"1"` {
		t.Fatalf("%d, ETag %s", status, h.Get("ETag"))
	}
	if status, _, _ := w.call(auth.Engineer, "POST", "/v1/events", w.file(p)); status != http.StatusOK {
		t.Errorf("opened again: %d", status)
	}
	list := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events", nil)
	if len(list.Events) != 1 || list.Events[0].State != "open" || *list.Events[0].Build != 43 || len(strings.Fields(list.Events[0].Words)) != 8 {
		t.Fatalf("got %+v", list)
	}
	at := "/v1/events/" + list.Events[0].Id
	w.refused(409, contract.CodeEventIncomplete, auth.Engineer, "POST", at+"/publish", nil)
	w.refused(403, contract.CodeForbidden, auth.Viewer, "POST", at+"/words", w.says(p, 0))
	w.refused(422, contract.CodeNotVerified, auth.Engineer, "POST", at+"/words", w.says(w.proposal(44), 0))
	w.refused(400, contract.CodeBadRequest, auth.Engineer, "POST", at+"/words", map[string]any{"said": []any{map[string]any{"keyid": 7}}})
	got := get[contract.Event](w, auth.Engineer, "POST", at+"/words", w.says(p, 0), "Idempotency-Key", "k")
	if got.Version != 2 || len(got.Statements) != 1 || *got.Statements[0].Image != "recomputed" || len(got.Roles[0].Signed) != 1 {
		t.Errorf("got %+v", got)
	}
	w.refused(400, contract.CodeBadRequest, auth.Engineer, "POST", at+"/remarks", map[string]any{"text": ""})
	got = get[contract.Event](w, auth.Admin, "POST", at+"/remarks", map[string]any{"text": "looks fine"})
	if len(got.Remarks) != 1 || got.State != "open" {
		t.Errorf("got %+v", got)
	}
	got = get[contract.Event](w, auth.Engineer, "POST", at+"/words", w.says(p, 1))
	if got.State != "complete" {
		t.Errorf("got %+v", got)
	}
	_, _, data := w.call(auth.Viewer, "GET", at+"/proposal", nil)
	if file, err := event.Parse(data); err != nil || len(file.Statements) != 2 {
		t.Errorf("the file: %v", err)
	}
	w.refused(412, contract.CodeStale, auth.Engineer, "POST", at+"/publish", nil, "If-Match", `"2"`)
	w.refused(403, contract.CodeForbidden, auth.Operator, "POST", at+"/publish", nil)
	done := get[contract.EventPublished](w, auth.Engineer, "POST", at+"/publish", nil, "If-Match", `"4"`)
	if done.Event.State != "published" || len(done.Accepted) != 2 || done.Snapshot == 0 {
		t.Errorf("got %+v", done)
	}
	releases := get[contract.ReleaseList](w, auth.Viewer, "GET", "/v1/products/phone/releases", nil)
	if len(releases.Releases) != 2 {
		t.Errorf("got %+v", releases)
	}
	entries := get[contract.AuditPage](w, auth.Viewer, "GET", "/v1/audit?subject="+done.Event.Id, nil)
	if len(entries.Entries) != 5 || entries.Entries[4].What != "event.published" {
		t.Errorf("got %+v", entries.Entries)
	}
	if list := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events", nil); len(list.Events) != 0 {
		t.Errorf("what is over is listed: %+v", list)
	}
}

func TestEventsComeInPages(t *testing.T) {
	w := ready(t, 42)
	for build := range manifests.Build(5) {
		get[contract.Event](w, auth.Engineer, "POST", "/v1/events", w.file(w.proposal(43+build)))
	}
	var seen []int64
	path := "/v1/events?limit=2"
	for path != "" {
		list := get[contract.EventList](w, auth.Viewer, "GET", path, nil)
		for _, v := range list.Events {
			seen = append(seen, *v.Build)
		}
		if path = ""; list.Next != nil {
			path = "/v1/events?limit=2&before=" + manifests.Build(*list.Next).String()
		}
	}
	if len(seen) != 5 || seen[0] != 47 || seen[4] != 43 {
		t.Errorf("got %v", seen)
	}
	one := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events", nil).Events[1]
	if list := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events?id="+one.Id[:8], nil); len(list.Events) != 1 || list.Events[0].Id != one.Id {
		t.Errorf("by its beginning: %+v", list)
	}
	if list := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events?product=watch", nil); len(list.Events) != 0 {
		t.Errorf("of another product: %+v", list)
	}
}

func TestEventsAreListedBeforeThereIsARoot(t *testing.T) {
	w := newWorld(t)
	w.refused(422, contract.CodeNotVerified, auth.Engineer, "POST", "/v1/events", []byte(`{"format":"candor-proposal-1"}`))
	if list := get[contract.EventList](w, auth.Viewer, "GET", "/v1/events", nil); len(list.Events) != 0 {
		t.Errorf("got %+v", list)
	}
}
