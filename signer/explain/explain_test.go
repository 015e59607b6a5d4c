package explain_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/diagnosis/diagnosistest"
	"github.com/candor-ota/candor/signer/ceremony"
	"github.com/candor-ota/candor/signer/explain"
)

func published(t *testing.T, tree *diagnosistest.Tree) string {
	t.Helper()
	dir := t.TempDir()
	if err := tree.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func options(t *testing.T, c diagnosistest.Case) explain.Options {
	t.Helper()
	anchor, err := ceremony.AnchorOf(c.TrustedRoot())
	if err != nil {
		t.Fatal(err)
	}
	return explain.Options{Root: c.TrustedRoot(), Anchor: &anchor, Now: diagnosistest.Now}
}

func ask(t *testing.T, target string, o explain.Options) *explain.Explained {
	t.Helper()
	out, err := explain.Explain(context.Background(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// undated serves a directory without the date of this machine, whose clock is
// another one than that of the test.
func undated(t *testing.T, dir string) string {
	t.Helper()
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Each kind of failure is named, from a directory and from a server; and what
// is refused here is what the walk refuses.
func TestEachKindOfFailureIsNamed(t *testing.T) {
	for _, c := range diagnosistest.Cases() {
		if c.HandsetOnly {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			dir := published(t, c.Tree)
			o := options(t, c)
			for _, target := range []string{dir, undated(t, dir)} {
				if c.File != "" {
					target += "/" + c.File
				}
				out := ask(t, target, o)
				failing := diagnosis.Failing(out.Findings)
				if out.Holds || len(failing) == 0 || failing[0].Kind != c.Kind {
					t.Errorf("%s: %+v; expected %s first", target, failing, c.Kind)
				}
				for _, f := range failing {
					if f.Means == "" || f.Do == "" {
						t.Errorf("%s: no advice about %+v", target, f)
					}
				}
			}
			src, err := ceremony.Dir(dir)
			if err != nil {
				t.Fatal(err)
			}
			walk := ceremony.Verify(context.Background(), src, *o.Anchor, ceremony.VerifyOptions{Now: o.Now})
			if late := c.Kind == diagnosis.Clock || c.Kind == diagnosis.RootGap; walk.Holds && c.File == "" && !late {
				t.Errorf("explained as %s, and the walk accepts it", c.Kind)
			}
		})
	}
}

func TestWhatHoldsIsFine(t *testing.T) {
	c := diagnosistest.Case{Tree: diagnosistest.Fine()}
	dir := published(t, c.Tree)
	targets := []string{dir, filepath.Join(dir, "metadata"), undated(t, dir)}
	for path := range c.Tree.Files {
		targets = append(targets, filepath.Join(dir, path), undated(t, dir)+"/"+path)
	}
	for _, target := range targets {
		out := ask(t, target, options(t, c))
		if !out.Holds || out.What == "" || len(out.Findings) == 0 {
			t.Errorf("%s: %+v", target, out)
		}
	}
}

// A role names its people; a metadata file alone is held against the root that
// is given, and says so where nothing says who may sign it.
func TestFileAloneIsHeldAgainstTheRootThatIsGiven(t *testing.T) {
	fine := diagnosistest.Fine()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := options(t, diagnosistest.Case{})
	out := ask(t, write("1.targets.json", fine.Files[diagnosistest.Path("targets", 1)]), o)
	if words := strings.Join(out.Lines(), "\n"); !out.Holds || !strings.Contains(words, "signed by Alice Chen (key ") || !strings.Contains(words, "Carol Eze") {
		t.Error(words)
	}
	out = ask(t, write("1.releases-phone.json", fine.Files[diagnosistest.Path("releases-phone", 1)]), o)
	if words := strings.Join(out.Lines(), "\n"); !strings.Contains(words, "signatures are not judged") {
		t.Error(words)
	}
	o.Root = nil
	if out = ask(t, write("1.root.json", fine.Files[diagnosistest.Path("root", 1)]), o); !out.Holds {
		t.Error(out.Lines())
	}
}

func TestNetworkThatFailsIsSaidToBe(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	failing := diagnosis.Failing(ask(t, s.URL, options(t, diagnosistest.Case{})).Findings)
	if len(failing) != 1 || failing[0].Kind != diagnosis.Network || !strings.HasPrefix(failing[0].Command, "curl -I "+s.URL) {
		t.Errorf("%+v", failing)
	}
}

// The clock of this machine is compared with the one that the server states.
func TestWrongClockIsFoundOutFromTheServer(t *testing.T) {
	dir := published(t, diagnosistest.Fine())
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", diagnosistest.Now.Format(http.TimeFormat))
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	o := options(t, diagnosistest.Case{})
	o.Now = o.Now.AddDate(1, 2, 0)
	out := ask(t, s.URL, o)
	if f := out.Findings[0]; f.Kind != diagnosis.Clock || !strings.Contains(f.Words, "ahead of the server's") {
		t.Errorf("%+v", f)
	}
}

func TestOtherFilesAreSaidToBeWhatTheyAre(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct{ data, what string }{
		"alice.key":         {"-----BEGIN AGE ENCRYPTED FILE-----\n", "private key, encrypted"},
		"trusted-root.json": {`{"format":"candor-trusted-root-1","sha256":"00","version":1}`, "note of the root"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := ask(t, path, explain.Options{Now: diagnosistest.Now}); !strings.HasPrefix(out.What, test.what) {
			t.Errorf("%s: %q", name, out.What)
		}
	}
	if _, err := explain.Explain(context.Background(), dir, explain.Options{}); err == nil || !strings.Contains(err.Error(), "without metadata/") {
		t.Errorf("an empty directory: %v", err)
	}
}
