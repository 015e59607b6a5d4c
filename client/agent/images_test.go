package agent

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/rollout"
)

var bootImage = sync.OnceValue(func() *imagetest.Built { return imagetest.Build("boot", imagetest.Text(100<<10, 3)) })

// offerTwo publishes a build of two images, system and boot.
func (w *world) offerTwo(b manifests.Build) *manifests.Release {
	m, _ := w.publish(b, small())
	m.Images = append(m.Images, bootImage().Image)
	for path, data := range bootImage().Files {
		w.cdn.files[path] = data
	}
	return m
}

// whole demands that a slot which may boot holds every image of the release.
func (w *world) whole(slot boot.Slot) {
	w.Helper()
	if !w.state(slot).Bootable {
		return
	}
	for name, b := range map[manifests.Name]*imagetest.Built{"system": small(), "boot": bootImage()} {
		if got, err := os.ReadFile(w.slots.Image(slot, name)); err != nil || !bytes.Equal(got, b.Plain) {
			w.Fatalf("slot %s may boot without its %s image: %v", slot, name, err)
		}
	}
}

func TestAllImagesOfAReleaseAreInPlaceBeforeTheOneCommitPoint(t *testing.T) {
	w := newWorld(t)
	m := w.offerTwo(42)
	armed := 0
	w.slots.verb = func(name string) {
		if name == "arm" {
			armed++
			for image, b := range map[manifests.Name]*imagetest.Built{"system": small(), "boot": bootImage()} {
				if got, err := os.ReadFile(w.slots.Image("b", image)); err != nil || !bytes.Equal(got, b.Plain) {
					t.Errorf("armed without the %s image: %v", image, err)
				}
			}
		}
	}
	w.once()
	w.runs(42)
	w.whole("b")
	described, err := w.slots.Metadata("b")
	if err != nil || !slices.Equal(described.Images, boot.Images(m.Images)) {
		t.Fatalf("slot b is described as %+v, %v", described, err)
	}
	if got, want := w.agent.Downloaded(), fullBytes(m); armed != 1 || got != want {
		t.Fatalf("armed %d times; %d bytes downloaded, packs and indexes have %d", armed, got, want)
	}
}

func TestPowerCutAtAnyMomentNeverBootsAMixOfImages(t *testing.T) {
	t.Parallel()
	everyCut(t, 30, func(w *world) {
		if len(w.tree.view.Releases) == 0 {
			w.offerTwo(42)
		}
		w.whole("b") // after the cut
		w.once()
		w.once()
	}, func(w *world, _ int) {
		w.runs(42)
		w.whole("b")
	})
}

func TestSpoiledImageAmongSeveralIsFoundAndWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.offerTwo(42)
	w.slots.sync = func() { // the second image does not stay as it was written
		f, err := os.OpenFile(w.slots.Image("b", "boot"), os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		if err == nil {
			_, err = f.WriteAt([]byte("spoiled"), 100)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.agent.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "image boot") || w.state("b").Bootable {
		t.Fatalf("a spoiled image was accepted: %v", err)
	}
	w.slots.sync = nil
	asked := len(w.cdn.asked)
	w.once()
	w.runs(42)
	w.whole("b")
	for _, path := range w.cdn.asked[asked:] {
		if strings.Contains(path, small().Image.Pack.SHA256.String()) {
			t.Errorf("the image that holds was fetched again: %s", path)
		}
	}
}

func TestReleaseWithoutAnImageOfTheSlotIsHeldBeforeAnythingIsWritten(t *testing.T) {
	w := newWorld(t)
	w.offerTwo(42)
	w.once()
	w.runs(42)
	before, err := os.ReadFile(w.slots.Image("a", "system"))
	if err != nil {
		t.Fatal(err)
	}
	w.offer(43) // system alone: the slot would boot it with the boot image of another build
	w.slots.verb = func(name string) { t.Errorf("verb %s", name) }
	asked := len(w.cdn.asked)
	s := w.once()
	w.code(s, rollout.StorageCode)
	if !strings.Contains(s.Sentence, "image boot") || s.Build != 43 || len(w.cdn.asked) != asked {
		t.Fatalf("status %+v, asked for %v", s, w.cdn.asked[asked:])
	}
	w.runs(42)
	if after, err := os.ReadFile(w.slots.Image("a", "system")); err != nil || !bytes.Equal(after, before) {
		t.Fatalf("the spare slot was touched: %v", err)
	}
}
