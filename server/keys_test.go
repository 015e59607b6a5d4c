package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/publish"
)

func TestNewOnlineKeysWaitBesideThoseInUse(t *testing.T) {
	dir := made(t)
	out, err := command(t, "keys", "new", "--data", dir)
	if err != nil || !strings.Contains(out, "set 2: waiting") || !strings.Contains(out, "root rotate-online") {
		t.Fatalf("%s, %v", out, err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "keys", "2", "online-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, "keys", "export", "--data", dir); err != nil || out != string(public) {
		t.Errorf("%s, %v", out, err)
	}
	first, err := os.ReadFile(filepath.Join(dir, "online-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, "keys", "export", "--set", "1", "--data", dir); err != nil || out != string(first) {
		t.Errorf("%s, %v", out, err)
	}
	out, err = command(t, "keys", "list", "--data", dir, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Sets []keySet }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Sets) != 2 || list.Sets[0].State != "unpublished" {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := command(t, "keys", "remove", "1", "--data", dir); err == nil || !strings.Contains(err.Error(), "unpublished") {
		t.Errorf("keys were removed while nobody knows which are needed: %v", err)
	}
	if strings.Contains(out, "PRIVATE") {
		t.Error("a private key was printed")
	}
	if _, err := publish.Sets(filepath.Join(dir, "keys")); err != nil {
		t.Error(err)
	}
}
