package bundle

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/fetch"
	format "github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/layout"
)

const blobHash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func stick(t *testing.T) (path string, blob []byte) {
	t.Helper()
	blob = bytes.Repeat([]byte("0123456789"), 1000)
	var out bytes.Buffer
	w, err := format.NewWriter(&out, format.Header{Product: "phone", Build: 43})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{layout.TimestampFile, []byte(`{"signed":{}}`)}, {layout.BlobsDir + "/" + blobHash, blob}} {
		if err := w.Add(f.name, int64(len(f.data)), bytes.NewReader(f.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "43.candor")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, blob
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestBundleStandsInForTheNetwork(t *testing.T) {
	path, blob := stick(t)
	f := open(t, path)
	if f.Product != "phone" || f.Build != 43 {
		t.Fatalf("%+v", f.Header)
	}
	if got, err := f.Get(t.Context(), layout.TimestampFile, 100, ""); err != nil || string(got.Body) != `{"signed":{}}` || got.ETag != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := f.Get(t.Context(), layout.TimestampFile, 5, ""); !errors.Is(err, fetch.ErrTooLarge) {
		t.Errorf("more was read than was asked for: %v", err)
	}
	for _, absent := range []string{"metadata/2.root.json", "bundle.json", "/etc/passwd", "../43.candor"} {
		if _, err := f.Get(t.Context(), absent, 100, ""); !errors.Is(err, fetch.ErrNotFound) {
			t.Errorf("%s: %v", absent, err)
		}
	}
	name, size := layout.BlobsDir+"/"+blobHash, int64(len(blob))
	for _, r := range []fetch.Range{{Path: name, Size: size}, {Path: name, From: 7, Size: size}, {Path: name, From: 7, To: 1234, Size: size}, {Path: name, From: size, Size: size}} {
		body, err := f.OpenRange(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		to := r.To
		if to == 0 {
			to = size
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, blob[r.From:to]) {
			t.Errorf("%+v: %d bytes, %v", r, len(got), err)
		}
	}
}

func TestRangesThatAreNotThereAreRefused(t *testing.T) {
	path, blob := stick(t)
	f, size := open(t, path), int64(len(blob))
	name := layout.BlobsDir + "/" + blobHash
	for _, c := range []struct {
		r    fetch.Range
		want error
	}{
		{fetch.Range{Path: layout.BlobsDir + "/" + strings.Repeat("b", 64), Size: size}, fetch.ErrNotFound},
		{fetch.Range{Path: name, Size: size + 1}, fetch.ErrWrongLength},
		{fetch.Range{Path: name, From: -1, Size: size}, nil},
		{fetch.Range{Path: name, From: 2, To: 1, Size: size}, nil},
		{fetch.Range{Path: name, To: size + 1, Size: size}, nil},
	} {
		if _, err := f.OpenRange(t.Context(), c.r); err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%+v: %v, want %v", c.r, err, c.want)
		}
	}
}

// A stick that is pulled out half-way costs the update, and is noticed.
func TestBundleCutWhileItIsReadIsNoEnd(t *testing.T) {
	path, blob := stick(t)
	f := open(t, path)
	if err := os.Truncate(path, 3000); err != nil {
		t.Fatal(err)
	}
	body, err := f.OpenRange(t.Context(), fetch.Range{Path: layout.BlobsDir + "/" + blobHash, Size: int64(len(blob))})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%d bytes, then %v", n, err)
	}
}

func TestOnlyAPlainFileIsABundle(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{dir: "no plain file", filepath.Join(dir, "absent"): "no such file", os.DevNull: "no plain file"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
