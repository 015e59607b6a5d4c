package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/auth"
)

// command runs one command line in this process.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	a := &app{out: &out, err: io.Discard, now: time.Now}
	c := a.command()
	c.SetArgs(args)
	c.SetOut(&out)
	err := c.ExecuteContext(context.Background())
	return out.String(), err
}

func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if out, err := command(t, "init", "--data", dir); err != nil || !strings.Contains(out, "online-keys.json") {
		t.Fatalf("%s, %v", out, err)
	}
	return dir
}

func TestInitRefusesASecondTime(t *testing.T) {
	dir := made(t)
	if _, err := command(t, "init", "--data", dir); err == nil {
		t.Error("a data directory was made over another")
	}
}

func TestMistypedCommandIsAnError(t *testing.T) {
	for _, args := range [][]string{{"frobnicate"}, {"audit", "verifyy"}, {"token", "nwe", "--role", "x"}, {"batch", "x"}, {"hook", "x"}, {"keys", "x"}} {
		if _, err := command(t, args...); codeOf(err) != 2 {
			t.Errorf("%v: %v", args, err)
		}
	}
	if out, err := command(t, "--version"); err != nil || !strings.HasPrefix(out, "candor-server version ") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRunServesUntilItIsTold(t *testing.T) {
	dir := made(t)
	token, err := command(t, "token", "new", "--data", dir, "--role", "viewer", "--name", "test", "--expires", "1d")
	if err != nil {
		t.Fatal(err)
	}
	address, cancel, done := serve(t, dir)
	defer cancel()
	request, err := http.NewRequest("GET", address.Listen+"/v1/products", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := http.DefaultClient.Do(request)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := command(t, "run", "--data", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second server: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// addresses are what a server prints when it serves.
type addresses struct{ Listen, Admin string }

// serve runs a server on a data directory until it is cancelled, and tells how
// it ended.
func serve(t *testing.T, dir string) (at addresses, cancel func(), done <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	a := &app{out: write, err: io.Discard, now: time.Now, patience: time.Second}
	c := a.command()
	c.SetArgs([]string{"run", "--data", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--json"})
	ended := make(chan error, 1)
	go func() { ended <- c.ExecuteContext(ctx) }()
	if err := json.NewDecoder(read).Decode(&at); err != nil {
		cancel()
		t.Fatal(err)
	}
	return at, cancel, ended
}

func TestBatchesAndVoteKeys(t *testing.T) {
	dir := made(t)
	cred := filepath.Join(t.TempDir(), "cred.pem")
	for _, args := range [][]string{
		{"batch", "new", "--data", dir, "b1"}, {"batch", "issue", "--data", dir, "b1", "-o", cred}, {"batch", "revoke", "--data", dir, "b1", "--reason", "stolen"},
	} {
		if _, err := command(t, args...); err != nil {
			t.Fatal(args, err)
		}
	}
	if data, err := os.ReadFile(cred); err != nil || !bytes.Contains(data, []byte("PRIVATE KEY")) || !bytes.Contains(data, []byte("CERTIFICATE")) {
		t.Errorf("%s, %v", data, err)
	}
	out, err := command(t, "vote-keys", "--data", dir, "phone", "42", "--json")
	var keys struct{ Primary, Spare map[string]string }
	if err != nil || json.Unmarshal([]byte(out), &keys) != nil || len(keys.Primary) != 4 || keys.Primary["trial"] == keys.Spare["trial"] {
		t.Errorf("%s, %v", out, err)
	}
}

func TestTokensExpireUnlessToldLoudly(t *testing.T) {
	dir := made(t)
	for _, c := range []struct{ expires, says, warning string }{
		{"", "expires " + time.Now().Add(auth.DefaultLife).UTC().Format("2006-01-02"), ""},
		{"never", "never expires", "WARNING"},
	} {
		var out, complaint bytes.Buffer
		a := &app{out: &out, err: &complaint, now: time.Now}
		cmd := a.command()
		cmd.SetArgs([]string{"token", "new", "--data", dir, "--role", "engineer", "--name", "ci", "--owner", "local:li", "--scope", "submit", "--expires", c.expires})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(complaint.String(), "WARNING") != (c.warning != "") {
			t.Errorf("--expires %q: %q", c.expires, &complaint)
		}
		list, err := command(t, "token", "list", "--data", dir)
		if err != nil || !strings.Contains(list, c.says) || strings.Contains(list, strings.TrimSpace(out.String())) || !strings.Contains(list, "local:li") {
			t.Errorf("%q, %v", list, err)
		}
	}
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	dir := made(t)
	for _, args := range [][]string{
		{"run"},
		{"init", "x"},
		{"token", "new", "--data", dir, "--role", "god", "--name", "x"},
		{"token", "new", "--data", dir, "--role", "viewer", "--name", "x", "--expires", "soon"},
		{"token", "new", "--data", dir, "--role", "viewer", "--name", "x", "--expires", "0s"},
		{"token", "new", "--data", dir, "--role", "viewer", "--name", "x", "--scope", "halt"},
		{"token", "new", "--data", dir, "--role", "viewer", "--name", "x", "--scope", "rule"},
		{"vote-keys", "--data", dir, "Phone", "1"},
		{"batch", "new", "--data", dir, "../x"},
		{"run", "--data", dir, "--admin", "0.0.0.0:1"},
		{"run", "--data", dir, "--tls-cert", "x"},
	} {
		if _, err := command(t, args...); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
}
