package dashboard

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostFirst is what the first look may cost: page, scripts and styles, as they
// are sent.
const mostFirst = 100_000

// chunk is what Vite's manifest says of a source.
type chunk struct {
	File    string
	CSS     []string
	Imports []string
}

const overview = "src/pages/overview/page.svelte"

// TestFirstLoadIsSmall counts what a browser fetches for the first page: what
// index.html names, the chunk of the overview, and all that these import.
func TestFirstLoadIsSmall(t *testing.T) {
	s := site(t)
	body, err := built.ReadFile("dist/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var chunks map[string]chunk
	if err := json.Unmarshal(body, &chunks); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{"/": true}
	for _, m := range links.FindAllSubmatch(s.page.Body, -1) {
		paths[string(m[1])] = true
	}
	todo := []string{"index.html", overview}
	for seen := map[string]bool{}; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		c, ok := chunks[name]
		if !ok || !strings.HasPrefix(c.File, "assets/") {
			t.Fatalf("the manifest has no %s", name)
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		todo = append(todo, c.Imports...)
		for _, file := range append(c.CSS, c.File) {
			paths["/"+file] = true
		}
	}
	total := 0
	for p := range paths {
		w := ask(s, http.MethodGet, p, "Accept-Encoding", "gzip")
		if w.Code != http.StatusOK {
			t.Errorf("%s is not there", p)
		}
		total += w.Body.Len()
	}
	t.Logf("the first load is %d bytes in %d files", total, len(paths))
	if total > mostFirst {
		t.Errorf("the first load is %d bytes in %d files; at most %d", total, len(paths), mostFirst)
	}
}

var links = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)

var inline = map[string]*regexp.Regexp{
	"a script in the page":    regexp.MustCompile(`(?i)<script(?:\s+(?:type="module"|crossorigin))*\s*>`),
	"a style in the page":     regexp.MustCompile(`(?i)<style`),
	"a style attribute":       regexp.MustCompile(`(?i)<[^>]+\sstyle\s*=`),
	"a handler attribute":     regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=\s*["']`),
	"an address elsewhere":    regexp.MustCompile(`(?i)(?:src|href)\s*=\s*["'](?:https?:)?//`),
	"a javascript: address":   regexp.MustCompile(`(?i)javascript:`),
	"a data: address":         regexp.MustCompile(`(?i)(?:src|href)\s*=\s*["']data:`),
	"an address of a map":     regexp.MustCompile(`sourceMappingURL`),
	"an address of the build": regexp.MustCompile(`/home/|/tmp/|/root/|node_modules`),
}

func TestNothingIsInlineInThePage(t *testing.T) {
	page, err := built.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for what, rule := range inline {
		if found := rule.Find(page); found != nil {
			t.Errorf("index.html has %s: %s", what, found)
		}
	}
	if !strings.Contains(string(page), `href="/plain"`) || !strings.Contains(string(page), "<noscript>") {
		t.Error("index.html has no way to the plain pages")
	}
	for _, name := range embedded(t) {
		body, err := built.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"an address of a map", "an address of the build"} {
			if found := inline[what].Find(body); found != nil && !strings.HasSuffix(name, ".json") {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
	}
}

// forbidden in the sources: a browser would refuse it, or should have to.
var forbidden = map[string]*regexp.Regexp{
	"{@html}":               regexp.MustCompile(`\{@html`),
	"a style attribute":     regexp.MustCompile(`<[^>{]*\sstyle=`),
	"innerHTML":             regexp.MustCompile(`\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc)\b`),
	"eval":                  regexp.MustCompile(`\beval\(|new Function\(`),
	"an address elsewhere":  regexp.MustCompile(`(?:src|href)="https?://`),
	"a style rule in words": regexp.MustCompile(`cssText|insertRule|createElement\('style'\)`),
}

func TestSourcesMakeNoHTMLFromWords(t *testing.T) {
	files := 0
	err := filepath.WalkDir("web/src", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".svelte") && !strings.HasSuffix(name, ".ts") {
			return err
		}
		files++
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for what, rule := range forbidden {
			if found := rule.Find(body); found != nil {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("%d files, %v", files, err)
	}
}
