package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image"
)

var long = flag.Bool("long", false, "build a sparse image of 4 GiB and look at the peak memory of this process")

func rawImage(t *testing.T, size int) string {
	t.Helper()
	noise := rand.NewChaCha8([32]byte{1})
	var b bytes.Buffer
	for b.Len() < size {
		if _, err := io.CopyN(&b, noise, 50<<10); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Repeat("address book ", 5<<10))
		b.Write(make([]byte, 200<<10))
	}
	path := filepath.Join(t.TempDir(), "system.img")
	if err := os.WriteFile(path, b.Bytes()[:size], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustBuild(t *testing.T, o Options) Result {
	t.Helper()
	r, err := Image(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func blobOf(t *testing.T, dir string, b manifests.Blob) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "blobs", b.SHA256.String()))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != b.Size || sha256.Sum256(data) != b.SHA256 {
		t.Fatalf("blob %s is not what its name says", b.SHA256.Short())
	}
	return data
}

func TestBlobsGiveTheImageBack(t *testing.T) {
	source, dir := rawImage(t, 5<<20+123), t.TempDir()
	var last, total int64
	r := mustBuild(t, Options{Source: source, Dir: dir, Progress: func(d, n int64) { last, total = d, n }})
	x, err := image.Parse(blobOf(t, dir, r.Index))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := image.Extract(&out, x, bytes.NewReader(blobOf(t, dir, r.Pack))); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), raw) || r.SHA256 != sha256.Sum256(raw) || r.Size != int64(len(raw)) {
		t.Error("another image came out")
	}
	if last != r.Size || total != r.Size {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	if len(x.Rows) != r.Chunks || r.Unique >= r.Chunks {
		t.Errorf("%d chunks, %d of them unique", r.Chunks, r.Unique)
	}
}

func TestSameImageGivesSameBlobsWithAnyNumberOfWorkers(t *testing.T) {
	source := rawImage(t, 4<<20)
	one := mustBuild(t, Options{Source: source, Dir: t.TempDir(), Workers: 1})
	for _, workers := range []int{0, 2, 7, 100} {
		if got := mustBuild(t, Options{Source: source, Dir: t.TempDir(), Workers: workers}); got != one {
			t.Errorf("%d workers: %+v, one worker: %+v", workers, got, one)
		}
	}
}

func TestCosignerRecomputesEveryHash(t *testing.T) {
	source := rawImage(t, 2<<20)
	want := mustBuild(t, Options{Source: source, Dir: t.TempDir()}).Image("system")
	if err := Verify(t.Context(), VerifyOptions{Source: source, Want: want}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m *manifests.Image){
		"image":      func(m *manifests.Image) { m.SHA256[0]++ },
		"image size": func(m *manifests.Image) { m.Size++ },
		"pack":       func(m *manifests.Image) { m.Pack.SHA256[0]++ },
		"pack size":  func(m *manifests.Image) { m.Pack.Size++ },
		"index":      func(m *manifests.Image) { m.Index.SHA256[0]++ },
		"index size": func(m *manifests.Image) { m.Index.Size++ },
	} {
		t.Run(name, func(t *testing.T) {
			bad := want
			change(&bad)
			err := Verify(t.Context(), VerifyOptions{Source: source, Want: bad})
			if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "the "+strings.Fields(name)[0]) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestImageThatChangesWhileReadIsRefused(t *testing.T) {
	for name, size := range map[string]int64{"shrinks": 1 << 20, "grows": 9 << 20, "is touched": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			source, dir, changed := rawImage(t, 8<<20), t.TempDir(), false
			_, err := Image(t.Context(), Options{Source: source, Dir: dir, Progress: func(int64, int64) {
				if !changed {
					changed = true
					touch(t, source, size)
				}
			}})
			if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
				t.Errorf("got %v", err)
			}
			nothingLeft(t, dir)
		})
	}
}

func touch(t *testing.T, path string, size int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	later := info.ModTime().Add(1)
	if err := errors.Join(os.Truncate(path, size), os.Chtimes(path, later, later)); err != nil {
		t.Fatal(err)
	}
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// fullDisk is a file on a disk with room for so many bytes.
type fullDisk struct {
	tempFile
	room int
}

func (f *fullDisk) Write(b []byte) (int, error) {
	n, err := f.tempFile.Write(b[:min(len(b), f.room)])
	if f.room -= n; err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

func TestFullDiskLeavesNoPartialBlob(t *testing.T) {
	dir := t.TempDir()
	_, err := Image(t.Context(), Options{Source: rawImage(t, 8<<20), Dir: dir, create: func(dir string) (tempFile, error) {
		file, err := createTemp(dir)
		return &fullDisk{file, 300 << 10}, err
	}})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, dir)
}

// The pack is whole, and the last bytes of the disk are short of an index.
func TestFullDiskAtTheIndexLeavesNoPack(t *testing.T) {
	dir, room := t.TempDir(), 64<<20
	_, err := Image(t.Context(), Options{Source: rawImage(t, 2<<20), Dir: dir, create: func(dir string) (tempFile, error) {
		file, err := createTemp(dir)
		full := &fullDisk{file, room}
		room = 100
		return full, err
	}})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, dir)
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err := Image(ctx, Options{Source: rawImage(t, 8<<20), Dir: dir, Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, dir)
}

func TestSourceThatIsNoImageIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.img")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		empty: "empty", t.TempDir(): "directory", filepath.Join(t.TempDir(), "none"): "no such file",
	} {
		if _, err := Image(t.Context(), Options{Source: path, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// Memory must not grow with the image: this one is larger than what is allowed,
// and hardly any of it repeats. It is measured in a process of its own, without
// the race detector, which takes several times the memory of what it watches,
// and with as many encoders as a machine with many cores has.
func TestMemoryStaysBounded(t *testing.T) {
	const own = "CANDOR_TEST_MEMORY"
	if os.Getenv(own) == "" {
		args := []string{"test", "-count=1", "-timeout=10m", "-run=^TestMemoryStaysBounded$", "."}
		if *long {
			args = append(args, "-long")
		}
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), own+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	size, limit := int64(300<<20), int64(256<<20)
	if *long {
		size = 4 << 30
	}
	source := filepath.Join(t.TempDir(), "large.img")
	file, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(file, rand.NewChaCha8([32]byte{2}), 100<<20)
	if err := errors.Join(err, file.Truncate(size), file.Close()); err != nil {
		t.Fatal(err)
	}
	mustBuild(t, Options{Source: source, Dir: t.TempDir(), Workers: maxWorkers})
	if peak := peakMemory(t); peak > limit {
		t.Errorf("peak memory %d MiB", peak>>20)
	} else {
		t.Logf("peak memory %d MiB", peak>>20)
	}
}

// peakMemory is the most memory that this process ever had.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, os.ErrNotExist) {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			t.Fatal(err)
		}
		return reflect.ValueOf(usage.Maxrss).Int() // bytes where there is no /proc
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM", err)
	return 0
}
