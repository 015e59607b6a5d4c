package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
	"github.com/candor-ota/candor/server/hooks"
	"github.com/candor-ota/candor/server/store"
)

// Bounds of a page of the audit log.
const (
	auditPage = 100 // unless asked otherwise
	// auditScan is how many entries are held against the products of somebody who
	// may not see all, for one page. Each may take a look at a rollout.
	auditScan = 5000
)

// auditReach is how many entries are searched for a name, for one page: a second
// of a small machine. What is not found by then is asked for again, from there.
var auditReach int64 = 500_000

// listAudit shows the log. Whoever may not read every product sees what
// concerns theirs; entries that concern none, such as those about tokens, are
// for those who read all.
func (a *API) listAudit(c *gin.Context) {
	ctx, who := c.Request.Context(), identity(c)
	q, err := a.auditQuery(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	search := auditSearch{EntryQuery: q, log: a.Ledger, limit: q.Limit}
	if who.CheckEverywhere(auth.Read) != nil {
		search.sees = func(e store.Entry) (bool, error) {
			product, err := hooks.Product(ctx, a.Ledger, e)
			return err == nil && product != "" && who.Check(auth.Read, product) == nil, err
		}
	}
	head, err := a.Ledger.AuditHead(ctx)
	var out contract.AuditPage
	if err == nil {
		out, err = search.page(ctx, head.Seq)
	}
	out.Head = contract.AuditHead{Seq: head.Seq, Hash: head.Hash.String(), Words: head.Hash.Words()}
	a.reply(c, out, err)
}

// auditQuery reads what is asked for. Times become the numbers between which
// they lie.
func (a *API) auditQuery(c *gin.Context) (store.EntryQuery, error) {
	q := store.EntryQuery{Subject: c.Query("subject"), What: c.Query("what"), Who: c.Query("who")}
	number := func(field string, least, none int64) (int64, error) {
		text := c.Query(field)
		if text == "" {
			return none, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least {
			return 0, &refusal{code: contract.CodeBadRequest, detail: fmt.Sprintf("is not a whole number from %d", least), field: field}
		}
		return n, nil
	}
	limit, err := number("limit", 1, auditPage)
	if err == nil {
		q.After, err = number("after", 0, 0)
	}
	if err == nil {
		_, q.Newest = c.GetQuery("before")
		q.Before, err = number("before", 0, 0)
	}
	q.Limit = int(limit)
	times := map[string]time.Time{}
	for _, field := range []string{"since", "until"} {
		if text := c.Query(field); err == nil && text != "" {
			if times[field], err = time.Parse(time.RFC3339, text); err != nil {
				err = &refusal{code: contract.CodeBadRequest, detail: "is not a time such as 2026-03-01T00:00:00Z", field: field}
			}
		}
	}
	if err != nil || len(times) == 0 {
		return q, err
	}
	first, last, err := a.Ledger.AuditBetween(c.Request.Context(), times["since"], times["until"])
	q.After = max(q.After, first-1)
	if q.Before == 0 || q.Before > last {
		q.Before = last + 1
	}
	return q, err
}

func entryOf(e store.Entry) contract.AuditEntry {
	out := contract.AuditEntry{
		Seq: e.Seq, At: e.At, Who: e.Who, What: e.What, Subject: e.Subject, Prev: e.Prev.String(), Hash: e.Hash.String(),
	}
	if e.Why != "" {
		out.Why = &e.Why
	}
	if len(e.Detail) > 0 {
		out.Detail = &e.Detail
	}
	return out
}

// exportAudit streams the log as lines that verify by themselves. What fails
// on the way breaks the connection, so that a part does not pass for the
// whole.
func (a *API) exportAudit(c *gin.Context) {
	if err := identity(c).CheckEverywhere(auth.Administer); err != nil {
		a.fail(c, err)
		return
	}
	q, err := a.auditQuery(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Content-Type", "application/x-ndjson")
	c.Header("Cache-Control", "no-store")
	if err := a.stream(c, q); err != nil {
		a.Log.Error("the export of the audit log broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// stream writes entries, the oldest first, page by page: no long read holds up
// the writers.
func (a *API) stream(c *gin.Context, q store.EntryQuery) error {
	const pause = 1 << 20 // bytes between looks at the clock
	q.Limit, q.Newest = 500, false
	control, written := http.NewResponseController(c.Writer), pause
	for {
		list, failed := a.Ledger.Entries(c.Request.Context(), q)
		for _, e := range list { // also those before one that cannot be read
			if written >= pause {
				if err := unsupported(control.SetWriteDeadline(patience(pause))); err != nil {
					return err
				}
				written = 0
			}
			line, err := e.Line()
			if err != nil {
				return err
			}
			written += len(line)
			if _, err = c.Writer.Write(line); err != nil {
				return err
			}
			q.After = e.Seq
		}
		if failed != nil || len(list) < q.Limit {
			return failed
		}
	}
}
