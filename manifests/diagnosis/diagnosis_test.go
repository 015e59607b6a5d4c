package diagnosis_test

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/diagnosis/diagnosistest"
)

var update = flag.Bool("update", false, "write the golden words anew")

// files is a tree in memory.
type files map[string][]byte

func (f files) Read(_ context.Context, path string, limit int64) ([]byte, error) {
	data, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data[:min(int64(len(data)), limit+1)], nil
}

func anchor(t *testing.T, c diagnosistest.Case) *diagnosis.Anchor {
	t.Helper()
	root, found := (diagnosis.Expected{Role: "root"}).Judge(c.TrustedRoot())
	if root == nil {
		t.Fatal(found)
	}
	return &diagnosis.Anchor{Version: root.Version, Hash: root.Hash()}
}

func examine(t *testing.T, c diagnosistest.Case) []diagnosis.Finding {
	t.Helper()
	tree := &diagnosis.Tree{
		Source: files(c.Tree.Files), Anchor: anchor(t, c), Now: c.Tree.Now, Floors: c.Floors, Product: c.Product, Strict: c.SignerOnly,
	}
	return tree.Examine(context.Background())
}

func TestTreeThatHoldsHasNoFinding(t *testing.T) {
	c := diagnosistest.Case{Tree: diagnosistest.Fine()}
	for _, f := range examine(t, c) {
		if f.Kind != diagnosis.Holds {
			t.Errorf("%+v", f)
		}
	}
	if n := len(examine(t, c)); n != 8 {
		t.Errorf("%d findings; expected six roles and two documents", n)
	}
}

// Each failure is named by its kind, in the same words for ever: those for the
// maker and those for the owner.
func TestEachKindIsNamedInTheseWords(t *testing.T) {
	seen := map[diagnosis.Kind]bool{}
	for _, c := range diagnosistest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			found := examine(t, c)
			failing := diagnosis.Failing(found)
			if c.Kind == diagnosis.Rule {
				if len(failing) > 0 {
					t.Fatalf("rules are the walk's to judge: %+v", failing)
				}
				return
			}
			if len(failing) == 0 || failing[0].Kind != c.Kind {
				t.Fatalf("found %+v, expected %s first", failing, c.Kind)
			}
			seen[c.Kind] = true
			golden(t, c.Name, failing)
		})
	}
	elsewhere := []diagnosis.Kind{diagnosis.Network, diagnosis.Local, diagnosis.Rule} // of the programs
	for _, c := range diagnosis.Cases() {
		if !seen[c.Kind] && !slices.Contains(elsewhere, c.Kind) {
			t.Errorf("no tree fails as %s", c.Kind)
		}
		if c.Means == "" || c.Maker.Do == "" || c.Owner.Do == "" {
			t.Errorf("%s is not explained", c.Kind)
		}
	}
}

func golden(t *testing.T, name string, failing []diagnosis.Finding) {
	t.Helper()
	var lines []string
	for _, r := range []struct {
		title  string
		reader diagnosis.Reader
	}{{"To the maker:", diagnosis.Maker}, {"To the owner:", diagnosis.Owner}} {
		lines = append(lines, r.title)
		told := make([]diagnosis.Finding, len(failing))
		copy(told, failing)
		for _, f := range diagnosis.Advise(told, r.reader, diagnosis.Place{Server: "https://updates.example"}) {
			lines = append(lines, f.Lines()...)
		}
	}
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("other words than before:\n%s\nexpected:\n%s", got, want)
	}
}

// Whatever bytes stand in place of a file, a diagnosis is made.
func FuzzJudge(f *testing.F) {
	for _, c := range diagnosistest.Cases() {
		f.Add(c.Tree.Files["metadata/timestamp.json"], "timestamp")
	}
	fine := diagnosistest.Fine()
	for _, role := range []string{"root", "snapshot", "targets", "rollouts", "releases-phone"} {
		f.Add(fine.Files[diagnosistest.Path(role, 1)], role)
	}
	f.Fuzz(func(t *testing.T, data []byte, role string) {
		file, found := (diagnosis.Expected{Role: role, Now: diagnosistest.Now, Strict: true}).Judge(data)
		if len(found) == 0 {
			t.Fatal("nothing is said")
		}
		if file == nil && len(diagnosis.Failing(found)) == 0 {
			t.Fatal("what cannot be read holds")
		}
		diagnosis.Release(diagnosis.Expected{Role: "x"}, data)
		diagnosis.Rollouts(diagnosis.Expected{Role: "x"}, data)
	})
}
