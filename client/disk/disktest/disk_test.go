package disktest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/disk/disktest"
)

// put writes a file without any sync.
func put(t *testing.T, d *disktest.Disk, path string, data []byte) disk.File {
	t.Helper()
	f, err := d.Create(path, 0)
	if err == nil && len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func content(d disk.Disk, path string) string {
	b, err := disk.ReadFile(d, path, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// outcomes are all that a cut at the end of a recorded run leaves of files.
func outcomes(d *disktest.Disk, paths ...string) map[string]bool {
	walk := d.Walk()
	for walk.Next() {
	}
	all := disktest.Outcomes(walk.Pending())
	for seed := range uint64(300) {
		all = append(all, disktest.Outcome{Kind: "some", N: seed}, disktest.Outcome{Kind: "torn", N: seed})
	}
	found := map[string]bool{}
	for _, o := range all {
		after, line := walk.Crash(o), ""
		for _, path := range paths {
			line += content(after, path) + "|"
		}
		found[line] = true
	}
	return found
}

func want(t *testing.T, got map[string]bool, all ...string) {
	t.Helper()
	for _, w := range all {
		if !got[w] {
			t.Errorf("%q never happens", w)
		}
		delete(got, w)
	}
	for g := range got {
		t.Errorf("%q happens", g)
	}
}

func TestFileThatWasNotSyncedIsThereEmptyOrNot(t *testing.T) {
	d := disktest.New(0)
	d.Record()
	put(t, d, "d/file", []byte("abc"))
	want(t, outcomes(d, "d/file"), "none|", "|", "\x00\x00\x00|", "abc|")
}

func TestSyncKeepsBytesAndNotTheName(t *testing.T) {
	d := disktest.New(0)
	d.Record()
	f := put(t, d, "d/file", []byte("abc"))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	want(t, outcomes(d, "d/file"), "none|", "abc|")
	if err := d.SyncDir("d"); err != nil {
		t.Fatal(err)
	}
	want(t, outcomes(d, "d/file"), "abc|")
}

func TestRenameIsLostKeptOrLeavesBothNames(t *testing.T) {
	d := disktest.New(0)
	for path, text := range map[string]string{"d/old": "old", "d/new": "new"} {
		if err := put(t, d, path, []byte(text)).Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SyncDir("d"); err != nil {
		t.Fatal(err)
	}
	d.Record()
	if err := d.Rename("d/new", "d/old"); err != nil {
		t.Fatal(err)
	}
	want(t, outcomes(d, "d/old", "d/new"), "old|new|", "new|none|", "new|new|")
	if err := d.Remove("d/old"); err != nil {
		t.Fatal(err)
	}
	got := outcomes(d, "d/old", "d/new")
	if !got["none|new|"] || !got["none|none|"] || !got["old|new|"] {
		t.Errorf("after a removal too: %v", got)
	}
}

// Two writes: each is kept or not, whatever became of the other.
func TestWritesAreReordered(t *testing.T) {
	d := disktest.New(0)
	f := put(t, d, "d/file", bytes.Repeat([]byte("."), 1024))
	if err := errors.Join(f.Sync(), d.SyncDir("d")); err != nil {
		t.Fatal(err)
	}
	d.Record()
	for i, text := range []string{"1", "2"} {
		if _, err := f.WriteAt([]byte(text), int64(i)*512); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for o := range outcomes(d, "d/file") {
		seen[fmt.Sprint(o[:1], o[512:513])] = true
	}
	want(t, seen, "..", "1.", ".2", "12")
}

func TestWriteIsTornAtSectorsAndNowhereElse(t *testing.T) {
	d := disktest.New(0)
	f := put(t, d, "d/file", bytes.Repeat([]byte("."), 8<<10))
	if err := errors.Join(f.Sync(), d.SyncDir("d")); err != nil {
		t.Fatal(err)
	}
	d.Record()
	if _, err := f.WriteAt(bytes.Repeat([]byte("x"), 8<<10), 0); err != nil {
		t.Fatal(err)
	}
	tears := 0
	for o := range outcomes(d, "d/file") {
		for at := range 16 {
			if s := o[at*512 : (at+1)*512]; bytes.Count([]byte(s), []byte("x"))%512 != 0 {
				t.Fatalf("sector %d is torn", at)
			}
		}
		tears++
	}
	if tears < 20 {
		t.Errorf("only %d ways to tear", tears)
	}
}

// A disk that is cut off and one that goes on share their content until one of
// them writes.
func TestCrashedDiskIsOneOfItsOwn(t *testing.T) {
	d := disktest.New(0)
	if err := disk.Replace(d, "d/file", []byte("before")); err != nil {
		t.Fatal(err)
	}
	d.Record()
	after := d.Walk().Crash(disktest.Outcome{Kind: "kept"})
	if after.Fingerprint("") != d.Fingerprint("") {
		t.Error("equal disks have different fingerprints")
	}
	f, err := after.Open("d/file", disk.Write)
	if err == nil {
		_, err = f.WriteAt([]byte("AFTER!"), 0)
	}
	if err != nil || content(d, "d/file") != "before" || content(after, "d/file") != "AFTER!" {
		t.Fatalf("%q and %q, %v", content(d, "d/file"), content(after, "d/file"), err)
	}
	if after.Fingerprint("") == d.Fingerprint("") {
		t.Error("different disks have one fingerprint")
	}
}

func TestSameOutcomeIsTheSameAgain(t *testing.T) {
	d := disktest.New(0)
	d.Record()
	put(t, d, "d/file", bytes.Repeat([]byte("x"), 64<<10))
	for _, o := range []string{"some:7", "torn:7", "only:1", "but:0", "lost:0", "kept:0"} {
		parsed, err := disktest.ParseOutcome(o)
		if err != nil || parsed.String() != o {
			t.Fatalf("%s became %s, %v", o, parsed, err)
		}
		var prints []uint64
		for range 2 {
			walk := d.Walk()
			for walk.Next() {
			}
			prints = append(prints, walk.Crash(parsed).Fingerprint(""))
		}
		if prints[0] != prints[1] {
			t.Errorf("%s differs", o)
		}
	}
	for _, o := range []string{"", "torn", "kind:1", "torn:x"} {
		if _, err := disktest.ParseOutcome(o); err == nil {
			t.Errorf("%q was taken", o)
		}
	}
}

func TestFaultsComeWhereTheyWereAskedFor(t *testing.T) {
	d := disktest.New(0)
	d.Short("d/file", 2)
	f, err := d.Create("d/file", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.WriteAt([]byte("abc"), 0); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("short write: %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("abc"), 0); n != 3 || err != nil {
		t.Errorf("the next: %d, %v", n, err)
	}
	if err := d.Spoil("d/file", 1); err != nil || content(d, "d/file") == "abc" {
		t.Errorf("not spoilt: %v", err)
	}
	d.Fail(func(kind disktest.Kind, path string) error {
		if kind == disktest.Read && path == "d/file" {
			return syscall.EIO
		}
		return nil
	})
	if _, err := disk.ReadFile(d, "d/file", 10); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: %v", err)
	}
	if err := disk.Replace(d, "d/other", nil); err != nil {
		t.Errorf("another file: %v", err)
	}
}
