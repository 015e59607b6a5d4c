package browser_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/scripts/browser"
	"github.com/candor-ota/candor/scripts/storybook"
	"github.com/candor-ota/candor/scripts/world"
)

var (
	shots = flag.String("shots", "", "write a picture of each story into this directory")
	only  = flag.String("only", "", "look only at stories whose PAGE/NAME begins with one of these, such as create/,event/open")
)

// counts go on by themselves, such as that of the tries of a halt.
var counts = regexp.MustCompile(`\d+`)

// themes are how a page is looked at in each; only colours differ between them.
var themes = map[string]func(*browser.Page) ([]string, error){"light": (*browser.Page).Violations, "dark": (*browser.Page).Faint}

// honest is what some stories have to say: what is not known, and what is kept
// back, is never a number.
var honest = map[string][]string{
	"parts/all":                           {`zero\s+0`, `unknown\s+unknown`, `masked\s+under 20`},
	"rollout/active":                      {`Not shown: fewer than 20 each`},
	"rollout/nobody can report":           {`Unknown: nobody can report about this build`, `\bunknown\b`},
	"rollout/size of the fleet not known": {`\bunknown\b`},
}

// Every page in every state can be read by everybody: axe-core finds nothing,
// light and dark; nothing is cut off or wider than the window on a phone, a
// tablet, a desk and a wall; forced colours hide nothing; who wants no motion
// sees none.
func TestEveryStoryCanBeReadByEverybody(t *testing.T) {
	t.Parallel()
	root, err := world.Root()
	must(t, err)
	book, err := storybook.Open(t.Context(), root)
	must(t, err)
	list, err := book.Stories(t.Context())
	must(t, err)
	dir := t.TempDir()
	must(t, book.Storybook(t.Context(), dir))
	server := httptest.NewServer(storybook.Handler(dir))
	t.Cleanup(server.Close)
	if *shots != "" {
		must(t, os.MkdirAll(*shots, 0o755))
	}
	c, err := shared.chromium()
	must(t, err)
	for page, stories := range wanted(list) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			p, err := c.Fresh() // keeps what the stories are made of, as any browser does
			must(t, err)
			defer p.Close()
			for _, story := range stories {
				for _, fault := range lookAt(p, server.URL, story) {
					t.Errorf("%s: %s", story.Name, fault)
				}
			}
		})
	}
	t.Logf("%d stories", len(list))
}

// wanted are the stories to look at, by page.
func wanted(list []storybook.Story) map[string][]storybook.Story {
	byPage := map[string][]storybook.Story{}
	for _, story := range list {
		begins := func(with string) bool { return strings.HasPrefix(story.Page+"/"+story.Name, with) }
		if slices.ContainsFunc(strings.Split(*only, ","), begins) {
			byPage[story.Page] = append(byPage[story.Page], story)
		}
	}
	return byPage
}

// lookAt looks at one story in all ways, and gives what is wrong. The tab keeps
// nothing of the story before: pages are loaded anew, and what they stored is gone.
func lookAt(p *browser.Page, server string, story storybook.Story) (faults []string) {
	say := func(how string, found []string, err error) {
		if err != nil {
			found = append(found, err.Error())
		}
		for _, f := range found {
			faults = append(faults, how+": "+f)
		}
	}
	do := func(how string, steps ...func() error) {
		for _, step := range steps {
			if err := step(); err != nil {
				say(how, nil, err)
			}
		}
	}
	do("shown", func() error { return p.Size(1440, 900, false) },
		func() error { return p.Prefer("prefers-color-scheme", "light") },
		p.Empty,
		func() error { return p.Open(server + story.Address) },
		func() error {
			return p.Until("the story", func() (bool, error) {
				return browser.Eval[bool](p, "document.documentElement.dataset.story === 'shown'")
			})
		})
	if len(faults) > 0 {
		return faults
	}
	for theme, violations := range themes {
		do(theme, func() error { return p.Prefer("prefers-color-scheme", theme) }, p.Painted)
		found, err := violations(p)
		say(theme, found, err)
		say(theme, nil, picture(p, story, theme))
	}
	words, err := p.Text()
	say("text", nil, err)
	for _, pattern := range honest[story.Page+"/"+story.Name] {
		if !regexp.MustCompile("(?i)" + pattern).MatchString(words) {
			say("text", []string{fmt.Sprintf("it says nothing like %q", pattern)}, nil)
		}
	}
	do("forced colours", func() error { return p.Prefer("forced-colors", "active", "prefers-reduced-motion", "reduce") }, p.Painted)
	if forced, err := p.Text(); err != nil || counts.ReplaceAllString(forced, "0") != counts.ReplaceAllString(words, "0") {
		say("forced colours", []string{fmt.Sprintf("the page says %q instead of %q", forced, words)}, err)
	}
	found, err := p.Restless()
	say("reduced motion", found, err)
	do("colours", func() error { return p.Prefer("prefers-color-scheme", "light") })
	for _, width := range browser.Widths {
		how := fmt.Sprintf("%d px", width)
		do(how, func() error { return p.Size(width, 800, width < 700) }, p.Painted)
		found, err := p.Faults()
		say(how, found, err)
		if width == 360 {
			found, err := p.Violations()
			say(how, found, err)
			say(how, nil, picture(p, story, "phone"))
		}
	}
	for _, line := range p.Take() {
		// The browser says of the icon of a story that it is elsewhere.
		if !strings.Contains(line, "favicon") {
			say("unseen", []string{line}, nil)
		}
	}
	return faults
}

// picture takes one of a story, which may not be blank.
func picture(p *browser.Page, story storybook.Story, how string) error {
	look := p.Thumbnail
	if *shots != "" {
		look = p.Shot
	}
	shot, err := look()
	if err != nil {
		return err
	}
	if blank, err := browser.Blank(shot); err != nil || blank {
		return errors.Join(errors.New("the picture is blank"), err)
	}
	if *shots == "" {
		return nil
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(story.Page + "-" + story.Name + "-" + how)
	return os.WriteFile(filepath.Join(*shots, name+".png"), shot, 0o644)
}
