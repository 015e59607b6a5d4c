package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

func (w *world) receiptsPath() string { return filepath.Join(w.config.State, "receipts.log") }

// receipt gives what the owner's log holds, verified.
func (w *world) receipt() []receipts.Entry {
	w.Helper()
	c, err := receipts.Open(disk.OS{}, w.receiptsPath(), w.device.Now).Read()
	if err != nil || c.Unfinished != 0 {
		w.Fatalf("%d bytes unfinished, %v", c.Unfinished, err)
	}
	return c.Entries
}

func (w *world) kinds() []string {
	w.Helper()
	var out []string
	for _, e := range w.receipt() {
		out = append(out, fmt.Sprintf("%s of %d", e.Kind, e.Build))
	}
	return out
}

// noted demands exactly these entries, whatever the power did.
func (w *world) noted(cut int, want ...string) {
	w.Helper()
	got := slices.DeleteFunc(w.kinds(), func(k string) bool { return strings.HasPrefix(k, string(receipts.PowerCut)) })
	if !slices.Equal(got, want) {
		w.Fatalf("cut %d: the receipt holds %q, want %q", cut, got, want)
	}
}

func TestReceiptTellsWhyByWhomAtWhatCostAndWhatWasAnswered(t *testing.T) {
	w := newWorld(t)
	m, r := w.offer(42)
	r.Reason = "no complaints from the first tenth"
	m.Consent = manifests.Consent{Required: true, Notice: manifests.Text{"en": "It asks first now."}}
	w.tree.view.SignedBy = []string{"key-of-dora", "key-of-emil"}
	w.code(w.step(), rollout.NeedsConsent)
	for _, err := range []error{w.agent.Answer(42, rollout.Declined), w.agent.Answer(42, rollout.Accepted), w.agent.GetItNow(false, true)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.once()
	w.runs(42)
	w.noted(0, "declined of 42", "accepted of 42", "wish of 0", "started of 42", "installed of 42", "label-change of 42")
	notice := manifests.SumSHA256([]byte(`{"en":"It asks first now."}`))
	all, ref := w.receipt(), w.tree.view.Releases[42].Reference.SHA256
	for i, choice := range []string{"declined", "accepted"} {
		if e := all[i]; e.Consent == nil || e.Consent.Notice != notice || e.Consent.Choice != choice || e.Release != ref {
			t.Errorf("%+v", e)
		}
	}
	cost := m.Images[0].Index.Size + m.Images[0].Pack.Size
	for _, e := range all[3:5] {
		if e.From != 41 || e.Release != ref || !slices.Equal(e.SignedBy, w.tree.view.SignedBy) || e.AskedBy != receipts.ByOwner || e.Rollout != r.ID ||
			!strings.Contains(e.Why, "is open to this handset. The maker says: no complaints") || e.Planned != cost || *e.Consent != *all[1].Consent || !e.Time.Equal(began) {
			t.Errorf("%+v", e)
		}
	}
	if all[3].Spent != m.Images[0].Index.Size || all[4].Spent != cost {
		t.Errorf("spent %d, then %d of %d", all[3].Spent, all[4].Spent, cost)
	}
	change := all[5].Label
	if change == nil || len(change.From) != 1 || len(change.To) != 0 || !strings.Contains(change.From[0], "phone-numbers for friends: on by default, stored retained") {
		t.Errorf("label change %+v", change)
	}
}

func TestReceiptTellsOfEverythingThatWentWrong(t *testing.T) {
	w, r := armed(t)
	r.State, r.Reason = rollout.Halted, "it drains batteries"
	w.once()
	w.noted(0, "started of 42", "called-off of 42")
	if e := w.receipt()[1]; !strings.Contains(e.Why, "drains batteries") {
		t.Errorf("called off: %+v", e)
	}
	w.tree.view.Forked = true
	for range 3 {
		w.step()
	}
	w.noted(0, "started of 42", "called-off of 42", "warning of 0")
	w.publish(43, large()) // slot b has the other image already
	w.slots.write = func() error { return syscall.EIO }
	for range 3 {
		if _, err := w.agent.Step(t.Context()); err == nil {
			t.Fatal("written all the same")
		}
	}
	w.noted(0, "started of 42", "called-off of 42", "warning of 0", "started of 43")
}

func TestReceiptTellsOfABuildThatFellBack(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.once()
	w.breakSlot("b")
	w.reboot()
	w.step()
	w.reboot()
	w.noted(0, "started of 42", "installed of 42", "label-change of 42", "fell-back of 42", "label-change of 41", "started of 42")
}

// broken is a log that takes nothing.
type broken struct{}

func (broken) Append(receipts.Entry) error     { return errors.New("no") }
func (broken) AppendOnce(receipts.Entry) error { return errors.New("no") }

func TestReceiptIsNoObstacleToAnUpdate(t *testing.T) {
	t.Run("no log at all", func(t *testing.T) {
		w := newWorld(t)
		w.agent.Receipts = broken{}
		w.offer(42)
		if err := w.agent.Answer(42, rollout.Accepted); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			w.step()
			if w.agent.RestartWanted() {
				w.reboot()
			}
			w.agent.Receipts = broken{}
		}
		w.runs(42)
	})
	t.Run("a damaged log", func(t *testing.T) {
		w := newWorld(t)
		if err := os.WriteFile(w.receiptsPath(), []byte("{}\n{}\n\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.offer(42)
		w.once()
		w.runs(42)
		w.noted(0, "anchor of 0", "started of 42", "installed of 42", "label-change of 42")
		if e := w.receipt()[0]; !strings.Contains(e.Why, "set aside as receipts.log.damaged") {
			t.Errorf("said %q", e.Why)
		}
	})
	t.Run("a directory in its place", func(t *testing.T) {
		w := newWorld(t)
		if err := os.Mkdir(w.receiptsPath(), 0o700); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.offer(42)
		w.once()
		w.runs(42)
	})
}

func TestReceiptKnowsNoTimeWithoutAClock(t *testing.T) {
	w := newWorld(t)
	w.device.now = time.Time{}
	w.start()
	w.tree.view.Pace = time.Time{}
	w.offer(42)
	w.once()
	w.runs(42)
	for _, e := range w.receipt() {
		if e.Time != nil {
			t.Fatalf("%s at %s", e.Kind, e.Time)
		}
	}
}
