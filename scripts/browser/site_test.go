package browser_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/browser"
	"github.com/candor-ota/candor/scripts/world"
)

const product manifests.Product = "phone"

// shared is what all tests of this process use and TestMain ends.
var shared struct {
	dir      string
	chromium func() (*browser.Chromium, error)
	programs func() (string, error)
	ends     []func()
}

// together is how many tests run at once unless -parallel says otherwise: each
// has a server and tabs of its own, and mostly waits for them. Tests that
// measure are not parallel: they run alone.
const together = 3

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if err := bound(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir, err := os.MkdirTemp("", "candor-browser-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		shared.dir = dir
		shared.chromium = sync.OnceValues(func() (*browser.Chromium, error) {
			c, err := browser.Start(context.Background())
			if err == nil {
				shared.ends = append(shared.ends, c.Close)
			}
			return c, err
		})
		shared.programs = sync.OnceValues(func() (string, error) {
			bin := filepath.Join(dir, "bin")
			return bin, world.Build(context.Background(), bin)
		})
		code := m.Run()
		for _, end := range shared.ends {
			end()
		}
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}

// bound sets how many tests run at once, unless the command line has.
func bound() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(together))
}

// site is a real server, the people who may sign in to it, and the network
// between it and their browsers.
type site struct {
	*world.World
	t      *testing.T
	front  *front
	idp    *idp
	fleet  *fleet
	builds int
}

// quick lets tests watch what takes days elsewhere: the engine looks each
// second, and one address may be a whole fleet.
const quick = "rollouts: {lookEvery: 1s}\nlimits: {connectionsPerAddress: 10000, reportsPerAddress: {burst: 1000000, perSecond: 1000000}}\n"

// atOnce is a signed pace that lets everybody install from the first moment.
const atOnce = "pace:\n  - {after: 0s, maxSharePPM: 1000000}\n"

// start makes a site with a product and no release.
func start(t *testing.T, config ...string) *site {
	t.Helper()
	bin, err := shared.programs()
	must(t, err)
	s := &site{t: t, front: newFront(t)}
	s.idp = startIDP(t, s.front.url+"/v1/auth/callback")
	s.World, err = world.NewWith(t.Context(), bin, t.TempDir(), append([]string{quick, s.idp.config(t)}, config...)...)
	if s.World != nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if log, err := os.ReadFile(s.Path("server.log")); t.Failed() {
				t.Logf("the server's log: %v\n%s", err, log)
			}
		})
	}
	must(t, err)
	s.front.leadTo(s.Server)
	must(t, s.Ceremony(t.Context(), product))
	return s
}

// in is the site in a test within a test.
func (s *site) in(t *testing.T) *site {
	other := *s
	other.t = t
	return &other
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// release publishes a build.
func (s *site) release(build manifests.Build, pace string) {
	s.t.Helper()
	s.releaseFor(product, build, pace)
}

func (s *site) releaseFor(of manifests.Product, build manifests.Build, pace string) {
	s.t.Helper()
	manifest, err := world.Example(of, build, pace)
	must(s.t, err)
	s.releaseOf(of, build, manifest)
}

func (s *site) releaseOf(of manifests.Product, build manifests.Build, manifest []byte) {
	s.t.Helper()
	image := s.Path("system.img")
	must(s.t, os.WriteFile(image, []byte(strings.Repeat(fmt.Sprintf("build %d of the system\n", build), 4096)), 0o600))
	must(s.t, s.Release(s.t.Context(), of, build, manifest, image))
}

// plan is one that tests can see through: little is enough to prove harm or
// health.
func plan(build manifests.Build, stages ...rollout.Stage) *rollout.Plan {
	return &rollout.Plan{
		Product: product, Build: build, Channel: "stable", Kind: manifests.KindNormal, Stages: stages,
		Deferral: manifests.Duration{Duration: 7 * 24 * time.Hour},
		Guard:    lenient,
	}
}

// lenient rests verdicts on few votes. Silence takes days to be proved, so it
// only reports here.
var lenient = rollout.Guard{ReportOnly: []rollout.Rule{rollout.RuleSilence}, Failures: 200_000, Silence: 500_000, Regressions: 500_000, Refusals: 500_000, Unheard: 500_000, NewReason: 400_000}

// person opens a browser of somebody who was never here. What goes wrong in it
// unseen fails the test, unless it matches one of the words.
func (s *site) person(but ...string) *browser.Page {
	s.t.Helper()
	c, err := shared.chromium()
	must(s.t, err)
	p, err := c.Fresh()
	must(s.t, err)
	s.watched(p, but...)
	return p
}

// beside opens another tab of a person.
func (s *site) beside(p *browser.Page, but ...string) *browser.Page {
	s.t.Helper()
	tab, err := p.Beside()
	must(s.t, err)
	s.watched(tab, but...)
	return tab
}

func (s *site) watched(p *browser.Page, but ...string) {
	s.t.Cleanup(func() {
		for _, line := range s.unexpected(p.Take(), but...) {
			s.t.Errorf("unseen: %s", line)
		}
		p.Close()
	})
}

// notSignedIn is the answer by which a page learns that nobody is: expected
// where nobody is yet, and nowhere else.
const notSignedIn = `^request: GET \S+/v1/auth/session: 401$`

// elsewhere are requests to hosts that are not ours, such as the provider.
var elsewhere = regexp.MustCompile(`^request: [A-Z]+ https?://([^/]+)`)

func (s *site) unexpected(lines []string, but ...string) (found []string) {
	for _, line := range lines {
		host := elsewhere.FindStringSubmatch(line)
		known := host != nil && "http://"+host[1] != s.front.url
		for _, pattern := range but {
			known = known || regexp.MustCompile(pattern).MatchString(line)
		}
		if !known {
			found = append(found, line)
		}
	}
	return found
}
