package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"github.com/candor-ota/candor/server/publish"
)

const packableKey = "candor.packable"

// packable marks requests whose answers may be compressed: reads of what the
// caller may see anyway. It is no matter of every answer, because the length of
// a compressed one tells of its content: where a secret, such as the CSRF token
// of a session, stands beside what somebody else chose, it can be guessed
// letter by letter (BREACH). So a route has to ask for it.
func packable(c *gin.Context) { c.Set(packableKey, c.Request.Method == http.MethodGet) }

// leastPacked is the shortest answer that is compressed, in bytes: below, it
// saves no packet.
const leastPacked = 4 << 10

// packers are fast ones: an answer is sent once.
var packers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one of gzip's
	}
	return w
}}

// sendJSON answers with v, compressed where that is allowed and asked for.
func (a *API) sendJSON(c *gin.Context, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.fail(c, err)
		return
	}
	if c.GetBool(packableKey) {
		c.Header("Vary", "Accept-Encoding")
		if len(body) >= leastPacked && publish.AcceptsGzip(c.Request.Header.Values("Accept-Encoding")) {
			if body, err = packedBody(body); err != nil {
				a.fail(c, err)
				return
			}
			c.Header("Content-Encoding", "gzip")
		}
	}
	c.Data(http.StatusOK, "application/json; charset=utf-8", body)
}

func packedBody(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
