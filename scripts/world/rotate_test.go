package world_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/layout"
)

// AMENDMENTS H3: a thief of all three online keys has shown a handset the
// highest versions that there are. Root holders name new keys, the server goes
// on without a stop, and the handset installs the next build.
func TestNewOnlineKeysRecoverAHandsetFromFastForward(t *testing.T) {
	w := start(t)
	release(t, w, 42, atOnce)
	openToAll(t, w, 42)
	th := newThief(t, w)
	p := accepted(t, phone(t, w, th.url, false), 42)
	if s := once(t, p); s.Build != 42 {
		t.Fatalf("the handset runs build %d: %+v", s.Build, s.Status)
	}
	const most = 1<<31 - 1
	th.rolls.Signed.Version, th.snap.Signed.Version, th.stamp.Signed.Version = most-1000, most-1000, most-1000
	th.publish(product, toEverybody("forward", 42, th.signed(product, 42)))
	once(t, p)
	th.gone()
	if _, err := p.Once(ctx); err == nil || !strings.Contains(err.Error(), trust.ErrStaleMirror.Error()) {
		t.Fatalf("the thief's numbers were not kept: %v", err)
	}
	if err := w.RotateOnline(ctx); err != nil {
		t.Fatal(err)
	}
	release(t, w, 43, atOnce)
	openToAll(t, w, 43)
	p = accepted(t, p, 43)
	if s := once(t, p); s.Build != 43 {
		t.Fatalf("the handset runs build %d: %+v", s.Build, s.Status)
	}
	// What the old keys sign from now on is worth nothing.
	th.learn()
	th.publish(product, toEverybody("again", 42, th.signed(product, 42)))
	if _, err := p.Once(ctx); err == nil || !strings.Contains(err.Error(), trust.ErrSignature.Error()) {
		t.Errorf("the stolen keys are believed: %v", err)
	}
	th.gone()
	if _, err := w.Exec(ctx, "server", "keys", "remove", "1", "--data", w.Path("data")); err != nil {
		t.Error(err)
	}
	if err := w.StopServer(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.StartServer(ctx); err != nil {
		t.Fatal(err)
	}
	once(t, p)
	if found, err := filepath.Glob(filepath.Join(w.Path("data"), "keys", "rollouts.pem")); err != nil || len(found) != 0 {
		t.Errorf("the old keys are still there: %v, %v", found, err)
	}
	if th.get(layout.MetadataFile("root", 2)) == nil {
		t.Error("no second root")
	}
}

// gone is the network without the thief.
func (th *thief) gone() {
	th.mu.Lock()
	defer th.mu.Unlock()
	th.files = map[string][]byte{}
}
