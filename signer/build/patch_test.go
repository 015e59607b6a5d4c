package build

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/patch"
)

// edit copies an image with one byte changed in every so many.
func edit(t *testing.T, source string, every int) string {
	t.Helper()
	data, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += every {
		data[i] ^= 1
	}
	path := filepath.Join(t.TempDir(), "edited.img")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustPatch(t *testing.T, o PatchOptions) PatchResult {
	t.Helper()
	r, err := Patch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPatchBlobsGiveTheNewImage(t *testing.T) {
	old, dir := rawImage(t, 4<<20), t.TempDir()
	source := edit(t, old, 60_000)
	m := mustBuild(t, Options{Source: source, Dir: dir}).Image("system")
	r := mustPatch(t, PatchOptions{From: old, Source: source, Image: m, Dir: dir})
	if !r.Kept || r.Size >= r.Chunks || r.Chunks >= r.Full {
		t.Fatalf("%+v", r)
	}
	table, err := patch.Parse(blobOf(t, dir, r.Patch.Table))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.CheckSigned(m, r.Patch); err != nil {
		t.Fatal(err)
	}
	body := blobOf(t, dir, manifests.Blob{SHA256: table.BodySHA256, Size: table.BodySize})
	before, err := os.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	var out bytes.Buffer
	if err := patch.Apply(&out, table, before, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if manifests.SumSHA256(out.Bytes()) != m.SHA256 {
		t.Error("another image came out")
	}
}

// Chunks that the older image has cost nothing without a patch either.
func TestPatchIsComparedWithWhatChunksCost(t *testing.T) {
	old, dir := rawImage(t, 2<<20), t.TempDir()
	m := mustBuild(t, Options{Source: old, Dir: dir}).Image("system")
	r := mustPatch(t, PatchOptions{From: old, Source: old, Image: m, Dir: dir})
	if r.Chunks != m.Index.Size || r.Full != m.Index.Size+m.Pack.Size {
		t.Errorf("%+v", r)
	}
	other := edit(t, old, 1)
	if r = mustPatch(t, PatchOptions{From: other, Source: old, Image: m, Dir: dir}); r.Chunks < m.Pack.Size*9/10 {
		t.Errorf("%+v", r)
	}
}

func TestPatchThatSavesLittleLeavesNoBlobs(t *testing.T) {
	source, dir := rawImage(t, 2<<20), t.TempDir()
	m := mustBuild(t, Options{Source: source, Dir: dir}).Image("system")
	r := mustPatch(t, PatchOptions{From: edit(t, source, 1), Source: source, Image: m, Dir: dir})
	files, err := os.ReadDir(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Kept || len(files) != 2 {
		t.Errorf("%+v, %d files", r, len(files))
	}
}

func TestFullDiskLeavesNoPatch(t *testing.T) {
	old, dir := rawImage(t, 2<<20), t.TempDir()
	source := edit(t, old, 60_000)
	m := mustBuild(t, Options{Source: source, Dir: dir}).Image("system")
	_, err := Patch(t.Context(), PatchOptions{
		From: old, Source: source, Image: m, Dir: dir,
		create: func(dir string) (tempFile, error) {
			file, err := createTemp(dir)
			return &fullFile{file}, err
		},
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("got %v", err)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "blobs")); err != nil || len(files) != 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

type fullFile struct{ tempFile }

func (*fullFile) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestPatchNeedsTheImageThatWasBuilt(t *testing.T) {
	old, dir := rawImage(t, 1<<20), t.TempDir()
	m := mustBuild(t, Options{Source: old, Dir: dir}).Image("system")
	_, err := Patch(t.Context(), PatchOptions{From: old, Source: edit(t, old, 1000), Image: m, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "changed since its index") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs", m.Index.SHA256.String()), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Patch(t.Context(), PatchOptions{From: old, Source: old, Image: m, Dir: dir}); err == nil || !strings.Contains(err.Error(), "not what its name says") {
		t.Errorf("got %v", err)
	}
}

func TestCosignerRecomputesThePatch(t *testing.T) {
	old, dir := rawImage(t, 2<<20), t.TempDir()
	source := edit(t, old, 60_000)
	m := mustBuild(t, Options{Source: source, Dir: dir}).Image("system")
	want := mustPatch(t, PatchOptions{From: old, Source: source, Image: m, Dir: dir, Workers: 1}).Patch
	if err := VerifyPatch(t.Context(), VerifyPatchOptions{From: old, Source: source, Want: want, Workers: 3}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*manifests.Patch){
		"the old image":         func(p *manifests.Patch) { p.FromSHA256[0]++ },
		"the patch":             func(p *manifests.Patch) { p.Table.SHA256[0]++ },
		"the patch from":        func(p *manifests.Patch) { p.Table.Size++ },
		"the patch from " + old: func(p *manifests.Patch) { p.BodySize++ },
	} {
		bad := want
		change(&bad)
		err := VerifyPatch(t.Context(), VerifyPatchOptions{From: old, Source: source, Want: bad})
		if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHashIsThatOfTheRelease(t *testing.T) {
	source := rawImage(t, 1<<20+1)
	want := mustBuild(t, Options{Source: source, Dir: t.TempDir()}).SHA256
	if got, err := Hash(t.Context(), source); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
}
