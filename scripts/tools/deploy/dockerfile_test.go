package deploy

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func TestDockerfileIsOne(t *testing.T) {
	f, err := os.Open("../../../server/deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Error(w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[1].BaseName != "scratch" {
		t.Fatalf("%d stages", len(stages))
	}
	has := map[string]string{}
	for _, c := range stages[1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			has["user"] = c.User
		case *instructions.HealthCheckCommand:
			has["health"] = strings.Join(c.Health.Test, " ")
		case *instructions.EntrypointCommand:
			has["entrypoint"] = strings.Join(c.CmdLine, " ")
		}
	}
	if has["user"] != "65532:65532" || has["health"] != "CMD /candor-server healthy --live" || has["entrypoint"] != "/candor-server" {
		t.Errorf("the image is %v", has)
	}
}
