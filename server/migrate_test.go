package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/server/carry"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/disk"
	"github.com/candor-ota/candor/server/store/storetest"
)

// grown is a data directory in which something has happened.
func grown(t *testing.T) config.Dir {
	t.Helper()
	d := config.Dir(made(t))
	for _, name := range []string{"ci", "li"} {
		if _, err := command(t, "token", "new", "--data", string(d), "--role", "viewer", "--name", name); err != nil {
			t.Fatal(err)
		}
	}
	b, err := disk.Open(d.Tree())
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("an image")
	err = store.PutBytes(t.Context(), b, layout.BlobFile(manifests.SumSHA256(data)), data)
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return d
}

// atScale is a configuration for a real PostgreSQL and a real bucket.
func atScale(t *testing.T, d config.Dir) string {
	t.Helper()
	server, p := storetest.StartS3(t), storetest.StartPostgres(t)
	c := server.Config(t, "bucket")
	for name, text := range map[string]string{"a": c.AccessKey, "s": c.SecretKey, "p": p.Password} {
		if err := os.WriteFile(filepath.Join(string(d), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("ledger: {postgres: {url: %q, passwordFile: %s/p}}\ns3: {endpoint: %q, bucket: bucket, accessKeyFile: %s/a, secretKeyFile: %s/s, caFile: %s}\n",
		p.Database(t), d, c.Endpoint, d, d, server.CAFile)
	name := filepath.Join(string(d), "at-scale.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestHouseIsMovedToPostgreSQLAndABucket(t *testing.T) {
	d := grown(t)
	next := atScale(t, d)
	before, err := command(t, "audit", "verify", "--data", string(d))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "migrate-store", "--from", string(d), "--to", next); err == nil || !strings.Contains(err.Error(), "stop that one first") {
		t.Errorf("moved from under a running server: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is fine
		out, err := command(t, "migrate-store", "--from", string(d), "--to", next, "--json")
		if err != nil {
			t.Fatal(err)
		}
		var done struct {
			Ledger carry.Moved
			Blobs  carry.Objects
		}
		if err := json.Unmarshal([]byte(out), &done); err != nil || done.Blobs.Objects != 1 || done.Ledger.Audit.Seq != 2 {
			t.Errorf("%s, %v", out, err)
		}
	}
	if err := os.Rename(next, d.Config()); err != nil {
		t.Fatal(err)
	}
	after, err := command(t, "audit", "verify", "--data", string(d))
	if err != nil || after != before {
		t.Errorf("%s\nwas %s, %v", after, before, err)
	}
	if out, err := command(t, "token", "list", "--data", string(d)); err != nil || !strings.Contains(out, "li") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestMoveNeedsTheSameKeys(t *testing.T) {
	from, to := grown(t), made(t)
	if _, err := command(t, "migrate-store", "--from", string(from), "--to", to); err == nil || !strings.Contains(err.Error(), "copy keys/") {
		t.Errorf("got %v", err)
	}
	for _, args := range [][]string{{"batch", "new", "lab"}, {"keys", "new"}} {
		if _, err := command(t, append(args, "--data", string(from))...); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(from.Keys(), "rollouts.pem"), filepath.Join(from.Keys(), "2", "was-rollouts.pem")); err != nil { // only the newer set is left
		t.Fatal(err)
	}
	for _, folder := range []string{"keys", "batches"} {
		if _, err := command(t, "migrate-store", "--from", string(from), "--to", to); err == nil || !strings.Contains(err.Error(), folder+"/") {
			t.Errorf("without the same %s: %v", folder, err)
		}
		there := filepath.Join(to, folder)
		if err := errors.Join(os.RemoveAll(there), os.CopyFS(there, os.DirFS(filepath.Join(string(from), folder)))); err != nil {
			t.Fatal(err)
		}
	}
	out, err := command(t, "migrate-store", "--from", string(from), "--to", to)
	if err != nil || !strings.Contains(out, "1 objects") {
		t.Errorf("%s, %v", out, err)
	}
	for _, args := range [][]string{{"--from", string(from), "--to", string(from)}, {"--from", string(from)}, {"--to", to}} {
		if _, err := command(t, append([]string{"migrate-store"}, args...)...); err == nil {
			t.Errorf("%v was done", args)
		}
	}
}

// The objects of a large house take hours: that its ledger cannot follow is said
// before the first.
func TestMoveThatCannotEndDoesNotBegin(t *testing.T) {
	from, other, half := grown(t), grown(t), made(t)
	copyKeys := func(to string) {
		keys := config.Dir(to).Keys()
		if err := errors.Join(os.RemoveAll(keys), os.CopyFS(keys, os.DirFS(from.Keys()))); err != nil {
			t.Fatal(err)
		}
	}
	copyKeys(string(other))
	copyKeys(half)
	b, err := disk.Open(other.Tree())
	if err != nil {
		t.Fatal(err)
	}
	image := layout.BlobFile(manifests.SumSHA256([]byte("an image")))
	if err := errors.Join(b.Delete(t.Context(), image), b.Close()); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(half, "next.yaml")
	text := fmt.Sprintf("ledger: {postgres: {url: %q, passwordFile: %q}}\n", "postgres://candor@127.0.0.1:1/none?sslmode=disable", from.VoteMaster())
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{string(other): "holds something else", next: "PostgreSQL cannot be reached"} {
		if _, err := command(t, "migrate-store", "--from", string(from), "--to", to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
	for _, d := range []config.Dir{other, config.Dir(half)} {
		if _, err := os.Stat(filepath.Join(d.Tree(), image)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the image was moved to %s: %v", d, err)
		}
	}
}
