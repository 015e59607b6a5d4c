package disk_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/storetest"
)

func open(t *testing.T, dir string) *disk.Blobs {
	t.Helper()
	b, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func fresh(t *testing.T) (string, *disk.Blobs) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	if err := disk.Create(dir); err != nil {
		t.Fatal(err)
	}
	return dir, open(t, dir)
}

func TestConformance(t *testing.T) {
	storetest.Blobs(t, 1<<20, func(t *testing.T) store.Blobs {
		_, b := fresh(t)
		return b
	})
}

func TestNothingIsCreatedImplicitly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	if _, err := disk.Open(dir); err == nil {
		t.Fatal("a missing folder was opened")
	}
	if err := disk.Create(dir); err != nil {
		t.Fatal(err)
	}
	if disk.Create(dir) == nil {
		t.Error("an existing folder was created again")
	}
}

func TestSecondProcessKeptOut(t *testing.T) {
	dir, b := fresh(t)
	if _, err := disk.Open(dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v; want a refusal that says why", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedWritesLeaveNoFiles(t *testing.T) {
	dir, b := fresh(t)
	o := store.Object{Key: "x", Size: 5}
	if b.Put(t.Context(), o, strings.NewReader("wrong")) == nil {
		t.Fatal("wrong bytes were written")
	}
	left, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	dir, b := fresh(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, ".tmp", "half")
	if err := os.WriteFile(stale, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = func() *disk.Blobs { b, err := disk.Open(dir); must(t, err); return b }()
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the leftover is still there: %v", err)
	}
	must(t, b.Close())
}

func TestSymbolicLinkOutOfTheFolderNotFollowed(t *testing.T) {
	dir, b := fresh(t)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	must(t, os.Symlink(secret, filepath.Join(dir, "link")))
	if _, _, err := b.Open(t.Context(), "link"); err == nil {
		t.Error("a link out of the folder was followed")
	}
}

func TestFilesCanBeSentByTheKernel(t *testing.T) {
	_, b := fresh(t)
	must(t, store.PutBytes(t.Context(), b, "x", []byte("0123456789")))
	r, info, err := b.Open(t.Context(), "x")
	must(t, err)
	if _, isFile := r.(syscall.Conn); !isFile {
		t.Fatalf("%T is not a file, so sendfile is lost", r)
	}
	req := httptest.NewRequest(http.MethodGet, "/x", nil)
	req.Header.Set("Range", "bytes=2-4")
	w := httptest.NewRecorder()
	http.ServeContent(w, req, "", info.Modified, r)
	if w.Code != http.StatusPartialContent || w.Body.String() != "234" {
		t.Errorf("range gave %d %q", w.Code, w.Body)
	}
	must(t, r.Close())
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir, b := fresh(t)
	must(t, store.PutBytes(t.Context(), b, "a/x", nil))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestViewReadsBesideTheServerAndLeavesNoTrace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	if err := disk.Create(dir); err != nil {
		t.Fatal(err)
	}
	b, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := disk.OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutBytes(t.Context(), b, "a/x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replace(t.Context(), "head", []byte("2"), ""); err != nil {
		t.Fatal(err)
	}
	r, info, err := v.Open(t.Context(), "a/x")
	if err != nil || info.Size != 1 {
		t.Fatal(info, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	data, _, err := v.Load(t.Context(), "head")
	n := 0
	for _, listErr := range v.List(t.Context(), "") {
		if listErr != nil {
			t.Fatal(listErr)
		}
		n++
	}
	if _, statErr := v.Stat(t.Context(), "none"); err != nil || string(data) != "2" || n != 2 || !errors.Is(statErr, store.ErrNotFound) {
		t.Errorf("%q, %d objects, %v, %v", data, n, err, statErr)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := store.PutBytes(t.Context(), b, "a/y", []byte("1")); err != nil {
		t.Errorf("the server was disturbed: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
