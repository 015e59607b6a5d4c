package scripts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/candor-ota/candor"

// pkg is what the rules read of `go list -json`.
type pkg struct {
	ImportPath, Name, Doc, Dir string
	GoFiles, TestGoFiles       []string
	Imports, Deps              []string
	TestImports, XTestImports  []string
}

// room is the path of a package below the module.
func (p pkg) room() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 15 {
		t.Fatalf("go list names only %d packages", len(all))
	}
	return all
}

// listed asks once: go list takes seconds.
var listed = sync.OnceValues(func() (all []pkg, err error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Dir,GoFiles,TestGoFiles,Imports,Deps,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func within(room, house string) bool { return room == house || strings.HasPrefix(room, house+"/") }

func TestProgramsMeetOnlyInTheVocabulary(t *testing.T) {
	forbidden := map[string][]string{
		"manifests": {"server", "signer", "client", "scripts"},
		"server":    {"signer", "client", "scripts"},
		"signer":    {"server", "client", "scripts"},
		"client":    {"server", "signer", "scripts"},
	}
	for _, p := range packages(t) {
		for house, others := range forbidden {
			if !within(p.room(), house) {
				continue
			}
			for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				room, ours := strings.CutPrefix(imported, module+"/")
				if ours && slices.ContainsFunc(others, func(o string) bool { return within(room, o) }) {
					t.Errorf("%s imports %s", p.room(), room)
				}
			}
		}
	}
}

func TestLibrariesStayInTheirRooms(t *testing.T) {
	rooms := map[string][]string{
		"github.com/gin-gonic/gin":                       {"server/api"},
		"github.com/coreos/go-oidc":                      {"server/auth"},
		"golang.org/x/oauth2":                            {"server/auth"},
		"go.opentelemetry.io":                            {"server/observe"},
		"github.com/minio/minio-go":                      {"server/store/s3"},
		"golang.org/x/crypto/ssh":                        {"signer/keyring/sshagent"},
		"github.com/miekg/pkcs11":                        {"signer/keyring/token"},
		"github.com/sigstore/sigstore/pkg/signature/kms": {"signer/keyring/kms"},
		"github.com/hashicorp":                           {"signer/keyring/kms"},
		"modernc.org/sqlite":                             {"server/store/sqlite"},
		"github.com/jackc/pgx":                           {"server/store/postgres", "server/store/storetest"}, // storetest starts servers
		"github.com/theupdateframework/go-tuf":           {"signer/ceremony", "signer/build", "server/release", "server/release/releasetest", "server/publish", "client/trust"},
	}
	for _, p := range packages(t) {
		for library, allowed := range rooms {
			uses := slices.ContainsFunc(p.Imports, func(i string) bool { return strings.HasPrefix(i, library) })
			if uses && !within(p.room(), "scripts") && !slices.Contains(allowed, p.room()) {
				t.Errorf("%s imports %s, which belongs to %v", p.room(), library, allowed)
			}
		}
	}
}

func TestBinariesStaySmall(t *testing.T) {
	banned := map[string][]string{
		"client": {"github.com/chromedp", "go.opentelemetry.io", "github.com/coreos/go-oidc", "golang.org/x/oauth2", "github.com/gin-gonic", "github.com/minio", "database/sql$", "modernc.org/sqlite", "github.com/jackc", "filippo.io/age"},
		"signer": {
			"github.com/chromedp", "github.com/coreos/go-oidc", "github.com/gin-gonic", "github.com/minio", "database/sql$", "modernc.org/sqlite", "net/http/httptest", "net/http/pprof", "go.opentelemetry.io",
			"github.com/miekg/pkcs11", "github.com/aws", "cloud.google.com", "google.golang.org/api", "google.golang.org/grpc", "github.com/Azure", "github.com/hashicorp",
		}, // only with the tags pkcs11 and kms
		"server": {"github.com/chromedp", "filippo.io/age", "google.golang.org/grpc", module + "/signer", module + "/client"},
	}
	for _, p := range packages(t) {
		for _, dep := range p.Deps {
			for _, b := range banned[p.room()] {
				if strings.HasPrefix(dep+"$", b) { // a $ ends the name: database/sql/driver is types alone
					t.Errorf("candor-%s links %s", p.room(), dep)
				}
			}
		}
	}
}

// The owner's receipt stays on the handset: the package that writes it cannot
// reach a network, and those that can do not know it, but for the outbox, which
// only adds to it.
func TestReceiptsKnowNoNetwork(t *testing.T) {
	writers := []string{"client", "client/agent", "client/handset", "client/outbox"}
	found := false
	for _, p := range packages(t) {
		if p.room() == "client/receipts" {
			found = true
			for _, dep := range p.Deps {
				if dep == "net" || strings.HasPrefix(dep, "net/http") || dep == "crypto/tls" {
					t.Errorf("client/receipts links %s", dep)
				}
			}
		}
		if slices.Contains(p.Imports, module+"/client/receipts") && !slices.Contains(writers, p.room()) {
			t.Errorf("%s imports client/receipts", p.room())
		}
	}
	if !found {
		t.Error("there is no package client/receipts")
	}
}

// Tests cut the power of the handset's disk (client/disk/disktest): what goes
// past it is not tested.
func TestClientTouchesItsDiskInOnePlace(t *testing.T) {
	calls := regexp.MustCompile(`\bos\.(Open|OpenFile|OpenRoot|Create|CreateTemp|ReadFile|WriteFile|Mkdir|MkdirAll|MkdirTemp|Remove|RemoveAll|Rename|Link|Symlink|Truncate|Chmod|Chtimes|Stat|Lstat|ReadDir|Readlink|CopyFS|DirFS)\b`)
	others := map[string]string{ // with the reason
		"client/owner.go":         "reads the root that the command line names",
		"client/tuf.go":           "reads the root that the command line names",
		"client/agent/config.go":  "reads the integrator's configuration",
		"client/bundle/bundle.go": "reads the bundle that the owner names",
		"client/handset/owner.go": "reads credential, label and factory image, which others put there",
		"client/trust/bare.go":    "writes a target where the command line says",
		"client/status/server.go": "makes its socket, which holds nothing",
	}
	for _, p := range packages(t) {
		if !within(p.room(), "client") || within(p.room(), "client/disk") {
			continue
		}
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			file := p.room() + "/" + name
			found := calls.Find(src)
			if found != nil && others[file] == "" {
				t.Errorf("%s calls %s: go through client/disk, or name the file here with its reason", file, found)
			}
			if found == nil && others[file] != "" {
				t.Errorf("%s has no such call any more: strike it from the list", file)
			}
		}
	}
}

var listens = regexp.MustCompile(`\b(net\.Listen\w*|ListenAndServe|http\.Serve|tls\.Listen|ListenConfig|ListenUDP|ListenPacket|FileListener|(?:unix|syscall)\.(?:Bind|Listen)\b)`)

// listeners names what in the sources of a house listens, as room/file: call.
func listeners(t *testing.T, house string) (found []string) {
	t.Helper()
	for _, p := range packages(t) {
		if !within(p.room(), house) {
			continue
		}
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range listens.FindAll(src, -1) {
				found = append(found, p.room()+"/"+name+": "+string(call))
			}
		}
	}
	return found
}

// The signer holds offline keys; nothing may reach it.
func TestSignerNeverListens(t *testing.T) {
	if found := listeners(t, "signer"); found != nil {
		t.Errorf("the signer listens: %q", found)
	}
}

// Nobody can push to a handset: the agent answers its owner on a socket in the
// file system, and listens on no network.
func TestClientListensOnNoNetwork(t *testing.T) {
	if found := listeners(t, "client"); !slices.Equal(found, []string{"client/status/server.go: net.ListenUnix"}) {
		t.Errorf("the client listens: %q", found)
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(strings.Fields(p.Doc)) < 5 {
			t.Errorf("%s has no package comment", p.room())
		}
	}
}

func TestTopLevelIsTheDesignsAndNothingIsReplaced(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	allowed := []string{".ci", ".gitignore", ".golangci.yml", "LICENSE", "README.md", "client", "go.mod", "go.sum", "manifests", "scripts", "server", "signer"}
	for _, f := range strings.Fields(string(out)) {
		if top, _, _ := strings.Cut(f, "/"); !slices.Contains(allowed, top) {
			t.Errorf("%s does not belong at the top level", f)
		}
	}
	for _, f := range []string{"../go.mod", "tools/go.mod", "tools/deploy/go.mod"} {
		mod, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^\s*replace\b`).Match(mod) {
			t.Errorf("%s replaces a module", f)
		}
	}
}

func TestTestsNeitherSkipNorSleep(t *testing.T) {
	lazy := regexp.MustCompile(`\bt\.Skip|\btime\.Sleep\(`)
	err := filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "house_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := lazy.Find(src); found != nil {
			t.Errorf("%s: %s", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
