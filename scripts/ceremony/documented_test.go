package ceremony_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/candor-ota/candor/scripts/world"
)

// help knows the commands and flags of our programs, from what they say.
type help struct {
	dirs map[string]string // of each program
	said map[string]string
}

func (h help) of(t *testing.T, command ...string) string {
	t.Helper()
	key := strings.Join(command, " ")
	if _, ok := h.said[key]; !ok {
		out, err := exec.Command(filepath.Join(h.dirs[command[0]], command[0]), append(command[1:], "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s --help: %v: %s", key, err, out)
		}
		h.said[key] = string(out)
	}
	return h.said[key]
}

var (
	continued = regexp.MustCompile(` *\\\n\s*`)
	code      = regexp.MustCompile("(?s)\n *```.*?\n *```|`[^`\n]+`")
	example   = regexp.MustCompile("\\bcandor-(?:server|signer|client)(?: +[^\\s|;&()<>#\"'`\\\\]+)+")
	group     = regexp.MustCompile(`(?m)^Available Commands:$`)
	flagWord  = regexp.MustCompile(`^--[a-z][a-z0-9-]*`)
	plainWord = regexp.MustCompile(`^[a-z][a-z-]+$`)
)

// examples gives the commands that a text shows: those of a page in its code,
// those of a program wherever they have a flag; the rest is prose.
func examples(name, text string) (list [][]string) {
	parts := []string{text}
	page := strings.HasSuffix(name, ".md")
	if page {
		parts = code.FindAllString(continued.ReplaceAllString(text, " "), -1)
	}
	for _, part := range parts {
		for _, e := range example.FindAllString(part, -1) {
			if page || strings.Contains(e, " --") {
				list = append(list, strings.Fields(e))
			}
		}
	}
	return list
}

// wrong says what in an example is no command, or no flag of it.
func (h help) wrong(t *testing.T, words []string) (found []string) {
	t.Helper()
	command, flags := words[:1:1], []string{}
	open, value := true, false // whether a command may follow; a flag's value
	for _, w := range words[1:] {
		said := h.of(t, command...)
		switch {
		case strings.HasPrefix(w, "-"):
			if f := flagWord.FindString(w); f != "" {
				flags = append(flags, f)
			}
			value = !strings.Contains(w, "=")
		case !open || !group.MatchString(said):
			open = false
		case regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(w) + ` `).MatchString(said):
			command, value = append(command, w), false
		case value:
			value = false
		default:
			open = false
			if plainWord.MatchString(w) {
				found = append(found, w+" is no command of "+strings.Join(command, " "))
			}
		}
	}
	for _, f := range flags {
		if !regexp.MustCompile(`(?m)^ +(?:-[a-zA-Z], )?` + f + `\b`).MatchString(h.of(t, command...)) {
			found = append(found, f+" is no flag of "+strings.Join(command, " "))
		}
	}
	return found
}

// A command that a text shows must be there, with the flags that it shows.
func TestCommandsInTextsExist(t *testing.T) {
	module, err := world.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := world.Build(ctx, bin); err != nil {
		t.Fatal(err)
	}
	h := help{map[string]string{"candor-server": bin, "candor-signer": build(t), "candor-client": bin}, map[string]string{}}
	list, err := exec.Command("git", "-C", module, "ls-files", "*.md", "*.go", "*.svelte", "*.ts", "*.yaml", "*.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range strings.Fields(string(list)) {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".test.ts") {
			continue // they also do what is wrong
		}
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range examples(name, string(data)) {
			found++
			for _, w := range h.wrong(t, words) {
				t.Errorf("%s: %q: %s", name, strings.Join(words, " "), w)
			}
		}
	}
	if found < 200 {
		t.Errorf("found %d examples only", found)
	}
}
