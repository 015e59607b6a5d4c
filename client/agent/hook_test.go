package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/boot"
	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/manifests/rollout"
)

// program is a hook that notes what it is told, and ends with the status that
// stands in a file, 0 at first.
type program struct {
	*world
	dir string
}

func (w *world) program() *program {
	w.Helper()
	p := &program{w, w.TempDir()}
	p.ends(0, "")
	return p
}

func (p *program) command() [][]string {
	return [][]string{{"/bin/sh", "-c", fmt.Sprintf("cat >> %[1]s/in; echo >> %[1]s/in; cat %[1]s/words; exit $(cat %[1]s/status)", p.dir)}}
}

func (p *program) ends(status int, words string) {
	p.must(os.WriteFile(filepath.Join(p.dir, "status"), []byte(fmt.Sprint(status)), 0o600))
	p.must(os.WriteFile(filepath.Join(p.dir, "words"), []byte(words), 0o600))
}

// told gives what it was told since the last call, a line each time.
func (p *program) told() []string {
	data, err := os.ReadFile(filepath.Join(p.dir, "in"))
	if os.IsNotExist(err) {
		return nil
	}
	p.must(err)
	p.must(os.Remove(filepath.Join(p.dir, "in")))
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func TestHooksRunInOrderEachBeforeItsEffect(t *testing.T) {
	w := newWorld(t)
	p := w.program()
	w.config.Hooks = Hooks{
		PreCheck: p.command(), PreInstall: p.command(), PostInstall: p.command(), PreReboot: p.command(), PostCommit: p.command(),
		Timeout: w.config.Hooks.Timeout,
	}
	w.config.Health = p.command()
	var order []string
	w.slots.verb = func(verb string) {
		for _, said := range p.told() {
			kind, _, _ := strings.Cut(strings.TrimPrefix(said, `{"hook":"`), `"`)
			order = append(order, kind)
		}
		order = append(order, verb)
	}
	w.offer(42)
	w.once()
	w.runs(42)
	w.slots.verb("end")
	want := []string{
		"pre-check", "pre-install", "unbootable", "open", "post-install", "metadata", "arm", "pre-reboot", "health", "good", "post-commit", "end",
	}
	if !slices.Equal(order, want) {
		t.Fatalf("order %v\nwant  %v", order, want)
	}
}

func TestHooksAreToldWhatIsInstalledWhere(t *testing.T) {
	w := newWorld(t)
	p := w.program()
	w.config.Hooks.PreCheck, w.config.Hooks.PreInstall, w.config.Health = p.command(), p.command(), p.command()
	w.offer(42)
	w.step()
	w.reboot()
	w.step()
	image := w.slots.Image("b", "system")
	want := []string{
		`{"hook":"pre-check","product":"phone","fromBuild":41}`,
		`{"hook":"pre-install","product":"phone","build":42,"fromBuild":41,"slot":"b","images":{"system":"` + image + `"}}`,
		`{"hook":"health","product":"phone","build":42,"fromBuild":41,"slot":"b","images":{"system":"` + image + `"}}`,
	}
	if got := p.told(); len(got) < 3 || !slices.Equal(got[:3], want) {
		t.Fatalf("told %q\nwant %q", got, want)
	}
}

func TestHookThatComesBeforeHoldsTheUpdateAndFailsNoBuild(t *testing.T) {
	for name, set := range map[string]func(*Hooks, [][]string){
		"pre-check":   func(h *Hooks, c [][]string) { h.PreCheck = c },
		"pre-install": func(h *Hooks, c [][]string) { h.PreInstall = c },
		"pre-reboot":  func(h *Hooks, c [][]string) { h.PreReboot = c },
	} {
		for _, status := range []int{hooks.NotNowStatus, 1} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				w := newWorld(t)
				w.reports.on, w.reports.acknowledged = true, true
				p := w.program()
				p.ends(status, "a call is on")
				set(&w.config.Hooks, p.command())
				w.offer(42)
				var since string
				for range 3 { // it is asked again at each poll
					w.start()
					s := w.step()
					w.code(s, HookCode)
					if !strings.Contains(s.Sentence, "a call is on") || w.agent.RestartWanted() || len(p.told()) != 1 {
						t.Fatalf("status %+v", s)
					}
					if since == "" {
						since = s.Since.String()
					}
					if s.Since.String() != since {
						t.Fatalf("held since %s, then since %s", since, s.Since)
					}
					w.device.now = w.device.now.Add(3600e9)
				}
				if name != "pre-reboot" && len(w.cdn.asked) != 0 {
					t.Fatalf("fetched all the same: %v", w.cdn.asked)
				}
				w.runs(41)
				p.ends(0, "")
				w.once()
				w.runs(42)
				if len(w.agent.mem.Failures) != 0 || w.reports.count("refusal") != 0 {
					t.Fatalf("failures %v, said %v", w.agent.mem.Failures, w.reports.said)
				}
			})
		}
	}
}

func TestPostInstallHookFailsTheInstallation(t *testing.T) {
	w := newWorld(t)
	w.reports.on, w.reports.acknowledged = true, true
	p := w.program()
	w.config.Hooks.PostInstall = p.command()
	w.offer(42)
	p.ends(1, "no room for the language pack")
	for range 2 {
		s, err := w.agent.Step(t.Context())
		if err == nil || s.Code != FailureCode || !strings.Contains(s.Sentence, "language pack") || w.state("b").Bootable {
			t.Fatalf("status %+v, %v", s, err)
		}
	}
	w.noted(0, "started of 42", "failed of 42")
	asked := len(w.cdn.asked)
	p.ends(hooks.NotNowStatus, "indexing")
	w.code(w.step(), HookCode)
	if w.state("b").Bootable {
		t.Fatal("armed all the same")
	}
	p.ends(0, "")
	w.once()
	w.runs(42)
	for _, path := range w.cdn.asked[asked:] {
		if strings.HasSuffix(path, " from 0") && strings.Contains(path, small().Image.Pack.SHA256.String()) {
			t.Fatalf("fetched again: %v", w.cdn.asked[asked:])
		}
	}
}

func TestHealthHookThatSaysNotNowHasFailed(t *testing.T) {
	w := newWorld(t)
	p := w.program()
	p.ends(hooks.NotNowStatus, "no modem yet")
	w.config.Health = p.command()
	w.offer(42)
	w.code(w.once(), rollout.BadTarget)
	w.runs(41)
}

func TestPostCommitHookChangesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.program()
	p.ends(1, "")
	w.config.Hooks.PostCommit = p.command()
	w.offer(42)
	w.once()
	w.runs(42)
	if got := p.told(); len(got) != 1 {
		t.Fatalf("ran %d times", len(got))
	}
}

// No hook makes an update go on that policy holds.
func TestHooksOpenNoWay(t *testing.T) {
	w, r := armed(t)
	p := w.program()
	w.config.Hooks = Hooks{PreCheck: p.command(), PreInstall: p.command(), PostInstall: p.command(), PreReboot: p.command(), Timeout: w.config.Hooks.Timeout}
	w.code(w.step(), rollout.BeforeWindow)
	if got := p.told(); got != nil {
		t.Fatalf("asked to restart outside of the window: %v", got)
	}
	r.State = rollout.Halted
	w.code(w.step(), rollout.HaltedCode)
	for range 2 {
		w.code(w.step(), rollout.HaltedCode)
	}
	w.runs(41)
}

// Stopping the agent while the new build is looked at says nothing about it.
func TestAgentThatIsStoppedWhileItTriesFailsNoBuild(t *testing.T) {
	w := newWorld(t)
	w.offer(42)
	w.step()
	if slot := w.reboot(); slot != "b" {
		t.Fatalf("slot %s boots", slot)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.agent.Step(ctx); err == nil {
		t.Fatal("tried all the same")
	}
	if !w.state(boot.Slot("b")).Armed() && !w.state("b").Bootable {
		t.Fatalf("slot b is %+v", w.state("b"))
	}
	w.start()
	w.once()
	w.runs(42)
	if len(w.agent.mem.Failures) != 0 {
		t.Fatal("the build failed")
	}
}
