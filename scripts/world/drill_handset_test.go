package world_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/boot"
	client "github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
)

// survivor is a real handset in this process, on a road of its own to whoever
// answers for the server.
type survivor struct {
	*client.Handset
	d         *drill
	name      string
	dir       string
	road      *road
	may       map[manifests.Build]bool // builds that it may run
	recovered int                      // polls that it took; 0: not yet
	said      string                   // of the last thief that it met
}

// road leads to the server, or to a thief.
type road struct {
	mu sync.Mutex
	to http.Handler
}

func (r *road) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	to.ServeHTTP(w, req)
}

func (r *road) leads(to http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// honest is the way to the server, wherever that is now.
func (d *drill) honest() http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to, err := url.Parse(d.w.Server)
		if err != nil {
			panic(err)
		}
		r.SetURL(to)
	}}
}

// without is a way on which some files are missing.
func without(word string, to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, word) {
			http.NotFound(w, r)
			return
		}
		to.ServeHTTP(w, r)
	})
}

// state is the condition of a handset.
type condition struct {
	device   map[string]any // its device file
	from, to manifests.SharePPM
	order    manifests.Build // of which from and to speak
	root     []byte          // of its factory; nil: the world's
}

// survivor makes a handset that has left the factory with build 41.
func (d *drill) survivor(name string, c condition) *survivor {
	d.Helper()
	s := &survivor{d: d, name: name, dir: d.TempDir(), road: &road{to: d.honest()}, may: map[manifests.Build]bool{41: true}}
	address, gone := d.net.add(strings.ReplaceAll(name, " ", "-"), s.road)
	d.Cleanup(gone)
	config, err := json.Marshal(map[string]any{
		"product": product, "model": "redmi-1s", "region": "cn", "servers": []string{address}, "state": "state", "slots": "slots", "device": "device.json",
	})
	d.must(err)
	device, err := json.Marshal(c.device)
	d.must(err)
	if c.device == nil {
		device = []byte("{}")
	}
	factory := filepath.Join(s.dir, "factory.img")
	for file, data := range map[string][]byte{"client.yaml": config, "device.json": device, "factory.img": []byte("factory"), "label.yaml": []byte(before)} {
		d.must(os.WriteFile(filepath.Join(s.dir, file), data, 0o600))
	}
	if c.root == nil {
		c.root, err = os.ReadFile(d.w.Path("1.root.json"))
		d.must(err)
	}
	f := client.Factory{Images: map[manifests.Name]string{"system": factory}, Root: c.root, Metadata: boot.Metadata{Build: 41, SecurityEpoch: 6, Version: "factory"}}
	d.must(f.LoadLabel(filepath.Join(s.dir, "label.yaml")))
	d.must(client.Create(filepath.Join(s.dir, "client.yaml"), f))
	if c.order != 0 {
		secret := secretBetween(c.order, c.from, c.to)
		d.must(os.WriteFile(filepath.Join(s.dir, "state", "secret"), secret[:], 0o600))
	}
	s.start()
	d.Cleanup(func() { d.must(s.Close()) })
	for build := manifests.Build(42); build < 50; build++ { // its owner agrees to everything
		d.must(s.Answer(build, rollout.Accepted))
	}
	d.survivors = append(d.survivors, s)
	return s
}

func (s *survivor) start() {
	s.d.Helper()
	config, err := agent.LoadConfig(filepath.Join(s.dir, "client.yaml"))
	s.d.must(err)
	s.Handset, err = client.Open(config, slog.New(slog.DiscardHandler))
	s.d.must(err)
}

// device changes what its hardware says.
func (s *survivor) device(text string) {
	s.d.Helper()
	s.d.must(os.WriteFile(filepath.Join(s.dir, "device.json"), []byte(text), 0o600))
}

// allow says which builds it may run from now on.
func (s *survivor) allow(builds ...manifests.Build) {
	for _, b := range builds {
		s.may[b] = true
	}
}

// poll looks for news once, does all that follows, and looks at what runs.
func (s *survivor) poll() (agent.Status, error) {
	s.d.Helper()
	status, err := s.Once(ctx)
	s.runs()
	return status, err
}

// runs gives the build that runs. One that it may not run, or whose bytes are
// not those of the build, is a wrong install.
func (s *survivor) runs() manifests.Build {
	s.d.Helper()
	r, err := s.Report()
	s.d.must(err)
	data, err := os.ReadFile(filepath.Join(s.dir, "slots", string(r.Slot)+".system.img"))
	s.d.must(err)
	holds, built := s.d.images[manifests.SumSHA256(data)]
	if !built && string(data) == "factory" {
		holds = 41
	}
	if holds != r.Build || !s.may[r.Build] {
		s.d.wrong++
		s.d.Errorf("%s: WRONG INSTALL: it runs build %d, holds the image of %d, and may run %v", s.name, r.Build, holds, s.may)
	}
	return r.Build
}

// meets polls once on a thief's network. What comes of it is up to the thief,
// but for what it must not run.
func (s *survivor) meets(th http.Handler) {
	s.d.Helper()
	s.road.leads(th)
	status, err := s.poll()
	s.said = fmt.Sprintf("%s (%v)", status.Sentence, err)
}

// isCutOff begins an install whose images end halfway.
func (s *survivor) isCutOff() {
	s.d.Helper()
	s.road.leads(without("blobs/", s.d.honest()))
	if status, err := s.poll(); err == nil {
		s.d.Errorf("%s: the install was not cut off: %s", s.name, status.Sentence)
	}
}

// expect polls once and demands what runs afterwards.
func (s *survivor) expect(build manifests.Build) agent.Status {
	s.d.Helper()
	status, err := s.poll()
	if got := s.runs(); got != build {
		s.d.Errorf("%s runs build %d, expected %d: %s, %v", s.name, got, build, status.Sentence, err)
	}
	return status
}

// refuses polls once and demands that it fails with some words, and that what
// runs stays.
func (s *survivor) refuses(want string) {
	s.d.Helper()
	before := s.runs()
	status, err := s.poll()
	if err == nil || !strings.Contains(err.Error(), want) {
		s.d.Errorf("%s: %v (%s), expected %q", s.name, err, status.Sentence, want)
	}
	if got := s.runs(); got != before {
		s.d.Errorf("%s: from build %d to %d", s.name, before, got)
	}
}

// recover polls on an honest network until a build runs and a poll finds
// nothing wrong: twice is enough for any of them.
func (s *survivor) recover(build manifests.Build) {
	s.d.Helper()
	s.road.leads(s.d.honest())
	s.allow(build)
	var status agent.Status
	var err error
	for polls := 1; polls <= 3; polls++ {
		if status, err = s.poll(); err == nil && s.runs() == build {
			s.recovered = polls
			return
		}
	}
	s.d.Errorf("%s has not recovered: it runs build %d, expected %d: %s (%s), %v; with the thief it said %s", s.name, s.runs(), build, status.Sentence, status.Code, err, s.said)
}
