package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/webhook"
	"github.com/candor-ota/candor/server/config"
)

// hooked makes a data directory whose one hook tells a receiver over TLS.
func hooked(t *testing.T) (dir string, told <-chan webhook.Event) {
	t.Helper()
	dir = made(t)
	const text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
	secret, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan webhook.Event, 16)
	var seen webhook.Memory
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var e webhook.Event
			if e, err = webhook.Verify(secret, r.Header, body, time.Now(), &seen); err == nil {
				events <- e
			}
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(receiver.Close)
	files := map[string][]byte{
		"secret": []byte(text + "\n"),
		"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hook := fmt.Sprintf("webhooks: [{name: chat, url: %q, secretFile: %q, caFile: %q, events: [token.*]}]\n",
		receiver.URL+"/candor", filepath.Join(dir, "secret"), filepath.Join(dir, "ca.pem"))
	if err := os.WriteFile(config.Dir(dir).Config(), []byte(hook), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, events
}

func TestHookIsToldAndListed(t *testing.T) {
	dir, told := hooked(t)
	if out, err := command(t, "hook", "list", "--data", dir); err != nil || !strings.Contains(out, "no server has served it") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := command(t, "hook", "test", "chat", "--data", dir); err != nil || !strings.Contains(out, "delivered") {
		t.Fatalf("%s, %v", out, err)
	}
	if e := <-told; e.Event != "hook.test" || e.Subject != "chat" {
		t.Errorf("%+v", e)
	}
	_, cancel, done := serve(t, dir)
	defer cancel()
	for seen := false; !seen; { // it begins at the end of the log as it then is
		out, err := command(t, "hook", "list", "--data", dir, "--json")
		if err != nil {
			t.Fatal(err)
		}
		seen = strings.Contains(out, `"seen": true`)
	}
	// Another process changes something.
	if _, err := command(t, "token", "new", "--data", dir, "--role", "viewer", "--name", "ci", "--expires", "1d"); err != nil {
		t.Fatal(err)
	}
	if e := <-told; e.Event != "token.new" || !strings.Contains(e.Why, "ci") || !strings.HasPrefix(e.ID, "chat.") {
		t.Errorf("%+v", e)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	out, err := command(t, "hook", "list", "--data", dir, "--json")
	var list struct{ Hooks []hookRow }
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || len(list.Hooks) != 1 {
		t.Fatalf("%s, %v", out, err)
	}
	if h := list.Hooks[0]; h.Name != "chat" || h.Lag != 0 || h.Delivered != 1 || h.Failures != 0 {
		t.Errorf("%+v", h)
	}
}

func TestUnknownOrUnreachableHookIsSaidSo(t *testing.T) {
	dir, _ := hooked(t)
	if _, err := command(t, "hook", "test", "none", "--data", dir); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "hook", "test", "chat", "--data", dir); err == nil || !strings.Contains(err.Error(), "webhooks[0].secretFile") {
		t.Errorf("%v", err)
	}
}
