package world_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/bundle"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
)

// offlineRelease signs a release for bundles, with a patch from an older image.
func offlineRelease(t *testing.T, w *world.World, build manifests.Build, pace, image, from string) {
	t.Helper()
	manifest, err := world.Example(product, build, pace)
	if err != nil {
		t.Fatal(err)
	}
	manifest = append(manifest, "\noffline: true\n"...)
	if err := os.WriteFile(w.Path("release.yaml"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	proposal := filepath.Join("out", fmt.Sprintf("%s-%d.proposal.json", product, build))
	for _, args := range [][]string{
		{"release", "build", "release.yaml", "--image", "system=" + image, "--from", "system=" + from, "--server", w.Server, "--out", "out"},
		{"event", "sign", proposal, "--key", "dora", "--builder", "--passphrase-file", "pass", "--yes"},
		{"event", "sign", proposal, "--key", "emil", "--image", "system=" + image, "--from", "system=" + from, "--passphrase-file", "pass", "--yes"},
		{"event", "publish", proposal, "--server", w.Server, "--token-file", "token", "--blobs", "out"},
	} {
		signer(t, w, args...)
	}
}

func signer(t *testing.T, w *world.World, args ...string) {
	t.Helper()
	if _, err := w.Exec(ctx, "signer", args...); err != nil {
		t.Fatal(err)
	}
}

// edited is a copy of an image with a few other bytes.
func edited(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1000; i < len(b); i += len(b) / 5 {
		copy(b[i:], "something else")
	}
	out := filepath.Join(t.TempDir(), "edited.img")
	if err := os.WriteFile(out, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// plugged installs from a bundle and demands that the build runs, to the byte.
func plugged(t *testing.T, p *world.Phone, file string, want manifests.Build, image string) world.Status {
	t.Helper()
	if _, err := p.Exec(ctx, "install", file, "--yes"); err != nil {
		t.Fatal(err)
	}
	s := status(t, p)
	if s.Build != want {
		t.Fatalf("build %d runs: %+v", s.Build, s)
	}
	runs, err := os.ReadFile(p.Image(s.Slot))
	if err != nil {
		t.Fatal(err)
	}
	if signed, err := os.ReadFile(image); err != nil || !bytes.Equal(runs, signed) {
		t.Fatalf("the slot holds something else (%v)", err)
	}
	return s
}

func refusedBundle(t *testing.T, p *world.Phone, file, word string, still manifests.Build) {
	t.Helper()
	if _, err := p.Exec(ctx, "install", file, "--yes"); err == nil || !strings.Contains(err.Error(), word) {
		t.Errorf("got %v, want %q", err, word)
	}
	if s := status(t, p); s.Build != still {
		t.Fatalf("build %d runs, not %d", s.Build, still)
	}
}

// M5, with the real programs: an owner without a network installs what the
// engineers signed for bundles, and nothing else.
func TestOwnerInstallsFromABundleWithoutANetwork(t *testing.T) {
	w := start(t)
	old := image(t, "old.img", 1<<20)
	if err := w.ReleaseForAll(ctx, product, 42, old); err != nil {
		t.Fatal(err)
	}
	patched := accepted(t, phone(t, w, "", false), 42)
	if s := once(t, patched); s.Build != 42 {
		t.Fatalf("%+v", s)
	}
	fresh, hostile := phone(t, w, "", false), phone(t, w, "", false)
	newer := edited(t, old)
	offlineRelease(t, w, 43, "pace:\n  - {after: 300d, maxSharePPM: 1}\n", newer, old) // nobody by the network
	file := w.Path("43.candor")
	signer(t, w, "bundle", "--server", w.Server, "--product", string(product), "--build", "43", "--from", "42", "--out", file)
	signer(t, w, "bundle", "--server", w.Server, "--product", string(product), "--build", "43", "--out", w.Path("plain.candor"))
	if _, err := w.Exec(ctx, "signer", "bundle", "--server", w.Server, "--product", string(product), "--build", "42", "--out", w.Path("42.candor")); err == nil || !strings.Contains(err.Error(), "offline: true") {
		t.Errorf("a bundle of a release that is not for bundles: %v", err)
	}
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	refusedBundle(t, fresh, file, "consent", 41)
	for _, p := range []*world.Phone{fresh, hostile, patched} {
		accepted(t, p, 43)
	}
	tamper(t, hostile, w.Path("plain.candor"))
	before := status(t, patched).Downloaded
	if s := plugged(t, patched, file, 43, newer); s.Downloaded-before > 100<<10 {
		t.Errorf("with the patch in the bundle %d bytes were read", s.Downloaded-before)
	}
	plugged(t, fresh, w.Path("plain.candor"), 43, newer)
	refusedBundle(t, fresh, file, "not above it", 43)
	out, err := fresh.Exec(ctx, "receipts")
	if err != nil || !bytes.Contains(out, []byte("you chose it from a bundle")) {
		t.Errorf("%v: the receipt says\n%s", err, out)
	}
	plugged(t, hostile, w.Path("plain.candor"), 43, newer) // none of it left a mark
}

// tamper changes one byte in the midst of each file that the handset needs,
// then the whole.
func tamper(t *testing.T, p *world.Phone, file string) {
	t.Helper()
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Read(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.candor")
	try := func(data []byte, word string) {
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		refusedBundle(t, p, bad, word, 41)
	}
	size := func(name string) int64 {
		r, _ := b.File(name)
		return r.Size()
	}
	names := b.Names()
	// The pack, the largest, comes last: once its index has held, the handset keeps it.
	slices.SortFunc(names, func(x, y string) int { return cmp.Compare(size(x), size(y)) })
	for _, name := range names {
		if name == layout.MetadataFile("root", 1) {
			continue // the handset has it already
		}
		r, _ := b.File(name)
		_, at, size := r.Outer()
		data := bytes.Clone(good)
		data[at+size/2] ^= 1
		try(data, "")
	}
	try(good[:len(good)-2000], "ends")
	try(append(bytes.Clone(good), "more"...), "follows its end")
	try([]byte("nothing at all"), "ends")
}

// What a handset learned from the network holds against every older stick.
func TestBundleFromBeforeAHaltIsRefusedAfterIt(t *testing.T) {
	w := start(t)
	old := image(t, "old.img", 300<<10)
	offlineRelease(t, w, 43, atOnce, edited(t, old), old)
	file := w.Path("43.candor")
	signer(t, w, "bundle", "--server", w.Server, "--product", string(product), "--build", "43", "--out", file)
	p := phone(t, w, "", false)
	r := openToAll(t, w, 43)
	if _, err := w.Change(ctx, r.ID, "halt", "bricks"); err != nil {
		t.Fatal(err)
	}
	once(t, p)
	accepted(t, p, 43)
	refusedBundle(t, p, file, "replayed older", 41)
	if _, err := w.Exec(ctx, "signer", "bundle", "--server", w.Server, "--product", string(product), "--build", "43", "--out", w.Path("new.candor")); err == nil || !strings.Contains(err.Error(), "halted") {
		t.Errorf("a bundle of a halted build: %v", err)
	}
}

func status(t *testing.T, p *world.Phone) world.Status {
	t.Helper()
	s, err := p.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
