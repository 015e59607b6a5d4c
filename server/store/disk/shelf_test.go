package disk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
)

// held counts the files below a folder that this process holds open.
func held(t *testing.T, dir string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range all {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && strings.HasPrefix(to, dir+"/x") {
			n++
		}
	}
	return n
}

func read(t *testing.T, b *disk.Blobs, key string) string {
	t.Helper()
	r, info, err := b.Open(t.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		return "none"
	}
	must(t, err)
	data, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	if info.Size != int64(len(data)) {
		t.Errorf("%s: %d bytes, its size is %d", key, len(data), info.Size)
	}
	return string(data)
}

func TestNextRangeFindsItsFileOpen(t *testing.T) {
	dir, b := fresh(t)
	must(t, store.PutBytes(t.Context(), b, "x", []byte("0123456789")))
	for range 3 {
		if got := read(t, b, "x"); got != "0123456789" {
			t.Errorf("got %q", got)
		}
		if n := held(t, dir); n != 1 {
			t.Errorf("%d files are open", n)
		}
	}
	// Two who read at once do not move one another.
	first, _, err := b.Open(t.Context(), "x")
	must(t, err)
	_, err = first.Seek(5, io.SeekStart)
	must(t, err)
	if got := read(t, b, "x"); got != "0123456789" {
		t.Errorf("beside another reader: %q", got)
	}
	rest, err := io.ReadAll(first)
	if must(t, errors.Join(err, first.Close())); string(rest) != "56789" {
		t.Errorf("beside another reader: %q", rest)
	}
}

// What a name means is looked up each time, whoever changed it. A second name,
// as backups by links make them, does not keep the first one alive.
func TestFileKeptOpenIsNotServedForAnother(t *testing.T) {
	dir, b := fresh(t)
	path, other := filepath.Join(dir, "x"), filepath.Join(t.TempDir(), "backup")
	for _, change := range []struct {
		name string
		do   func() error
		want string
	}{
		{"removed by hand", func() error { return errors.Join(os.Link(path, other), os.Remove(path)) }, "none"},
		{"replaced by hand", func() error {
			return errors.Join(os.WriteFile(path+"2", []byte("new"), 0o600), os.Rename(path+"2", path))
		}, "new"},
		{"cut short", func() error { return os.Truncate(path, 2) }, "ol"},
		{"replaced", func() error {
			_, tag, err := b.Load(t.Context(), "x")
			if err == nil {
				_, err = b.Replace(t.Context(), "x", []byte("newer"), tag)
			}
			return err
		}, "newer"},
		{"deleted", func() error { return b.Delete(t.Context(), "x") }, "none"},
		{"made a folder", func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "none"},
	} {
		must(t, errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("old"), 0o600)))
		if got := read(t, b, "x"); got != "old" {
			t.Fatalf("%s: before that %q", change.name, got)
		}
		must(t, change.do())
		if got := read(t, b, "x"); got != change.want {
			t.Errorf("%s: %q instead of %q", change.name, got, change.want)
		}
	}
}

func TestDeletedFileGivesItsSpaceBackAtOnce(t *testing.T) {
	dir, b := fresh(t)
	must(t, store.PutBytes(t.Context(), b, "x", []byte("1")))
	one, _, err := b.Open(t.Context(), "x")
	must(t, err)
	if read(t, b, "x"); held(t, dir) != 2 {
		t.Fatalf("%d files are open", held(t, dir))
	}
	must(t, errors.Join(one.Close(), b.Delete(t.Context(), "x")))
	if n := held(t, dir); n != 0 {
		t.Errorf("%d files are still open", n)
	}
}

func TestFilesKeptOpenAreFewAndNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "blobs")
		must(t, disk.Create(dir))
		b, err := disk.Open(dir)
		must(t, err)
		for i := range 100 {
			key := fmt.Sprint("x", i)
			must(t, store.PutBytes(t.Context(), b, key, []byte(key)))
			read(t, b, key)
			<-time.After(time.Millisecond)
		}
		if n := held(t, dir); n != 64 {
			t.Errorf("%d files are open", n)
		}
		if read(t, b, "x99"); held(t, dir) != 64 {
			t.Errorf("%d files are open after one was asked for again", held(t, dir))
		}
		<-time.After(9 * time.Second)
		read(t, b, "x99")
		<-time.After(2 * time.Second)
		if n := held(t, dir); n != 1 {
			t.Errorf("%d files are open, of which one was asked for", n)
		}
		<-time.After(10 * time.Second)
		if n := held(t, dir); n != 0 {
			t.Errorf("%d files are open, and nobody asks", n)
		}
		// A reader may outlive the store.
		late, _, err := b.Open(t.Context(), "x1")
		must(t, err)
		read(t, b, "x2")
		must(t, b.Close())
		if n := held(t, dir); n != 1 {
			t.Errorf("%d files are open after the end, of which one is read", n)
		}
		data, err := io.ReadAll(late)
		if must(t, errors.Join(err, late.Close())); string(data) != "x1" || held(t, dir) != 0 {
			t.Errorf("%q, and %d files are open", data, held(t, dir))
		}
	})
}

// http.ServeContent may leave a goroutine behind that still reads a body whose
// request is over.
func TestLateReaderDoesNotDisturbTheNext(t *testing.T) {
	_, b := fresh(t)
	must(t, store.PutBytes(t.Context(), b, "x", []byte("0123456789")))
	late, _, err := b.Open(t.Context(), "x")
	must(t, err)
	raw, err := late.(syscall.Conn).SyscallConn()
	must(t, errors.Join(err, late.Close()))
	next, _, err := b.Open(t.Context(), "x")
	must(t, err)
	_, sought := late.Seek(7, io.SeekStart)
	_, got := late.Read(make([]byte, 3))
	touched := raw.Read(func(uintptr) bool { t.Error("the kernel was given the file"); return true })
	for _, err := range []error{sought, got, touched, raw.Control(func(uintptr) {}), late.Close()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("a late reader got %v", err)
		}
	}
	data, err := io.ReadAll(next)
	if must(t, errors.Join(err, next.Close())); string(data) != "0123456789" {
		t.Errorf("the next reader got %q", data)
	}
}
