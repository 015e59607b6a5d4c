package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/candor-ota/candor/manifests"
	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/store"
)

// The headers of changes that may be repeated.
const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
	maxKey         = 128
)

// maxKeptAnswer is the largest body that is kept, in bytes.
const maxKeptAnswer = 1 << 20

// keptHeaders are what of an answer's header is kept.
var keptHeaders = []string{"Content-Type", "Cache-Control", "ETag", "Location"}

// secretRoutes answer with something that the ledger must not hold: a repeated
// request is told so instead.
var secretRoutes = map[string]bool{"/v1/api-tokens": true}

// underWay are the keyed changes that this process is making, however long
// they take; the ledger's claims speak for other processes.
type underWay struct{ set sync.Map }

var (
	errInProgress = &refusal{code: contract.CodeInProgress, detail: "the same change is being made; ask again", field: keyHeader}
	errMismatch   = &refusal{code: contract.CodeIdempotencyMismatch, detail: "this key belongs to another request; make up a new one", field: keyHeader}
	errManyKeys   = &refusal{code: contract.CodeBusy, detail: "too many changes of the last day are remembered for you", field: keyHeader}
)

// idempotent makes a change with an Idempotency-Key once, and has the hooks
// look at what came of any change. It stands behind authentication and whole,
// before whatever changes or refuses something.
func (a *API) idempotent(c *gin.Context) {
	if c.Request.Method == http.MethodGet {
		return
	}
	defer a.Hooks.Kick()
	keys := c.Request.Header.Values(keyHeader)
	if len(keys) == 0 {
		c.Next()
		return
	}
	change, err := a.keyedChange(c, keys)
	if err != nil {
		a.fail(c, err)
		return
	}
	id := change.Who + "\x00" + string(change.Key[:])
	if _, busy := a.underWay.set.LoadOrStore(id, nil); busy {
		a.inProgress(c)
		return
	}
	defer a.underWay.set.Delete(id)
	was, claimed, err := a.Ledger.BeginChange(c.Request.Context(), change)
	switch {
	case errors.Is(err, store.ErrConflict):
		a.fail(c, errMismatch)
	case errors.Is(err, store.ErrFull):
		a.fail(c, errManyKeys)
	case err != nil:
		a.fail(c, err)
	case claimed:
		a.makeOnce(c, change)
	case was.Status == 0:
		a.inProgress(c)
	default:
		for name, value := range was.Header {
			c.Header(name, value)
		}
		c.Header(replayedHeader, "true")
		c.Status(was.Status)
		a.send(c, was.Body)
		c.Abort()
	}
}

func (a *API) inProgress(c *gin.Context) {
	c.Header("Retry-After", "1")
	a.fail(c, errInProgress)
}

func (a *API) send(c *gin.Context, body []byte) {
	if len(body) == 0 {
		c.Writer.WriteHeaderNow()
		return
	}
	if _, err := c.Writer.Write(body); err != nil {
		a.Log.Debug("the sender went away before its answer", "route", c.FullPath(), "error", err)
	}
}

func (a *API) keyedChange(c *gin.Context, keys []string) (store.KeyedChange, error) {
	key := keys[0]
	for _, b := range []byte(key) {
		if b < ' ' || b > '~' {
			key = ""
		}
	}
	if len(keys) > 1 || key == "" || len(key) > maxKey {
		return store.KeyedChange{}, &refusal{code: contract.CodeBadRequest, detail: "is one value of 1 to 128 printable ASCII characters", field: keyHeader}
	}
	r := c.Request
	return store.KeyedChange{
		Who: identity(c).ID, Key: manifests.SumSHA256([]byte(key)), Claim: rand.Text(), Now: a.Now(),
		Request: requestHash(r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("If-Match"), string(body(c))),
	}, nil
}

// onceKey tells a keyed request from all others, for changes that remember it
// themselves: a crash between a change and its answer leaves the change without
// the answer. Zero: it has no key.
func onceKey(c *gin.Context) manifests.SHA256 {
	key := c.GetHeader(keyHeader)
	if key == "" {
		return manifests.SHA256{}
	}
	return requestHash(identity(c).ID, key)
}

// requestHash hashes all that makes a request what it is.
func requestHash(parts ...string) manifests.SHA256 {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p))))
		h.Write([]byte(p))
	}
	return manifests.SHA256(h.Sum(nil))
}

// heldAnswer holds an answer back until it is kept.
type heldAnswer struct {
	gin.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int)            { h.status = status }
func (h *heldAnswer) WriteHeaderNow()                   {}
func (h *heldAnswer) Write(b []byte) (int, error)       { return h.body.Write(b) }
func (h *heldAnswer) WriteString(s string) (int, error) { return h.body.WriteString(s) }
func (h *heldAnswer) Status() int                       { return h.status }
func (h *heldAnswer) Size() int                         { return h.body.Len() }
func (h *heldAnswer) Written() bool                     { return h.body.Len() > 0 }
func (h *heldAnswer) Flush()                            {}

// settleTime bounds what is written once a change is made, even if its sender
// has gone.
const settleTime = 10 * time.Second

// makeOnce makes the change and keeps its answer before it is sent: who has
// seen it gets the same one from then on. What may pass by itself is not kept,
// nor what a panic left.
func (a *API) makeOnce(c *gin.Context, change store.KeyedChange) {
	held := &heldAnswer{ResponseWriter: c.Writer, status: http.StatusOK}
	c.Writer = held
	made := false
	defer func() {
		c.Writer = held.ResponseWriter
		ctx, done := context.WithTimeout(context.WithoutCancel(c.Request.Context()), settleTime)
		defer done()
		if err := a.settleChange(ctx, c, change, held, made); err != nil {
			a.Log.Error("the answer to a change is not kept", "route", c.FullPath(), "error", err)
		}
		if made {
			c.Writer.WriteHeader(held.status)
			a.send(c, held.body.Bytes())
		}
	}()
	c.Next()
	made = true
}

func (a *API) settleChange(ctx context.Context, c *gin.Context, change store.KeyedChange, held *heldAnswer, made bool) error {
	passing := held.status >= http.StatusInternalServerError || held.status == http.StatusTooManyRequests ||
		held.status == http.StatusForbidden // permissions may change
	if !made || passing || held.body.Len() > maxKeptAnswer {
		return a.Ledger.DropChange(ctx, change)
	}
	answer := store.Answer{Status: held.status, Header: map[string]string{}, Body: held.body.Bytes()}
	for _, name := range keptHeaders {
		if v := held.Header().Get(name); v != "" {
			answer.Header[name] = v
		}
	}
	if secretRoutes[c.FullPath()] && held.status < http.StatusMultipleChoices {
		var err error
		if answer, err = madeBefore(); err != nil {
			return err
		}
	}
	return a.Ledger.FinishChange(ctx, change, answer)
}

// madeBefore is what stands for an answer with a secret.
func madeBefore() (store.Answer, error) {
	detail := "it was made, and its secret was shown that once; end it and make another"
	body, err := json.Marshal(contract.Problem{
		Type: "about:blank", Title: title(http.StatusConflict), Status: http.StatusConflict, Code: contract.CodeConflict, Detail: &detail,
	})
	header := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
	return store.Answer{Status: http.StatusConflict, Header: header, Body: body}, err
}
