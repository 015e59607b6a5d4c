package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServiceManagerAndPrometheusAreAnswered(t *testing.T) {
	dir, name := made(t), filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	heard := func() string {
		t.Helper()
		buffer := make([]byte, 256)
		if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // a port that was free a moment ago
	if err != nil {
		t.Fatal(err)
	}
	metrics := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("metrics: "+metrics+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(time.Minute.Microseconds()))
	address, cancel, done := serve(t, dir)
	defer cancel()
	if got := heard(); !strings.HasPrefix(got, "READY=1") {
		t.Errorf("heard %q", got)
	}
	if got := heard(); got != "WATCHDOG=1" {
		t.Errorf("heard %q", got)
	}
	admin := strings.TrimPrefix(address.Admin, "http://")
	for _, path := range []string{"/metrics", "/livez"} {
		if err := answers(t.Context(), metrics, path); err != nil {
			t.Error(err)
		}
	}
	if _, err := command(t, "healthy", "--admin", admin, "--live"); err != nil {
		t.Error(err)
	}
	if _, err := command(t, "healthy", "--admin", admin); err == nil || !strings.Contains(err.Error(), "no root of trust yet") {
		t.Errorf("a server without a root is ready: %v", err)
	}
	cancel()
	if got := heard(); !strings.HasPrefix(got, "STOPPING=1") {
		t.Errorf("heard %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := command(t, "healthy", "--admin", admin, "--live"); err == nil {
		t.Error("a server that is gone is alive")
	}
}

func TestInitLeavesWhatIsThereAlone(t *testing.T) {
	dir := made(t)
	before, err := os.ReadFile(filepath.Join(dir, "keys", "snapshot.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, "init", "--data", dir, "--if-missing"); err != nil || !strings.Contains(out, "is there already") {
		t.Errorf("%s, %v", out, err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "keys", "snapshot.pem")); err != nil || string(after) != string(before) {
		t.Errorf("another key, %v", err)
	}
	if _, err := command(t, "init", "--data", filepath.Join(t.TempDir(), "new"), "--if-missing"); err != nil {
		t.Error(err)
	}
}
