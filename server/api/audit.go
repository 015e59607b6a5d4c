package api

import (
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
	auditScan = 5000
)

// listAudit shows the log. Whoever may not read every product sees what
// concerns theirs; entries that concern none, such as those about tokens, are
// for those who read all.
func (a *API) listAudit(c *gin.Context) {
	limit, after, err := auditPlace(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	ctx, who := c.Request.Context(), identity(c)
	all, scan := who.CheckEverywhere(auth.Read) == nil, auditScan
	if all {
		scan = limit + 1
	}
	out := contract.AuditPage{Entries: []contract.AuditEntry{}}
	list, err := a.Ledger.Entries(ctx, store.EntryQuery{Subject: c.Query("subject"), After: after, Limit: scan})
	for i, e := range list {
		if len(out.Entries) == limit {
			out.Next = &list[i-1].Seq
			break
		}
		if i == auditScan-1 {
			out.Next = &list[i].Seq
		}
		if all {
			out.Entries = append(out.Entries, entryOf(e))
			continue
		}
		product, err := hooks.Product(ctx, a.Ledger, e)
		if err != nil {
			a.fail(c, err)
			return
		}
		if product != "" && who.Check(auth.Read, product) == nil {
			out.Entries = append(out.Entries, entryOf(e))
		}
	}
	if err == nil {
		head, herr := a.Ledger.AuditHead(ctx)
		out.Head, err = contract.AuditHead{Seq: head.Seq, Hash: head.Hash.String(), Words: head.Hash.Words()}, herr
	}
	a.reply(c, out, err)
}

func auditPlace(c *gin.Context) (limit int, after int64, err error) {
	limit = auditPage
	if text := c.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, 0, &refusal{code: contract.CodeBadRequest, detail: "is not a whole number from 1", field: "limit"}
		}
	}
	if text := c.Query("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, &refusal{code: contract.CodeBadRequest, detail: "is not the number of an entry", field: "after"}
		}
	}
	return limit, after, nil
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
	_, after, err := auditPlace(c)
	var since time.Time
	if text := c.Query("since"); err == nil && text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			err = &refusal{code: contract.CodeBadRequest, detail: "is not a time such as 2026-03-01T00:00:00Z", field: "since"}
		}
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Content-Type", "application/x-ndjson")
	c.Header("Cache-Control", "no-store")
	if err := a.stream(c, store.EntryQuery{After: after, Subject: c.Query("subject")}, since); err != nil {
		a.Log.Error("the export of the audit log broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// stream writes entries from the first that is not older than since.
func (a *API) stream(c *gin.Context, q store.EntryQuery, since time.Time) error {
	const pause = 1 << 20 // bytes between looks at the clock
	control, written, begun := http.NewResponseController(c.Writer), pause, since.IsZero()
	return a.Ledger.Walk(c.Request.Context(), q.After, func(e store.Entry) error {
		begun = begun || !e.At.Before(since)
		if !begun || q.Subject != "" && e.Subject != q.Subject {
			return nil
		}
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
		_, err = c.Writer.Write(line)
		return err
	})
}
