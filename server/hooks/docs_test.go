package hooks

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeShowsTheTestedReceiver keeps the README's example to the one that
// package webhook runs.
func TestReadmeShowsTheTestedReceiver(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../manifests/webhook/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(readme), "```go\nvar seen webhook.Memory\n")
	shown, _, closed := strings.Cut(shown, "```")
	if !ok || !closed {
		t.Fatal("the README shows no receiver")
	}
	var indented strings.Builder
	for line := range strings.Lines(shown) {
		indented.WriteString("\t" + line)
	}
	if !strings.Contains(string(example), indented.String()) {
		t.Errorf("not what is tested:\n%s", shown)
	}
}
