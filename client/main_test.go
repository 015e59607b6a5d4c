package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/layout"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"candor-client": main})
}

func TestScripts(t *testing.T) {
	published, stranger := newTree(t), newTree(t)
	server := httptest.NewServer(published)
	t.Cleanup(server.Close)
	// Reporting is off, so nothing but files may be asked for.
	t.Cleanup(func() {
		if n := published.posts.Load(); n != 0 {
			t.Errorf("%d requests beyond static files, without consent", n)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			uboot, err := filepath.Abs("boot/uboot")
			if err != nil {
				return err
			}
			env.Setenv("UBOOT", uboot)
			env.Setenv("URL", server.URL)
			env.Setenv("PAST", signed.Add(-365*24*time.Hour).Format(time.RFC3339))
			env.Setenv("SOON", signed.Add(47*time.Hour).Format(time.RFC3339))
			env.Setenv("LATE", signed.Add(49*time.Hour).Format(time.RFC3339))
			config := fmt.Sprintf("product: %s\nmodel: mi-3\nservers: [%s]\nstate: state\nslots: slots\nhealth: [[\"true\"]]\n", product, server.URL)
			root := layout.MetadataFile("root", 1)
			tampered := strings.Replace(string(published.files[root]), `"consistent_snapshot":true`, `"consistent_snapshot":false`, 1)
			var errs []error
			for name, data := range map[string][]byte{
				"client.yaml": []byte(config), "root.json": published.files[root], "factory.img": published.factory,
				"stranger.json": stranger.files[root], "tampered.json": []byte(tampered),
			} {
				errs = append(errs, os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600))
			}
			return errors.Join(errs...)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"bundle": published.bundle, "hold": hold, "replace": replace},
	})
}

// replace changes the first occurrence of a word in a file.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[2])
	data, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, []byte(strings.Replace(string(data), args[0], args[1], 1)), 0o600))
}

// hold keeps a metadata directory locked to the end of the script, as another
// process would.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	store, err := trust.OpenStore(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(store.Close()) })
}

func TestExitStatusIsZeroOrOne(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for want, commands := range map[int][][]string{
		0: {{"--help"}, {"--version"}, {"tuf", "--help"}, {}, {"consent"}},
		1: {{"frobnicate"}, {"consent", "of"}, {"lab", "of"}, {"tuf", "refrech"}, {"--frobnicate"}, {"status", "--config", missing}, {"tuf", "init"}, {"tuf", "refresh"}, {"retry", "x"}},
	} {
		for _, args := range commands {
			if got := run(args); got != want {
				t.Errorf("candor-client %s: exit status %d, want %d", strings.Join(args, " "), got, want)
			}
		}
	}
}
