package api_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/manifests/audit"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/store"
)

func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// limitedTo makes a token for one product and gives it the place of a role.
func (w *world) limitedTo(role auth.Role, products ...manifests.Product) {
	w.t.Helper()
	_, secret, err := auth.Create(ctx, w.ledger, auth.NewToken{Name: "limited", Role: role, Products: products, By: "test"}, w.now())
	w.must(err)
	w.tokens[role] = secret
}

func TestAuditLogIsReadInPages(t *testing.T) {
	w := ready(t, 43)
	r := w.rollout(43)
	var all []contract.AuditEntry
	for after, pages := int64(0), 0; ; pages++ {
		page := get[contract.AuditPage](w, auth.Viewer, "GET", fmt.Sprintf("/v1/audit?after=%d&limit=3", after), nil)
		all = append(all, page.Entries...)
		if page.Next == nil {
			head, err := w.ledger.AuditHead(ctx)
			w.must(err)
			if page.Head.Seq != head.Seq || page.Head.Hash != head.Hash.String() || page.Head.Words != head.Hash.Words() || pages < 2 {
				t.Errorf("head %+v after %d pages", page.Head, pages)
			}
			break
		}
		if len(page.Entries) != 3 {
			t.Errorf("a page of %d", len(page.Entries))
		}
		after = *page.Next
	}
	for i, e := range all {
		if e.Seq != int64(i+1) {
			t.Errorf("entry %d stands at %d", e.Seq, i)
		}
	}
	one := get[contract.AuditPage](w, auth.Viewer, "GET", "/v1/audit?subject="+r.Id, nil)
	if len(one.Entries) != 1 || one.Entries[0].What != "rollout.create" || len(*one.Entries[0].Detail) == 0 {
		t.Errorf("%+v", one.Entries)
	}
	for _, bad := range []string{"limit=0", "limit=501", "after=-1", "after=x", "subject="} {
		w.refused(400, contract.CodeBadRequest, auth.Viewer, "GET", "/v1/audit?"+bad, nil)
	}
	w.refused(401, contract.CodeUnauthorized, "", "GET", "/v1/audit", nil)
}

func TestTokenOfAnotherProductSeesNothingOfThisOne(t *testing.T) {
	w := ready(t, 43)
	w.rollout(43)
	w.limitedTo(auth.Viewer, "tablet")
	if page := get[contract.AuditPage](w, auth.Viewer, "GET", "/v1/audit", nil); len(page.Entries) != 0 {
		t.Errorf("it sees %+v", page.Entries)
	}
	w.limitedTo(auth.Viewer, phone)
	seen := map[string]bool{}
	for _, e := range get[contract.AuditPage](w, auth.Viewer, "GET", "/v1/audit", nil).Entries {
		seen[e.What] = true
	}
	if !seen["rollout.create"] || !seen["release.add"] || !seen["product.add"] || seen["token.new"] {
		t.Errorf("a token of this product sees %v", seen)
	}
	w.limitedTo(auth.Admin, phone)
	w.refused(403, contract.CodeForbidden, auth.Admin, "GET", "/v1/audit/export", nil)
	w.refused(403, contract.CodeForbidden, auth.Operator, "GET", "/v1/audit/export", nil)
}

func (w *world) export(query string) (entries []audit.Entry) {
	w.t.Helper()
	status, h, body := w.call(auth.Admin, "GET", "/v1/audit/export"+query, nil)
	if status != http.StatusOK || h.Get("Content-Type") != "application/x-ndjson" {
		w.t.Fatalf("%d %s", status, body)
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, audit.MaxLine)
	for lines.Scan() {
		e, err := audit.Parse(lines.Bytes())
		w.must(err)
		entries = append(entries, e)
	}
	return entries
}

func TestExportVerifiesByItself(t *testing.T) {
	w := ready(t, 43)
	w.wait(time.Hour)
	r := w.rollout(43)
	w.must(second(w.ledger.Append(ctx, store.Entry{At: w.now(), Who: "ana <&>", What: "test", Subject: r.Id, Why: "ünïcode \u2028", Detail: []byte(`{ "odd":   1.0 }`)})))
	chain := audit.Chain{Whole: true}
	all := w.export("")
	for _, e := range all {
		w.must(chain.Add(e))
	}
	head, err := w.ledger.AuditHead(ctx)
	if w.must(err); chain.Head != head {
		t.Errorf("ends with %v, not %v", chain.Head, head)
	}
	part := w.export(fmt.Sprintf("?after=%d", len(all)-2))
	since := w.export("?since=" + w.now().Format(time.RFC3339))
	of := w.export("?subject=" + r.Id)
	if len(part) != 2 || len(since) != 2 || len(of) != 2 || since[0].Subject != r.Id {
		t.Errorf("%d, %d, %d entries", len(part), len(since), len(of))
	}
	w.refused(400, contract.CodeBadRequest, auth.Admin, "GET", "/v1/audit/export?since=yesterday", nil)
}

// damage changes the real file.
func (w *world) damage(statement string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "ledger.db"))
	w.must(err)
	_, err = db.Exec(statement)
	w.must(errors.Join(err, db.Close()))
}

func second[T any](_ T, err error) error { return err }

// A reader must be able to tell a part from the whole.
func TestExportThatFailsOnItsWayBreaksOff(t *testing.T) {
	w := ready(t, 43)
	for range 1200 {
		w.must(second(w.ledger.Append(ctx, store.Entry{At: w.now(), Who: "a", What: "test", Why: strings.Repeat("x", 500)})))
	}
	w.damage(`UPDATE audit SET hash = x'00' WHERE seq = 1100`)
	r, err := http.NewRequest("GET", w.http.URL+"/v1/audit/export", nil)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+w.tokens[auth.Admin])
	resp, err := http.DefaultClient.Do(r)
	w.must(err)
	defer resp.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(resp.Body); err == nil {
		t.Errorf("%d bytes passed for the whole log", got.Len())
	}
}
