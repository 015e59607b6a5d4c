package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	contract "github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/server/auth"
)

func TestLongReadsAreCompressedForWhoeverAsks(t *testing.T) {
	w := ready(t, 42)
	for range 15 {
		w.rollout(42)
	}
	list := func(header ...string) (encoding string, body []byte) {
		status, h, body := w.call(auth.Viewer, "GET", "/v1/rollouts", nil, header...)
		if status != 200 || h.Get("Vary") != "Accept-Encoding" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%d %v", status, h)
		}
		return h.Get("Content-Encoding"), body
	}
	_, plain := list("Accept-Encoding", "identity")
	for _, other := range []string{"identity", "br", "gzip;q=0", "zstd"} {
		if encoding, body := list("Accept-Encoding", other); encoding != "" || !bytes.Equal(body, plain) {
			t.Errorf("%s: %q", other, encoding)
		}
	}
	encoding, packed := list("Accept-Encoding", "gzip, deflate, br, zstd")
	r, err := gzip.NewReader(bytes.NewReader(packed))
	w.must(err)
	again, err := io.ReadAll(r)
	w.must(errors.Join(err, r.Close()))
	if encoding != "gzip" || len(plain) < 4<<10 || len(packed) > len(plain)/2 || !bytes.Equal(again, plain) {
		t.Errorf("%q: %d bytes of %d", encoding, len(packed), len(plain))
	}
	if _, h, body := w.call(auth.Viewer, "GET", "/v1/products", nil, "Accept-Encoding", "gzip"); h.Get("Content-Encoding") != "" || !json.Valid(body) {
		t.Errorf("%d bytes are compressed", len(body))
	}
}

// What has secrets in it is sent as it is, however long: the length of a
// compressed answer would tell of them.
func TestAnswersWithSecretsAreNeverCompressed(t *testing.T) {
	w := ready(t, 42)
	var products []string
	for i := range 100 {
		products = append(products, fmt.Sprintf("a-product-of-many-others-with-a-name-that-is-not-short-%d", i))
	}
	made := w.make(auth.Admin, map[string]any{"name": "many", "role": "admin", "products": products})
	w.bearer("many", made.Token)
	_, h, body := w.call("many", "GET", "/v1/auth/session", nil, "Accept-Encoding", "gzip")
	var caller contract.Caller
	if err := json.Unmarshal(body, &caller); err != nil || len(body) < 4<<10 || h.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes, %v, %v", len(body), h, err)
	}
}
