package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store/disk"
)

func TestBackupOfARunningServerIsRestoredElsewhere(t *testing.T) {
	d := grown(t)
	file := filepath.Join(t.TempDir(), "backup")
	// What a running server holds.
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := disk.Open(d.Tree())
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "backup", "--data", string(d), "--blobs", "-o", file)
	if err != nil || !strings.Contains(out, "1 files") {
		t.Fatalf("%s, %v", out, err)
	}
	if err := errors.Join(tree.Close(), lock.Close()); err != nil {
		t.Fatal(err)
	}
	next := config.Dir(made(t))
	if err := errors.Join(os.RemoveAll(next.Keys()), os.CopyFS(next.Keys(), os.DirFS(d.Keys()))); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, "restore", file, "--to", string(next))
	if err != nil || !strings.Contains(out, "2 API tokens were revoked") || !strings.Contains(out, "1 files") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := command(t, "audit", "verify", "--data", string(next)); err != nil || !strings.Contains(out, "3") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := command(t, "restore", file, "--to", string(next)); err == nil || !strings.Contains(err.Error(), "holds something else") {
		t.Errorf("over what was restored: %v", err)
	}
	for _, args := range [][]string{{"backup", "--data", string(d)}, {"restore", file}, {"restore", "--to", string(next)}} {
		if _, err := command(t, args...); err == nil {
			t.Errorf("%v was done", args)
		}
	}
}
