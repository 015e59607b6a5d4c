package world_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/rollout"
	"github.com/candor-ota/candor/scripts/world"
)

// The bad days, each played to its end with the real programs: a server, a
// signer that leads, and handsets in every condition. Each ends with every
// handset recovered, and none has run what it should not.
func TestIncidentDrills(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bin")
	if err := world.Build(ctx, bin); err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		name string
		play func(*drill)
	}{
		{"stolen online keys", stolenOnlineKeys},
		{"stolen engineers' keys", stolenEngineersKeys},
		{"lost root keys", lostRootKeys},
		{"bad release", badRelease},
		{"server owned", serverOwned},
	} {
		t.Run(d.name, func(t *testing.T) {
			w, err := world.NewWith(ctx, bin, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := w.Ceremony(ctx, product); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			drill := &drill{T: t, w: w, net: newStreets(t), images: map[manifests.SHA256]manifests.Build{}, own: map[string]string{}}
			d.play(drill)
			drill.tell(d.name, time.Since(begun))
		})
	}
}

// drill is one bad day.
type drill struct {
	*testing.T
	w         *world.World
	net       *streets
	survivors []*survivor
	images    map[manifests.SHA256]manifests.Build // what the engineers built, and what thieves did
	own       map[string]string                    // people's keys that were made meanwhile
	wrong     int                                  // builds that ran and should not have
}

// tell prints the line of figures, and fails unless everybody came home.
func (d *drill) tell(name string, took time.Duration) {
	d.Helper()
	recovered, polls := 0, 0
	for _, s := range d.survivors {
		if s.recovered > 0 {
			recovered++
		}
		polls = max(polls, s.recovered)
	}
	if recovered != len(d.survivors) || d.wrong != 0 || len(d.survivors) < 10 {
		d.Errorf("recovered %d of %d, wrong installs %d", recovered, len(d.survivors), d.wrong)
	}
	d.Logf("drill %s: handsets recovered %d of %d, wrong installs %d, at most %d polls, %s", name, recovered, len(d.survivors), d.wrong, polls, took.Round(100*time.Millisecond))
}

func (d *drill) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// release has the engineers sign a build. edit changes its YAML.
func (d *drill) release(build manifests.Build, pace string, edit ...string) {
	d.Helper()
	manifest, err := world.Example(product, build, pace)
	d.must(err)
	text := strings.NewReplacer(edit...).Replace(string(manifest))
	image := d.image(build)
	d.must(d.w.Release(ctx, product, build, []byte(text), image))
}

func (d *drill) image(build manifests.Build) string {
	d.Helper()
	path := image(d.T, fmt.Sprintf("system-%d.img", build), 256<<10)
	data, err := os.ReadFile(path)
	d.must(err)
	d.images[manifests.SumSHA256(data)] = build
	return path
}

// open rolls a build out to a share of the fleet.
func (d *drill) open(build manifests.Build, share manifests.SharePPM) world.Rollout {
	d.Helper()
	r, err := d.w.Open(ctx, &rollout.Plan{
		Product: product, Build: build, Channel: "stable", Kind: manifests.KindNormal,
		Deferral: manifests.Duration{Duration: 30 * 24 * time.Hour}, Stages: []rollout.Stage{{Share: share}},
	})
	d.must(err)
	return r
}

// planStep is a step of a plan as --json gives it.
type planStep struct {
	Title, State, Found string
	Commands            []planCommand
}

type planCommand struct {
	Line  string
	By    []string
	Needs int
}

// guidance is a plan.
type guidance struct {
	Title, Check, Until string
	Done                bool
	Steps               []planStep
}

// lead asks the signer what to do.
func (d *drill) lead(args ...string) guidance {
	d.Helper()
	out, err := d.w.Exec(ctx, "signer", append(append([]string{"incident"}, args...), "--server", d.w.Server, "--json")...)
	d.must(err)
	var p guidance
	d.must(json.Unmarshal(out, &p))
	return p
}

// checked gives the command that the plan prints and demands that it says
// whether all is done.
func (d *drill) checked(line string, done bool) guidance {
	d.Helper()
	cmd := exec.CommandContext(ctx, d.w.Path("bin", "candor-signer"), append(words(line)[1:], "--json")...)
	cmd.Dir = d.w.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var p guidance
	d.must(json.Unmarshal(out.Bytes(), &p))
	if p.Done != done || cmd.ProcessState.ExitCode() != map[bool]int{true: 0, false: 3}[done] {
		d.Errorf("%s: %v: done %v, expected %v: %+v %s", line, err, p.Done, done, p.Steps, errs.String())
	}
	return p
}

// follow gives every command of a plan, as people would copy it; what instead
// names are their own ways for lines that begin so.
func (d *drill) follow(p guidance, instead map[string]func([]string)) {
	d.Helper()
	for _, s := range p.Steps {
		for _, c := range s.Commands {
			d.give(c, instead)
		}
	}
}

func (d *drill) give(c planCommand, instead map[string]func([]string)) {
	d.Helper()
	for prefix, way := range instead {
		if strings.HasPrefix(c.Line, prefix) {
			way(words(c.Line))
			return
		}
	}
	line := words(strings.NewReplacer("TOKEN", "token", "DIR", d.w.Path("data")).Replace(c.Line))
	switch {
	case slices.Contains(line, "MY-KEY"):
		for _, name := range c.By[:c.Needs] {
			one := slices.Clone(line)
			one[slices.Index(one, "MY-KEY")] = d.keyOf(name)
			d.run(append(one, "--passphrase-file", "pass", "--yes"))
		}
	case strings.HasPrefix(c.Line, "candor-signer key new"):
		d.own[line[slices.Index(line, "--holder")+1]] = line[3]
		d.run(append(line, "--work-factor", "12", "--passphrase-file", "pass"))
	default:
		d.run(line)
	}
	if strings.HasPrefix(c.Line, "candor-server keys new") { // the file is sent to the root holders
		d.run([]string{"candor-server", "keys", "export", "--data", d.w.Path("data"), ">", "online-keys.json"})
	}
}

// keyOf is the name under which somebody keeps their key.
func (d *drill) keyOf(who string) string {
	d.Helper()
	if key, ok := d.own[strings.TrimSuffix(who, " with the new key")]; ok {
		return key
	}
	return strings.ToLower(strings.Fields(who)[0])
}

// run gives a command line; "> FILE" at its end is where its output goes.
func (d *drill) run(line []string) {
	d.Helper()
	file := ""
	if i := slices.Index(line, ">"); i >= 0 {
		file, line = line[i+1], line[:i]
	}
	out, err := d.w.Exec(ctx, strings.TrimPrefix(line[0], "candor-"), line[1:]...)
	d.must(err)
	if file != "" {
		d.must(os.WriteFile(d.w.Path(file), out, 0o644))
	}
}

// words splits a line as a shell would: at blanks, except between double quotes.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return joined(line, out)
}

// joined puts words together again that a quote had split: "Emil Zhou"=new.pub.
func joined(line string, split []string) []string {
	var out []string
	for _, w := range split {
		if strings.HasPrefix(w, "=") && strings.Contains(line, `"`+w) {
			out[len(out)-1] += w
			continue
		}
		out = append(out, w)
	}
	return out
}

func (s planStep) is(state string) bool { return s.State == state }

// step finds a step by words of its title.
func (d *drill) step(p guidance, title string) planStep {
	d.Helper()
	for _, s := range p.Steps {
		if strings.Contains(s.Title, title) {
			return s
		}
	}
	d.Fatalf("no step %q in %+v", title, p.Steps)
	return planStep{}
}
