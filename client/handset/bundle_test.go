package handset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/status"
	"github.com/candor-ota/candor/manifests/bundle"
)

// stick makes a bundle that holds nothing that anybody signed.
func stick(t *testing.T, h *Handset) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stick.candor")
	file, err := os.Create(path)
	fatal(t, err)
	w, err := bundle.NewWriter(file, bundle.Header{Product: h.Config.Product, Build: 42})
	fatal(t, err)
	fatal(t, w.Add("metadata/1.root.json", 2, strings.NewReader("{}")))
	fatal(t, w.Close())
	fatal(t, file.Close())
	return path
}

// What the agent refuses of a bundle it says to whoever asked, and goes on.
func TestBundleThatCannotBeInstalledIsRefusedToWhoAsked(t *testing.T) {
	h, polls := running(t)
	polled(t, polls)
	path := stick(t, h)
	for name, c := range map[string]struct {
		ask  status.Request
		want string
	}{
		"proves nothing":      {status.Request{Do: status.Look, Bundle: path}, "timestamp"},
		"installs nothing":    {status.Request{Do: status.Install, Bundle: path, Build: 42}, "timestamp"},
		"another build":       {status.Request{Do: status.Install, Bundle: path, Build: 41}, "holds build 42 now, not build 41"},
		"a file that is none": {status.Request{Do: status.Look, Bundle: "/dev/null"}, "plain file"},
		"no file":             {status.Request{Do: status.Install, Bundle: "/nonexistent", Build: 42}, "no such file"},
		"a relative path":     {status.Request{Do: status.Look, Bundle: "stick.candor"}, "absolute path"},
	} {
		conn, err := status.Dial(t.Context(), h.Config.SocketPath())
		fatal(t, err)
		if _, err := conn.Ask(t.Context(), c.ask); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		fatal(t, conn.Close())
	}
	if r := ask(t, h, status.Request{Do: status.ShowStatus}); r.Build != 41 {
		t.Errorf("%+v", r)
	}
}

func TestSecondBundleIsRefusedWhileOneIsInstalled(t *testing.T) {
	h := open(t)
	path := stick(t, h)
	first, second := &request{Request: status.Request{Bundle: path, Build: 42}, done: make(chan answer, 1)}, &request{Request: status.Request{Bundle: path, Build: 42}}
	fatal(t, h.choose(first))
	if err := h.choose(second); err == nil || !strings.Contains(err.Error(), "build 42 is being installed from a bundle") {
		t.Fatalf("got %v", err)
	}
	fatal(t, h.answer(errEnding))
	if a := <-first.done; a.err == nil || h.chosen != nil {
		t.Fatalf("answered %v", a.err)
	}
}
