package api

import (
	"crypto/rand"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/server/store"
)

const requestKey = "candor.request"

// operated gives a request of the operator plane a number, which its answer and
// its lines of the log carry, and a span. What handsets send has neither
// (promise P3), and a number that the sender made up is not taken over.
func (a *API) operated(c *gin.Context) {
	id := rand.Text()
	c.Set(requestKey, id)
	c.Header("X-Request-Id", id)
	ctx, ended := a.Observed.Request(c.Request.Context(), method(c.Request), c.FullPath(), id)
	defer func() { ended(c.Writer.Status()) }()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// request gives the number of a request, empty for those of handsets.
func request(c *gin.Context) string { return c.GetString(requestKey) }

// told remembers which entries of the audit log have their line, the newest
// 1024 of them.
type told [1024]atomic.Int64

func (t *told) first(seq int64) bool { return t[seq%int64(len(t))].Swap(seq) != seq }

// noted writes one line of the log for each change that a person made: number
// and verb of its entry in the audit log, and the request. Who it was and why
// stands there, for those who may read it, and not in the log. Two requests of
// one person at once may exchange their numbers.
func (a *API) noted(c *gin.Context) {
	if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		return
	}
	ctx := c.Request.Context()
	before, err := a.Ledger.AuditHead(ctx)
	if err != nil { // which keeps nobody from halting
		a.Log.Error("a change has no line here; see the audit log", "request", request(c), "error", err)
		return
	}
	c.Next()
	list, err := a.Ledger.Entries(ctx, store.EntryQuery{After: before.Seq, Limit: auditPage})
	if err != nil {
		a.Log.Error("a change has no line here; see the audit log", "after", before.Seq, "request", request(c), "error", err)
	}
	who := identity(c).Who()
	for _, e := range list {
		if e.Who == who && a.lines.first(e.Seq) {
			a.Log.Info("change", "audit", e.Seq, "what", e.What, "route", c.FullPath(), "request", request(c))
		}
	}
}
