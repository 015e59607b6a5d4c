package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
)

// There is always a handset that is in the middle of an image: a server that is
// told to end does not call that a failure.
func TestSlowDownloadDoesNotMakeAnEndFail(t *testing.T) {
	dir := made(t)
	image := bytes.Repeat([]byte("image"), 10<<20)
	path := layout.BlobFile(manifests.SumSHA256(image))
	b, err := disk.Open(config.Dir(dir).Tree())
	if err == nil {
		err = errors.Join(store.PutBytes(t.Context(), b, path, image), b.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	address, cancel, done := serve(t, dir)
	resp, err := http.Get(address.Listen + "/" + path)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end: %v", err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n == int64(len(image)) {
		t.Errorf("%d bytes came, %v", n, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}
