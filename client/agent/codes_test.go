package agent

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/rollout"
)

// codesOf reads the constants of type Code in a file.
func codesOf(t *testing.T, path string, isCode func(ast.Expr) bool) (codes []rollout.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Type != nil && isCode(v.Type) {
			for _, value := range v.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, rollout.Code(text))
			}
		}
		return true
	})
	return codes
}

func TestEveryCodeHasAMeaning(t *testing.T) {
	policy := codesOf(t, "../../manifests/rollout/decide.go", func(e ast.Expr) bool { i, ok := e.(*ast.Ident); return ok && i.Name == "Code" })
	own := codesOf(t, "codes.go", func(e ast.Expr) bool { s, ok := e.(*ast.SelectorExpr); return ok && s.Sel.Name == "Code" })
	if len(policy) < 21 || len(own) < 3 {
		t.Fatalf("found only %d and %d codes", len(policy), len(own))
	}
	all := slices.Concat(policy, own)
	for _, m := range Meanings() {
		if m.Means == "" {
			t.Errorf("%s means nothing", m.Code)
		}
		if !slices.Contains(all, m.Code) {
			t.Errorf("%s is no code", m.Code)
		}
	}
	for _, c := range all {
		if meaningOf(c).Means == "" {
			t.Errorf("%s has no meaning", c)
		}
	}
	if len(all) != len(Meanings()) {
		t.Errorf("%d codes, %d meanings", len(all), len(Meanings()))
	}
}

// User interfaces know the codes: none goes away or changes its place.
func TestCodesOnlyGrow(t *testing.T) {
	first := strings.Fields(`up-to-date no-policy wrong-model scheduled held halted withdrawn too-old epoch expired pace
		not-in-share bad-target needs-consent declined postponed ask-first battery metered storage before-window hook attempt error`)
	for i, m := range Meanings() {
		if i < len(first) && string(m.Code) != first[i] {
			t.Errorf("code %d is %s, it was %s", i, m.Code, first[i])
		}
	}
	if len(Meanings()) < len(first) {
		t.Errorf("%d codes, there were %d", len(Meanings()), len(first))
	}
}

func TestReadmeShowsEveryCodeAsTheAgentDoes(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	or := func(s string) string {
		if s == "" {
			return "–"
		}
		return s
	}
	var table strings.Builder
	table.WriteString("| code | means | ends when | the owner can |\n|---|---|---|---|\n")
	for _, m := range Meanings() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Code, m.Means, or(m.Ends), or(m.Can))
	}
	if !strings.Contains(string(readme), table.String()) {
		t.Errorf("client/README.md should hold this table:\n%s", table.String())
	}
}
