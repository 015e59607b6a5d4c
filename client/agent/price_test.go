package agent

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/candor-ota/candor/client/install"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/image/imagetest"
	"github.com/candor-ota/candor/manifests/rollout"
)

// next is the large image with some places changed: what a handset that runs the
// large one needs little of.
var next = sync.OnceValue(func() *imagetest.Built {
	plain := slices.Clone(large().Plain)
	for at := 1 << 20; at < len(plain); at += 6 << 20 {
		copy(plain[at:], "changed in the next build")
	}
	return imagetest.Build("system", plain)
})

// updated gives a handset that runs build 42 with the large image, and is offered
// build 43 with the next one.
func updated(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.publish(42, large())
	w.once()
	w.runs(42)
	w.publish(43, next())
	return w
}

// The figures are said before anything of the image is fetched, in words, in the
// journal and in the receipt, and they hold.
func TestPlanIsSaidJournalledAndKept(t *testing.T) {
	w := updated(t)
	before := w.agent.Downloaded()
	said := ""
	w.slots.verb = func(name string) {
		if name == "unbootable" && said == "" {
			said = w.agent.Status().Sentence
			if p := w.agent.rec.Plans["system"]; p.Kind != install.ByChunks || p.Bytes != w.agent.rec.Planned || p.Bytes == 0 {
				t.Errorf("journalled %+v of %d", p, w.agent.rec.Planned)
			}
		}
	}
	w.once()
	w.runs(43)
	full := next().Image
	spent := w.agent.Downloaded() - before
	if spent > (full.Pack.Size+full.Index.Size)/8 {
		t.Errorf("%d bytes of %d", spent, full.Pack.Size)
	}
	if !strings.Contains(said, megabytes(spent)+"; the full image is "+megabytes(full.Pack.Size+full.Index.Size)) {
		t.Errorf("said %q; it cost %d", said, spent)
	}
	all := w.receipt()
	e := all[slices.IndexFunc(all, func(e receipts.Entry) bool { return e.Kind == receipts.Installed && e.Build == 43 })]
	if e.Planned != spent || e.Spent != spent {
		t.Errorf("the receipt says %d planned, %d spent; it cost %d", e.Planned, e.Spent, spent)
	}
}

// spoilRunning changes the image that runs behind the agent's back.
func (w *world) spoilRunning() {
	w.Helper()
	slot, err := w.slots.Booted()
	if err == nil {
		err = os.WriteFile(w.slots.Image(slot, "system"), make([]byte, len(large().Plain)), 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// On a metered network a plan that has become dearer asks again, with figures,
// even of an owner who pays for data: that word was for the cheaper plan. His
// word after that is for the dearer one.
func TestDearerPlanAsksAgainOnAMeteredNetwork(t *testing.T) {
	for name, free := range map[string]bool{"pays": false, "another network": true} {
		t.Run(name, func(t *testing.T) {
			w := updated(t)
			w.device.that.Metered = true
			s := w.step()
			w.code(s, rollout.Metered)
			if !strings.Contains(s.Sentence, "It costs at most ") {
				t.Errorf("said %q", s.Sentence)
			}
			w.must(w.agent.GetItNow(false, true))
			w.slots.verb = func(name string) {
				if name == "unbootable" {
					w.spoilRunning()
				}
			}
			for range 3 { // and again at each poll, without another byte of the pack
				before := w.agent.Downloaded()
				s = w.step()
				w.code(s, rollout.Metered)
				full := next().Image
				if !strings.Contains(s.Sentence, " now, not ") || w.agent.Downloaded()-before > full.Pack.Size/8 {
					t.Fatalf("said %q, %d bytes", s.Sentence, w.agent.Downloaded()-before)
				}
				w.start()
			}
			w.slots.verb = nil
			if w.device.that.Metered = !free; !free {
				w.must(w.agent.GetItNow(false, true))
			}
			w.once()
			w.runs(43)
		})
	}
}

// A hold on a metered network names the price that the signed document tells.
func TestPriceOfAPatchIsKnownBeforeAnythingIsFetched(t *testing.T) {
	w := updated(t)
	m := w.tree.view.Releases[43].Release
	m.Images[0].Patches = append(m.Images[0].Patches, manifests.Patch{FromSHA256: large().Image.SHA256, Table: manifests.Blob{Size: 300_000}, BodySize: 2_000_000})
	w.device.that.Metered = true
	asked := len(w.cdn.asked)
	s := w.step()
	w.code(s, rollout.Metered)
	if !strings.Contains(s.Sentence, "It costs 2.3 MB; the full image is "+megabytes(fullBytes(m))) || len(w.cdn.asked) != asked {
		t.Errorf("said %q", s.Sentence)
	}
}

// Without room for journal and indexes nothing begins, and nothing is lost.
func TestNoRoomForIndexesIsSaidBeforeAnythingIsFetched(t *testing.T) {
	w := updated(t)
	w.device.that.FreeBytes = stateBytes + 100
	asked := len(w.cdn.asked)
	s := w.step()
	w.code(s, rollout.StorageCode)
	if len(w.cdn.asked) != asked {
		t.Fatal("it fetched all the same")
	}
	w.device.that.FreeBytes = 1 << 30
	w.once()
	w.runs(43)
	kept, err := filepath.Glob(filepath.Join(w.config.State, "index", "*"))
	if err != nil || len(kept) == 0 || len(kept) > 6 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// A running image that cannot be opened is no obstacle.
func TestUnreadableRunningImageIsNoObstacle(t *testing.T) {
	w := updated(t)
	slot, err := w.slots.Booted()
	if err == nil {
		err = os.Remove(w.slots.Image(slot, "system"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.agent.Step(t.Context()); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	w.code(w.agent.Status(), "")
}
