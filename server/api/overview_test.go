package api_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/rollout"
	"github.com/candor-ota/candor/server/store"
)

func (w *world) overview(role auth.Role) contract.Overview {
	w.t.Helper()
	return get[contract.Overview](w, role, "GET", "/v1/overview", nil)
}

// needs gives what is told to need a person, of one kind.
func needs(o contract.Overview, kind contract.AttentionKind) (out []contract.Attention) {
	for _, a := range o.Attention {
		if a.Kind == kind {
			out = append(out, a)
		}
	}
	return out
}

func TestOverviewOfNothingIsEmptyAndNotNull(t *testing.T) {
	w := newWorld(t)
	_, _, body := w.call(auth.Viewer, "GET", "/v1/overview", nil)
	if o := w.overview(auth.Viewer); len(o.Products) != 0 || len(o.Attention) != 0 || strings.Contains(string(body), "null") {
		t.Errorf("%s", body)
	}
}

func TestOverviewPutsWhatNeedsAPersonFirst(t *testing.T) {
	w := ready(t, 42, 43)
	bad := w.change(w.rollout(42).Id, "start", "").Id
	w.cast(42, healthy, 6)
	w.cast(42, looped, 5)
	w.tick()
	draft := w.rollout(43).Id
	o := w.overview(auth.Operator)
	if len(o.Products) != 1 || o.Products[0].Name != "phone" || o.Products[0].Halted != 1 || o.Products[0].Drafts != 1 ||
		len(o.Products[0].Rollouts) != 1 || o.Products[0].Rollouts[0].Id != bad || o.Products[0].Newest.Build != 43 || o.Products[0].Complete != nil {
		t.Fatalf("%+v", o.Products)
	}
	brief := o.Products[0].Rollouts[0]
	if brief.State != contract.Halted || brief.HaltBound == nil || brief.Rate.Failed != 5 || brief.Version == "" || brief.Etag == 0 || !strings.Contains(brief.Sentence, "halted") {
		t.Errorf("%+v", brief)
	}
	first := o.Attention[0]
	if first.Kind != contract.NeedsHalted || first.Severity != contract.AttentionSeverityNow || *first.Rollout != bad || !strings.Contains(first.Sentence, "5 failures in 11 outcomes") || !*first.Mine {
		t.Errorf("%+v", first)
	}
	if mine := needs(o, contract.NeedsDraft); len(mine) != 1 || *mine[0].Rollout != draft || mine[0].Severity != contract.AttentionSeverityNotice {
		t.Errorf("%+v", mine)
	}
	if theirs := needs(w.overview(auth.Admin), contract.NeedsDraft); len(theirs) != 0 {
		t.Errorf("somebody else's draft is told: %+v", theirs)
	}
	if seen := w.overview(auth.Viewer).Attention[0]; *seen.Mine {
		t.Error("a viewer is told to do something about a halt")
	}
	if len(o.Roles) == 0 {
		t.Error("no role expires")
	}
	// A fix is on its way: what is left is that the bad build is signed.
	w.change(draft, "start", "")
	left := needs(w.overview(auth.Operator), contract.NeedsHalted)
	if len(left) != 1 || left[0].Severity != contract.AttentionSeverityNotice || !strings.Contains(left[0].Sentence, "candor-signer withdraw phone 42") {
		t.Errorf("%+v", left)
	}
	w.submit(w.Withdraw(phone, 42))
	if left := needs(w.overview(auth.Operator), contract.NeedsHalted); len(left) != 0 {
		t.Errorf("withdrawn, and %+v", left)
	}
}

func TestApprovalIsAskedOfThoseWhoMayGiveIt(t *testing.T) {
	w := ready(t, 42)
	id := w.change(w.rollout(42).Id, "start", "").Id
	mine := func(role auth.Role) *contract.Attention {
		for _, a := range needs(w.overview(role), contract.NeedsApproval) {
			if *a.Rollout == id {
				return &a
			}
		}
		return nil
	}
	for role, may := range map[auth.Role]bool{auth.Operator: false, auth.Admin: true, auth.Viewer: false, auth.Engineer: false} {
		if a := mine(role); a == nil || *a.Mine != may || a.Severity != contract.AttentionSeveritySoon {
			t.Errorf("%s: %+v", role, a)
		}
	}
	w.cast(42, healthy, 400)
	w.attempts(42, 400, w.now())
	w.wait(48 * time.Hour)
	if a := mine(auth.Admin); a == nil || a.Severity != contract.AttentionSeverityNow || !strings.Contains(a.Sentence, "Stage 2 (100 %)") {
		t.Errorf("nothing else is in the way: %+v", a)
	}
	w.as(auth.Admin, id, "approve", "")
	if a := mine(auth.Admin); a != nil {
		t.Errorf("it was given: %+v", a)
	}
	w.change(id, "pause", "lunch")
	if held := needs(w.overview(auth.Operator), contract.NeedsHeld); len(held) != 1 || !strings.Contains(held[0].Sentence, "lunch") {
		t.Errorf("%+v", held)
	}
	w.change(id, "halt", "bricks")
	w.change(id, "resume", "a broken rig")
	if a := mine(auth.Operator); a == nil || *a.Mine {
		t.Errorf("who asked may approve: %+v", a)
	}
	if a := mine(auth.Admin); a == nil || !*a.Mine || a.Severity != contract.AttentionSeverityNow {
		t.Errorf("%+v", a)
	}
}

func TestSignaturesThatRunOutNeedAPerson(t *testing.T) {
	w := ready(t, 42)
	if soon := needs(w.overview(auth.Viewer), contract.NeedsExpiry); len(soon) != 0 {
		t.Errorf("signed today, and %+v", soon)
	}
	w.wait(400 * 24 * time.Hour)
	o := w.overview(auth.Viewer)
	soon := needs(o, contract.NeedsExpiry)
	if len(soon) == 0 || soon[0].Severity != contract.AttentionSeverityNow || soon[0].Until == nil || *soon[0].Role == "" {
		t.Errorf("%+v", soon)
	}
	if len(needs(o, contract.NeedsTrouble)) == 0 {
		t.Error("the timestamp has expired, and nobody is told")
	}
}

func TestOverviewHasTheProductsThatTheCallerMaySee(t *testing.T) {
	w := ready(t, 42)
	w.change(w.rollout(42).Id, "start", "")
	other := w.bearer("other", w.make(auth.Admin, map[string]any{"name": "other", "role": "admin", "products": []string{"tablet"}}).Token)
	if status, _, body := w.call(auth.Engineer, "POST", "/v1/events", w.file(w.proposal(43))); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	if waiting := needs(w.overview(auth.Engineer), contract.NeedsEvent); len(waiting) != 1 || !*waiting[0].Mine || *waiting[0].Product != "phone" || *waiting[0].Event == "" {
		t.Errorf("%+v", waiting)
	}
	for _, path := range []string{"/v1/overview", "/v1/rollouts", "/v1/rollouts?limit=9", "/v1/rollouts?open=true"} {
		if _, _, body := w.call(other, "GET", path, nil); strings.Contains(string(body), "phone") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestRolloutsAreListedPageByPage(t *testing.T) {
	w := ready(t, 42, 43)
	var want []string
	for i := range 7 {
		w.wait(time.Second)
		want = append([]string{w.rollout(manifests.Build(42 + i%2)).Id}, want...)
	}
	var got []string
	path := "/v1/rollouts?limit=3"
	for {
		list := get[contract.RolloutList](w, auth.Viewer, "GET", path, nil)
		for _, r := range list.Rollouts {
			got = append(got, r.Id)
		}
		if list.Next == nil {
			break
		}
		if len(list.Rollouts) != 3 || len(got) > len(want) {
			t.Fatalf("a page of %d, and there is more", len(list.Rollouts))
		}
		w.rollout(43) // made meanwhile
		path = "/v1/rollouts?limit=3&before=" + url.QueryEscape(*list.Next)
	}
	if !slices.Equal(got, want) {
		t.Errorf("page by page %v; want %v", got, want)
	}
	w.change(want[0], "abandon", "never mind")
	ids := func(query string) int {
		return len(get[contract.RolloutList](w, auth.Viewer, "GET", "/v1/rollouts?"+query, nil).Rollouts)
	}
	for query, n := range map[string]int{
		"": 9, "open=true": 8, "state=abandoned": 1, "open=true&state=abandoned": 0, "search=42-": 4, "search=" + want[0]: 1,
		"product=phone&limit=5": 5, "product=tablet&limit=5": 0, "channel=beta&limit=5": 0, "channel=stable&limit=500": 9, "open=true&limit=500": 8,
	} {
		if got := ids(query); got != n {
			t.Errorf("%s: %d rollouts; want %d", query, got, n)
		}
	}
	for _, query := range []string{"limit=0", "limit=501", "limit=x", "before=x&limit=5", "before=0.x&limit=5", "before=01.x&limit=5", "product=%2F", "search="} {
		if status, _, _ := w.call(auth.Viewer, "GET", "/v1/rollouts?"+query, nil); status != 400 {
			t.Errorf("%s: %d", query, status)
		}
	}
}

func TestVersionsInTheFieldAreToldOverTime(t *testing.T) {
	w := hourly(t, 42, 43)
	path := "/v1/products/phone/versions"
	if v := get[contract.Versions](w, auth.Viewer, "GET", path, nil); len(v.Builds) != 0 || len(v.Points) != 0 {
		t.Errorf("%+v", v)
	}
	w.change(w.rollout(42).Id, "start", "")
	w.cast(42, healthy, 30)
	w.tick()
	w.wait(time.Hour)
	w.cast(43, healthy, 4)
	w.change(w.rollout(43).Id, "start", "")
	w.tick()
	w.wait(time.Hour)
	v := get[contract.Versions](w, auth.Viewer, "GET", path, nil)
	if len(v.Builds) != 2 || v.Builds[0].Build != 43 || v.Builds[0].Version == "" || len(v.Points) != 3 {
		t.Fatalf("%+v", v)
	}
	if p := v.Points[0]; p.Healthy[0] != nil || *p.Healthy[1] != 30 {
		t.Errorf("before build 43 was there: %v", p)
	}
	if p := v.Points[2]; *p.Healthy[0] != 4 || *p.Healthy[1] != 30 || !p.At.Equal(w.now()) {
		t.Errorf("now: %v", p)
	}
	w.refused(404, contract.CodeNotFound, auth.Viewer, "GET", "/v1/products/tablet/versions", nil)
}

func TestNoteChangesNothingButTheTimeline(t *testing.T) {
	w := ready(t, 42)
	r := w.rollout(42)
	w.refused(400, contract.CodeReasonNeeded, auth.Operator, "POST", "/v1/rollouts/"+r.Id+"/note", map[string]string{})
	for range 2 {
		got := w.change(r.Id, "note", "Li looks into it", "Idempotency-Key", "note-1")
		if got.Version != r.Version || got.State != r.State || !got.Changed.Equal(r.Changed) {
			t.Errorf("%+v", got)
		}
	}
	w.as(auth.Engineer, r.Id, "note", "so do I")
	rows := get[contract.Timeline](w, auth.Viewer, "GET", "/v1/rollouts/"+r.Id+"/timeline", nil).Entries
	if len(rows) != 3 || rows[1].What != "rollout.note" || *rows[1].Why != "Li looks into it" || !strings.Contains(rows[2].Who, "engineer") {
		t.Errorf("%+v", rows)
	}
	w.as(auth.Operator, r.Id, "abandon", "never mind")
	w.change(r.Id, "note", "it was a typo in the plan") // also when it is over
	if h := w.health(r.Id); len(h.Opened) != 0 {
		t.Errorf("a note opened something: %+v", h.Opened)
	}
}

// A note whose answer was lost in a crash is not written twice.
func TestNoteIsWrittenOncePerKey(t *testing.T) {
	w := ready(t, 42)
	id := manifests.Name(w.rollout(42).Id)
	note := rollout.Change{ID: id, Action: rollout.Note, By: rollout.Person{ID: "li", Name: "li"}, Reason: "seen", Key: manifests.SumSHA256([]byte("k"))}
	for range 2 {
		_, err := w.api.Rollouts.Change(ctx, note)
		w.must(err)
	}
	rows, err := w.ledger.Entries(ctx, store.EntryQuery{Subject: string(id)})
	if err != nil || len(rows) != 2 {
		t.Errorf("%d entries, %v", len(rows), err)
	}
}

func FuzzPlaceOfARollout(f *testing.F) {
	for _, seed := range []string{"", ".", "1.a", "1763760000.42-abcdefgh", "-1.a", "01.a", "1.", "1.a.b", "9223372036854775808.a", "1.\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := api.ParseMark(text)
		if err == nil && api.MarkText(m) != text {
			t.Errorf("%q is read as %v", text, m)
		}
	})
}

// scanned is a ledger that tells when all rollouts or releases of a product are
// read.
type scanned struct {
	store.Ledger
	scans []string
}

func (l *scanned) Rollouts(ctx context.Context, product manifests.Product) ([]store.Rollout, error) {
	l.scans = append(l.scans, "rollouts")
	return l.Ledger.Rollouts(ctx, product)
}

func (l *scanned) Releases(ctx context.Context, product manifests.Product) ([]store.Release, error) {
	l.scans = append(l.scans, "releases")
	return l.Ledger.Releases(ctx, product)
}

func TestPagesOfPeopleReadNoListThatGrows(t *testing.T) {
	var l *scanned
	w := newWorld(t, func(w *world) {
		w.around = func(inner store.Ledger) store.Ledger {
			l = &scanned{Ledger: inner}
			return l
		}
	})
	w.prepare(42, 43)
	id := w.change(w.rollout(43).Id, "start", "").Id
	for _, path := range []string{
		"/v1/overview", "/v1/rollouts?limit=50", "/v1/rollouts?open=true&limit=50", "/v1/rollouts/" + id, "/v1/rollouts/" + id + "/health",
		"/v1/rollouts/" + id + "/timeline", "/v1/products/phone/versions",
	} {
		l.scans = nil
		if status, _, body := w.call(auth.Viewer, "GET", path, nil); status != 200 || len(l.scans) > 0 {
			t.Errorf("%s: %d, reads all %v; %s", path, status, l.scans, body[:min(len(body), 200)])
		}
	}
}
