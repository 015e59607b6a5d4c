package doctor_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/doctor"
	"github.com/candor-ota/candor/client/fetch"
	"github.com/candor-ota/candor/client/trust"
	"github.com/candor-ota/candor/manifests/diagnosis"
	"github.com/candor-ota/candor/manifests/diagnosis/diagnosistest"
	"github.com/candor-ota/candor/manifests/rollout"
)

// board is a device with a clock of the test's.
type board struct {
	now   time.Time
	unset bool
	free  int64
}

func (b board) Now() (time.Time, bool)         { return b.now, !b.unset }
func (b board) Uptime() (time.Duration, error) { return time.Hour, nil }
func (b board) Conditions() (rollout.Conditions, error) {
	return rollout.Conditions{BatteryPercent: 80, FreeBytes: b.free}, nil
}

// handset is a state directory that trusts the first root.
func handset(t *testing.T, c diagnosistest.Case, servers ...string) *agent.Config {
	t.Helper()
	dir := t.TempDir()
	if err := trust.Init(filepath.Join(dir, "trust"), diagnosistest.Fine().Files[diagnosistest.Path("root", 1)]); err != nil {
		t.Fatal(err)
	}
	type floor struct {
		Role    string   `json:"role"`
		Version int64    `json:"version"`
		KeyIDs  []string `json:"keyIds"`
	}
	floors := []floor{}
	fine, _ := (diagnosis.Expected{Role: "root"}).Judge(diagnosistest.Fine().Files[diagnosistest.Path("root", 1)])
	for role, v := range c.Floors {
		floors = append(floors, floor{role, v, fine.Roles[role].KeyIDs})
	}
	state, err := json.Marshal(map[string]any{"floors": floors})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trust", ".state.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	product := c.Product
	if product == "" {
		product = diagnosistest.Product
	}
	return &agent.Config{Product: product, State: dir, Slots: filepath.Join(dir, "slots"), Servers: servers, Boot: agent.Boot{Driver: agent.Simulator}}
}

// serve publishes a tree without the date of this machine, whose clock is not
// the test's.
func serve(t *testing.T, tree *diagnosistest.Tree) (string, *[]string) {
	t.Helper()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		w.Header()["Date"] = nil
		data, ok := tree.Files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if _, err := w.Write(data); err != nil {
			t.Log(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, &asked
}

func examine(c *agent.Config, d board, online bool) doctor.Report {
	return doctor.Examine(context.Background(), doctor.Options{Config: c, Device: d, Online: online, Built: diagnosistest.Now.AddDate(0, 0, -19)})
}

func about(r doctor.Report, words string) []diagnosis.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f diagnosis.Finding) bool { return !strings.Contains(f.Words, words) })
}

// Each failure that a server can show a handset is named to its owner; and the
// walk of the handset refuses what is named, where that is the walk's to judge.
func TestEachKindOfFailureIsNamedToTheOwner(t *testing.T) {
	walkAccepts := []string{
		"clock", "root-gap", "malformed-twice", // harmless to the walk, not to whoever wonders
		"other-root", // the walk asks for newer roots alone
	}
	for _, c := range diagnosistest.Cases() {
		if c.SignerOnly {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			url, _ := serve(t, c.Tree)
			config := handset(t, c, url)
			before := tree(t, config.State)
			r := examine(config, board{now: diagnosistest.Now, free: 1 << 40}, true)
			found := about(r, "server "+url+": ")
			if r.Fine || len(found) == 0 || found[0].Kind != c.Kind {
				t.Errorf("%+v; expected %s first", found, c.Kind)
			}
			for _, f := range found {
				if f.Means == "" || f.Do == "" {
					t.Errorf("no advice about %+v", f)
				}
			}
			if after := tree(t, config.State); after != before {
				t.Errorf("the doctor changed the handset:\n%s\n%s", before, after)
			}
			if err := poll(t, config, url); (err == nil) != slices.Contains(walkAccepts, c.Name) {
				t.Errorf("named %s, and the walk says %v", c.Kind, err)
			}
		})
	}
}

// tree lists the files below a directory with their content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(path + "\n" + string(data) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func poll(t *testing.T, c *agent.Config, url string) error {
	t.Helper()
	store, err := trust.OpenStore(filepath.Join(c.State, "trust"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	from, err := fetch.New(fetch.Options{Bases: []string{url}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	client := &trust.Client{Store: store, Fetch: from, Product: c.Product, Clock: board{now: diagnosistest.Now}.Now, Built: diagnosistest.Now.AddDate(0, 0, -19)}
	_, err = client.Poll(context.Background())
	return err
}

// Without --online no request is made; with it, none but for static files.
func TestNothingIsAskedForUnlessTheOwnerSaysSo(t *testing.T) {
	url, asked := serve(t, diagnosistest.Fine())
	config := handset(t, diagnosistest.Case{}, url)
	examine(config, board{now: diagnosistest.Now, free: 1 << 40}, false)
	if len(*asked) != 0 {
		t.Fatalf("asked for %q", *asked)
	}
	r := examine(config, board{now: diagnosistest.Now, free: 1 << 40}, true)
	if found := about(r, "everything that it gives holds"); len(found) != 1 {
		t.Errorf("%+v", diagnosis.Failing(r.Findings))
	}
	for _, path := range *asked {
		if !strings.HasPrefix(path, "GET /metadata/") && !strings.HasPrefix(path, "GET /targets/") {
			t.Errorf("asked for %s", path)
		}
	}
}

func TestStoredMetadataIsExamined(t *testing.T) {
	url, _ := serve(t, diagnosistest.Fine())
	config := handset(t, diagnosistest.Case{}, url)
	if err := poll(t, config, url); err != nil {
		t.Fatal(err)
	}
	now := board{now: diagnosistest.Now, free: 1 << 40}
	if failing := refused(examine(config, now, false)); len(failing) > 0 {
		t.Fatalf("%+v", failing)
	}
	now.now = now.now.AddDate(0, 0, 3)
	failing := refused(examine(config, now, false))
	if len(failing) != 1 || failing[0].Kind != diagnosis.Expired || failing[0].Subject != "timestamp" || failing[0].Command != "candor-client once" {
		t.Errorf("%+v", failing)
	}
	path := filepath.Join(config.State, "trust", "releases-phone.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	now.now = diagnosistest.Now
	if failing := refused(examine(config, now, false)); len(failing) != 1 || failing[0].Kind != diagnosis.Mismatch {
		t.Errorf("%+v", failing)
	}
}

// refused leaves out what is missing because the handset has no slots here.
func refused(r doctor.Report) []diagnosis.Finding {
	return slices.DeleteFunc(diagnosis.Failing(r.Findings), func(f diagnosis.Finding) bool { return f.Subject == "boot loader" })
}

func TestWhatIsWrongOnTheHandsetItselfIsNamed(t *testing.T) {
	fine := board{now: diagnosistest.Now, free: 1 << 40}
	for name, test := range map[string]struct {
		spoil   func(t *testing.T, c *agent.Config)
		device  board
		subject string
	}{
		"clock never set":  {device: board{unset: true, free: 1 << 40}, subject: "clock"},
		"clock in 1970":    {device: board{now: time.Unix(0, 0), free: 1 << 40}, subject: "clock"},
		"no room":          {device: board{now: diagnosistest.Now, free: 1 << 20}, subject: "storage"},
		"no slots":         {device: fine, subject: "boot loader"},
		"no root":          {spoil: remove("trust/root.json"), device: fine, subject: "trust"},
		"spoiled root":     {spoil: write("trust/root.json", "{"), device: fine, subject: "trust"},
		"spoiled floors":   {spoil: write("trust/.state.json", "{"), device: fine, subject: "trust"},
		"spoiled journal":  {spoil: write("journal", "CANDORJ1"), device: fine, subject: "journal"},
		"spoiled memory":   {spoil: write("memory.json", "{"), device: fine, subject: "journal"},
		"spoiled identity": {spoil: write("outbox/identity.json", "{"), device: fine, subject: "reports"},
		"missing program":  {spoil: func(_ *testing.T, c *agent.Config) { c.Health = [][]string{{"/no/such/program"}} }, device: fine, subject: "programs"},
		"an update that failed": {
			spoil:  write("memory.json", `{"floor":1,"last":{"code":"error","sentence":"It was not reached."}}`),
			device: fine, subject: "last look",
		},
		"a broken promise": {spoil: write("memory.json", `{"floor":1,"nextBy":"2026-11-01T00:00:00Z"}`), device: fine, subject: "maker"},
	} {
		t.Run(name, func(t *testing.T) {
			config := handset(t, diagnosistest.Case{})
			if test.spoil != nil {
				test.spoil(t, config)
			}
			before := tree(t, config.State)
			r := examine(config, test.device, false)
			i := slices.IndexFunc(r.Findings, func(f diagnosis.Finding) bool { return f.Subject == test.subject && f.Kind != diagnosis.Holds })
			if i < 0 || r.Findings[i].Do == "" {
				t.Errorf("nothing wrong with %s: %+v", test.subject, r.Findings)
			}
			if after := tree(t, config.State); after != before {
				t.Error("the doctor changed the handset")
			}
		})
	}
}

func write(name, text string) func(*testing.T, *agent.Config) {
	return func(t *testing.T, c *agent.Config) {
		path := filepath.Join(c.State, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(name string) func(*testing.T, *agent.Config) {
	return func(t *testing.T, c *agent.Config) {
		if err := os.Remove(filepath.Join(c.State, name)); err != nil {
			t.Fatal(err)
		}
	}
}
