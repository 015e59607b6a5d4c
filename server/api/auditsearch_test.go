package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

// append writes an entry of the world's clock.
func (w *world) append(who, what, subject, detail string) int64 {
	w.t.Helper()
	e, err := w.ledger.Append(ctx, store.Entry{At: w.now(), Who: who, What: what, Subject: subject, Detail: []byte(detail)})
	w.must(err)
	return e.Seq
}

// longLog adds entries to the real file; there is no chain through them.
func (w *world) longLog(who string, entries int) {
	w.t.Helper()
	w.damage(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO audit SELECT (SELECT MAX(seq) FROM audit) + i, %d, '%s', 'test', '', '', '', zeroblob(32), zeroblob(32) FROM n`, entries, w.now().Unix(), who))
}

func numbers(p contract.AuditPage) []int64 {
	out := []int64{}
	for _, e := range p.Entries {
		out = append(out, e.Seq)
	}
	return out
}

func (w *world) search(as auth.Role, query string) contract.AuditPage {
	w.t.Helper()
	return get[contract.AuditPage](w, as, "GET", "/v1/audit?"+query, nil)
}

func TestAuditLogIsReadFromItsEnd(t *testing.T) {
	w := ready(t, 43)
	head, err := w.ledger.AuditHead(ctx)
	w.must(err)
	want := head.Seq
	for before := int64(0); ; {
		page := w.search(auth.Viewer, fmt.Sprintf("before=%d&limit=2", before))
		for _, e := range page.Entries {
			if e.Seq != want {
				t.Errorf("%d stands where %d should", e.Seq, want)
			}
			want--
		}
		if page.Next == nil {
			break
		}
		before = *page.Next
	}
	if want != 0 {
		t.Errorf("it ends before %d", want)
	}
}

func TestAuditLogIsFilteredByWhoWhatAndWhen(t *testing.T) {
	w := ready(t, 43)
	w.wait(time.Hour)
	begin := w.now()
	a := w.append("Ana Ö (token)", "rollout.halt", "7-a", "")
	w.wait(time.Hour)
	b := w.append("server", "rollout.halt", "7-b", "")
	c := w.append("ana", "auth.sign-in", "", "")
	w.wait(time.Hour)
	d := w.append("Bo", "rollout.note", "7-b", "")
	at := func(d time.Duration) string { return url.QueryEscape(begin.Add(d).Format(time.RFC3339)) }
	for query, want := range map[string][]int64{
		"who=ANA":                               {a, c},
		"who=ana&before=0":                      {c, a},
		"who=" + url.QueryEscape("Ö"):           {a},
		"what=rollout.&before=0":                {d, b, a},
		"what=rollout.halt":                     {a, b},
		"what=rollout.&who=server":              {b},
		"subject=7-b&before=0":                  {d, b},
		"since=" + at(time.Hour):                {b, c, d},
		"since=" + at(0) + "&until=" + at(0):    {a},
		"since=" + at(time.Minute) + "&who=ana": {c},
		"what=rollout.&before=0&until=" + at(time.Hour) + "&since=" + at(0):                 {b, a},
		"since=" + at(30*time.Hour):                                                         {},
		"since=" + at(time.Minute) + "&until=" + at(2*time.Minute):                          {},
		"what=rollout.&limit=1&before=" + fmt.Sprint(d):                                     {b},
		"subject=7-b&what=rollout.note&who=Bo&since=" + at(0) + "&until=" + at(2*time.Hour): {d},
	} {
		if got := numbers(w.search(auth.Viewer, query)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", query, got, want)
		}
		var lines []int64
		for _, e := range w.export("?" + query) {
			lines = append(lines, e.Seq)
		}
		if slices.Sort(want); len(want) > 1 && !slices.Equal(lines, want) {
			t.Errorf("%s: exported %v, not %v", query, lines, want)
		}
	}
	for _, bad := range []string{"before=-1", "before=x", "who=", "what=", "since=yesterday", "until=1"} {
		w.refused(http.StatusBadRequest, contract.CodeBadRequest, auth.Viewer, "GET", "/v1/audit?"+bad, nil)
	}
}

// Whoever looks for a name in a long log gets an answer, which says how far was
// looked, and finds every entry in the end.
func TestSearchForANameIsBoundedAndSaysWhereToGoOn(t *testing.T) {
	api.Reach(t, 1)
	w := ready(t, 43)
	first := w.append("Ana", "test", "", "")
	w.longLog("server", 5000)
	last := w.append("ana", "test", "", "")
	for order, want := range map[string][]int64{"before": {last, first}, "after": {first, last}} {
		found, empty, place := []int64{}, 0, int64(0)
		for {
			page := w.search(auth.Viewer, fmt.Sprintf("who=ana&%s=%d", order, place))
			if found = append(found, numbers(page)...); len(page.Entries) == 0 {
				empty++
			}
			if page.Next == nil {
				break
			}
			place = *page.Next
		}
		if !slices.Equal(found, want) {
			t.Errorf("%s: %v, not %v", order, found, want)
		}
	}
	if page := w.search(auth.Viewer, "who=nobody&before=0"); page.Next == nil || *page.Next != last+1-4096 || len(page.Entries) != 0 {
		t.Errorf("%+v", page)
	}
}

func TestFiltersShowNothingOfOtherProducts(t *testing.T) {
	w := ready(t, 43)
	ours := w.append("ana", "test", "", `{"product":"phone"}`)
	w.append("ana", "test", "", `{"product":"tablet"}`)
	w.append("ana", "test", "", "")
	w.limitedTo(auth.Viewer, phone)
	for _, query := range []string{"who=ana", "what=test", "who=ana&before=0", "what=test&before=0&limit=1", "since=2000-01-01T00:00:00Z&what=test"} {
		if page := w.search(auth.Viewer, query); !slices.Equal(numbers(page), []int64{ours}) {
			t.Errorf("%s: %+v", query, page.Entries)
		}
	}
}

// What somebody may not see is passed over; the page says where to go on.
func TestPageOfWhoSeesLittleIsBounded(t *testing.T) {
	w := ready(t, 43)
	ours := w.append("ana", "test", "", `{"product":"phone"}`)
	w.longLog("ana", 5100)
	w.limitedTo(auth.Viewer, phone)
	page := w.search(auth.Viewer, "before=0&what=test")
	if len(page.Entries) != 0 || page.Next == nil {
		t.Fatalf("%d entries, next %v", len(page.Entries), page.Next)
	}
	if page = w.search(auth.Viewer, fmt.Sprintf("what=test&before=%d", *page.Next)); !slices.Equal(numbers(page), []int64{ours}) || page.Next != nil {
		t.Errorf("%+v", page)
	}
}
