package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/scripts/world"
)

const (
	product = manifests.Product("phone")
	build   = manifests.Build(43)
)

// asked is what client.mjs is asked, and answer what it prints.
type asked struct {
	Server   string `json:"server"`
	Metadata string `json:"metadata"`
	Targets  string `json:"targets"`
	Target   string `json:"target,omitempty"`
}

type answer struct {
	Versions map[string]int64 `json:"versions"`
	Target   []byte           `json:"target"` // in base64
}

// client is a tuf-js client with a cache of its own, which trusts a root.
func client(t *testing.T, root []byte) asked {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "root.json"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	return asked{Metadata: dir, Targets: t.TempDir()}
}

func (a asked) from(server, target string) (answer, error) {
	a.Server, a.Target = server, target
	question, err := json.Marshal(a)
	if err != nil {
		return answer{}, err
	}
	cmd := exec.Command("./run", string(question))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return answer{}, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	var said answer
	return said, json.Unmarshal(out.Bytes(), &said)
}

// system is a world with one release, published.
func system(t *testing.T) (*world.World, []byte) {
	t.Helper()
	ctx := context.Background()
	w, err := world.New(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	image := filepath.Join(t.TempDir(), "system.img")
	manifest, err := world.Example(product, build, "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n")
	for _, step := range []func() error{
		func() error { return err },
		func() error { return w.Ceremony(ctx, product) },
		func() error { return os.WriteFile(image, bytes.Repeat([]byte("a system image\n"), 1<<12), 0o600) },
		func() error { return w.Release(ctx, product, build, manifest, image) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.ReadFile(w.Path("1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	return w, root
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v, %v", url, resp.Status, err, cerr)
	}
	return data
}

// signed reads the version-bearing part of a metadata file.
type signed struct {
	Signed struct {
		Version int64 `json:"version"`
		Meta    map[string]struct {
			Version int64 `json:"version"`
		} `json:"meta"`
		Targets map[string]struct {
			Hashes map[string]string `json:"hashes"`
		} `json:"targets"`
	} `json:"signed"`
}

func parse(t *testing.T, data []byte) signed {
	t.Helper()
	var m signed
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// published downloads every metadata file in force, root and targets first.
func published(t *testing.T, server string, root int64) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	keep := func(role string, version int64) []byte {
		data := get(t, server+"/"+layout.MetadataFile(role, version))
		paths = append(paths, filepath.Join(dir, filepath.Base(layout.MetadataFile(role, version))))
		if err := os.WriteFile(paths[len(paths)-1], data, 0o600); err != nil {
			t.Fatal(err)
		}
		return data
	}
	keep("root", root)
	timestamp := get(t, server+"/"+layout.TimestampFile)
	snapshot := parse(t, get(t, server+"/"+layout.MetadataFile("snapshot", parse(t, timestamp).Signed.Meta["snapshot.json"].Version)))
	keep("targets", snapshot.Signed.Meta["targets.json"].Version)
	keep("timestamp", 0)
	keep("snapshot", snapshot.Signed.Version)
	for name, meta := range snapshot.Signed.Meta {
		if role := strings.TrimSuffix(name, ".json"); role != "targets" {
			keep(role, meta.Version)
		}
	}
	return paths
}

// A client of other makers refreshes, fetches a release through the delegation,
// follows the root when the online keys are replaced, and refuses what was
// tampered with.
func TestAnotherClientReadsWhatIsPublished(t *testing.T) {
	w, root := system(t)
	path := layout.ReleasePath(product, build)
	first := client(t, root)
	got, err := first.from(w.Server, path)
	if err != nil {
		t.Fatal(err)
	}
	release, err := manifests.ParseRelease(got.Target)
	if err != nil || release.Build != build || got.Versions["root"] != 1 {
		t.Fatalf("%+v: %v", got.Versions, err)
	}
	if _, err := first.from(w.Server, "releases/phone/99.json"); err == nil || !strings.Contains(err.Error(), "no role signs") {
		t.Errorf("a release that nobody signed: %v", err)
	}
	t.Run("tampered", func(t *testing.T) { refuses(t, w.Server, root) })
	verifiesInPython(t, w, 1)
	if err := w.RotateOnline(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]asked{"with a cache": first, "fresh": client(t, root)} {
		after, err := c.from(w.Server, path)
		if err != nil {
			t.Fatalf("after the rotation, %s: %v", name, err)
		}
		if after.Versions["root"] != 2 || !bytes.Equal(after.Target, got.Target) {
			t.Errorf("after the rotation, %s: %+v", name, after.Versions)
		}
	}
	verifiesInPython(t, w, 2)
	// What others accept, ours explains as fine.
	if said := mustExec(t, w, "explain", w.Server, "--root", "1.root.json"); bytes.Contains(said, []byte("PROBLEM")) {
		t.Errorf("%s", said)
	}
}

// refuses holds the client against a server in between that changes one file.
func refuses(t *testing.T, server string, root []byte) {
	spoil := func(data []byte) []byte { return bytes.Replace(data, []byte(`"version"`), []byte(`"Version"`), 1) }
	for name, test := range map[string]struct {
		file  string // the end of its path
		spoil func([]byte) []byte
		why   string // in the client's words
	}{
		"release":           {".43.json", func(data []byte) []byte { return bytes.Replace(data, []byte(`"build":43`), []byte(`"build":44`), 1) }, "Expected hash"},
		"timestamp":         {"timestamp.json", func(data []byte) []byte { return bytes.Replace(data, []byte("x-issued"), []byte("x-issueD"), 1) }, "signed by 0/1 keys"},
		"snapshot":          {".snapshot.json", spoil, "Expected hash"},
		"list of releases":  {".releases-phone.json", spoil, "Expected hash"},
		"targets":           {".targets.json", spoil, "Expected hash"},
		"longer than it is": {".targets.json", func(data []byte) []byte { return append(data, ' ') }, "Max length reached"},
	} {
		t.Run(name, func(t *testing.T) {
			between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				resp, err := http.Get(server + r.URL.Path)
				if err != nil {
					rw.WriteHeader(http.StatusBadGateway)
					return
				}
				data, err := io.ReadAll(resp.Body)
				if cerr := resp.Body.Close(); err != nil || cerr != nil {
					t.Error(err, cerr)
				}
				if strings.HasSuffix(r.URL.Path, test.file) {
					data = test.spoil(data)
				}
				rw.WriteHeader(resp.StatusCode)
				if _, err := rw.Write(data); err != nil {
					t.Log(err)
				}
			}))
			defer between.Close()
			if got, err := client(t, root).from(between.URL, layout.ReleasePath(product, build)); err == nil {
				t.Errorf("accepted: %+v, %q", got.Versions, got.Target)
			} else if !strings.Contains(err.Error(), test.why) {
				t.Errorf("refused, but for another reason than %q: %v", test.why, err)
			}
		})
	}
}

// verifiesInPython has every signature of every role verified by
// securesystemslib, with Ed25519 and P-256 keys.
func verifiesInPython(t *testing.T, w *world.World, root int64) {
	t.Helper()
	if root == 1 {
		addP256Product(t, w)
	}
	paths := published(t, w.Server, root)
	// Debian's own Python, which has Debian's packages.
	out, err := exec.Command("/usr/bin/python3", append([]string{"verify.py"}, paths...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"root ", "timestamp ", "snapshot ", "targets ", "rollouts ", "releases-phone ", "releases-tablet "} {
		if !strings.Contains("\n"+string(out), "\n"+want) {
			t.Errorf("%sis not verified:\n%s", want, out)
		}
	}
	if !strings.Contains(string(out), "releases-tablet 1 2\n") {
		t.Errorf("two engineers signed the tablet:\n%s", out)
	}
}

// addP256Product adds a product whose engineers have P-256 keys.
func addP256Product(t *testing.T, w *world.World) {
	t.Helper()
	ctx := context.Background()
	var engineers []string
	for key, name := range map[string]string{"fred": "Fred Okoro", "gina": "Gina Park"} {
		mustExec(t, w, "key", "new", key, "--type", "p256", "--holder", name, "--work-factor", "12", "--passphrase-file", "pass")
		if err := os.WriteFile(w.Path(key+".pub"), mustExec(t, w, "key", "show", key, "--public"), 0o600); err != nil {
			t.Fatal(err)
		}
		engineers = append(engineers, "--engineer", key+".pub")
	}
	mustExec(t, w, append([]string{"product", "add", "tablet", "--threshold", "2", "--server", w.Server}, engineers...)...)
	if err := w.Sign(ctx, "tablet.proposal.json", "alice", "bob", "fred", "gina"); err != nil {
		t.Fatal(err)
	}
}

func mustExec(t *testing.T, w *world.World, args ...string) []byte {
	t.Helper()
	out, err := w.Exec(context.Background(), "signer", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
